package lab

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// fenceTypes are the kinds of power management that a cluster knows (ovirt-engine VdsFenceType).
const fenceTypes = "amt_ws,apc,apc_snmp,bladecenter,cisco_ucs,drac5,drac7,eps,hpblade,ilo,ilo2,ilo3,ilo4,ilo_ssh,ipmilan,redfish,rsa,rsb,wti"

// agentsOf are the agents that the world gives a host: the one of FenceAgent, at the address bmc-ADDRESS, and those of FenceAgents.
func agentsOf(h Host) []*FenceAgent {
	var list []*FenceAgent
	if h.FenceAgent != "" {
		list = append(list, &FenceAgent{ID: uuidOf(h.ID + "/agent"), Type: h.FenceAgent, Address: "bmc-" + h.Address, Username: "drrun", Order: 1})
	}
	for _, a := range h.FenceAgents {
		options := map[string]string{}
		for k, v := range a.Options {
			options[k] = v
		}
		a.Options = options
		list = append(list, &a)
	}
	return list
}

// agent is the first of a host's agents by order, or nil: the one that is asked.
func (h *host) agent() *FenceAgent {
	var first *FenceAgent
	for _, a := range h.agents {
		if first == nil || a.Order < first.Order {
			first = a
		}
	}
	return first
}

func writeAgent(x *xmlWriter, h *host, a *FenceAgent) {
	x.open("agent", "href", apiRoot+"/hosts/"+h.ID+"/fenceagents/"+a.ID, "id", a.ID)
	x.text("address", a.Address)
	x.bool("concurrent", a.Concurrent)
	x.bool("encrypt_options", a.EncryptOptions)
	if len(a.Options) > 0 {
		x.open("options")
		var names []string
		for name := range a.Options {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			x.open("option")
			x.text("name", name)
			x.text("value", a.Options[name])
			x.close("option")
		}
		x.close("options")
	}
	x.int("order", int64(a.Order))
	if a.Port != 0 {
		x.int("port", int64(a.Port))
	}
	x.text("type", a.Type)
	x.text("username", a.Username)
	x.ref("host", "hosts", h.ID)
	x.close("agent")
}

func (c *call) routeAgents(h *host, s []string) *reply {
	write := func(x *xmlWriter, a *FenceAgent) { writeAgent(x, h, a) }
	return serve(c, s, rest[*FenceAgent]{root: "agents", all: h.agents, id: func(a *FenceAgent) string { return a.ID }, write: write,
		add:    func() *reply { return c.saveAgent(h, &FenceAgent{}, write) },
		update: func(a *FenceAgent) *reply { return c.saveAgent(h, a, write) },
		remove: func(a *FenceAgent) *reply { // ovirt-engine RemoveFenceAgentCommand
			if h.PowerManagement && len(h.agents) == 1 {
				return c.refuse(bad("Cannot Remove last Fence-Agent when Power Management is enabled for the Host."))
			}
			h.agents = slices.DeleteFunc(h.agents, func(o *FenceAgent) bool { return o == a })
			c.effect("delete fence agent %s of host %s", a.Type, h.Name)
			return c.actionDone(nil, nil)
		}})
}

// saveAgent adds an agent without id and updates one with it (ovirt-engine AddFenceAgentCommand, UpdateFenceAgentCommand). The
// member concurrent of a request changes nothing (FenceAgentMapper).
func (c *call) saveAgent(h *host, a *FenceAgent, write func(*xmlWriter, *FenceAgent)) *reply {
	doc, r := c.parse("agent")
	if r != nil {
		return c.refuse(r)
	}
	action := "edit"
	if a.ID == "" {
		action = "add"
		for _, need := range []string{"address", "order", "type", "username", "password"} {
			if doc.value(need) == "" {
				return c.refuse(incomplete("Agent", "address, order, type, username, password", "add"))
			}
		}
	} else if id := doc.attr("id"); id != "" && id != a.ID {
		return c.refuse(immutable("id"))
	}
	next := *a
	next.Address, next.Type = cmp.Or(doc.value("address"), a.Address), cmp.Or(doc.value("type"), a.Type)
	next.Username, next.Password = cmp.Or(doc.value("username"), a.Username), cmp.Or(doc.value("password"), a.Password)
	for _, m := range []struct {
		name string
		into *int
	}{{"order", &next.Order}, {"port", &next.Port}} {
		if text := doc.value(m.name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return c.refuse(invalidValue(m.name, text))
			}
			*m.into = n
		}
	}
	encrypt, set, r := doc.flag("encrypt_options")
	if r != nil {
		return c.refuse(r)
	}
	if set {
		next.EncryptOptions = encrypt
	}
	if n := doc.child("options"); n != nil || doc.value("port") != "" {
		next.Options = map[string]string{}
		for _, o := range n.all("option") {
			next.Options[cmp.Or(o.attrs["name"], o.value("name"))] = cmp.Or(o.attrs["value"], o.value("value"))
		}
		if doc.value("port") != "" { // the engine wants it in both places
			next.Options["port"] = doc.value("port")
		}
	}
	switch {
	case !slices.Contains(strings.Split(fenceTypes, ","), next.Type):
		return c.refuse(conflict("Cannot %s Fence Agent. Selected Power Management Agent is not supported.", action))
	case doc.value("port") != "" && (next.Port < 1 || next.Port > 65535):
		return c.refuse(bad("Cannot add/modify Power Management Agent. Power Management Agent port value must be numeric between 1 and 65535."))
	}
	if a.ID == "" {
		next.ID = c.lab.newID()
		*a = next
		h.agents = append(h.agents, a)
		c.effect("add fence agent %s to host %s", a.Type, h.Name)
		return c.created("/hosts/"+h.ID+"/fenceagents/"+a.ID, func(x *xmlWriter) { write(x, a) })
	}
	*a = next
	c.effect("update fence agent %s of host %s", a.Type, h.Name)
	return single(a, write)
}
