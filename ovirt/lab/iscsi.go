package lab

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// session is a login of a host at a target, through one portal.
type session struct {
	target             *target
	at                 portal
	username, password string
}

// login opens a session, or nothing where the host has it already.
func (h *host) login(s session) {
	if !slices.ContainsFunc(h.sessions, func(o session) bool { return o.target == s.target && o.at == s.at }) {
		h.sessions = append(h.sessions, s)
	}
}

// logout ends the sessions that a connection of the engine stands for.
func (h *host) logout(v *connection) {
	h.sessions = slices.DeleteFunc(h.sessions, func(s session) bool { return v.isOf(s) })
}

// sessionsOf returns the sessions of a host: those that somebody asked for, and those that the engine keeps up for the storage
// domains of its data center and the LUN disks of the VMs there (ovirt-engine ISCSIStorageHelper, ConnectHostToStoragePoolServersCommand).
func (e *engine) sessionsOf(h *host) []session {
	list := slices.Clone(h.sessions)
	add := func(v *connection) {
		t := e.lab.target(v.target)
		if t == nil || v.kind != kindISCSI || !t.accepts(v.username, v.password) {
			return
		}
		for _, p := range t.portals {
			s := session{target: t, at: p, username: v.username, password: v.password}
			if v.isOf(s) && !slices.ContainsFunc(list, v.isOf) {
				list = append(list, s)
			}
		}
	}
	if h.status != "up" && h.status != "non_operational" && h.status != "non_responsive" && h.status != "connecting" || !h.alive {
		return list
	}
	for _, d := range e.attached(h.cluster.dc) {
		if d.status == "maintenance" || d.status == "detaching" || !d.export.isPresented(h) {
			continue
		}
		for _, v := range d.conns {
			add(v)
		}
	}
	for _, v := range e.vms {
		if v.cluster.dc != h.cluster.dc {
			continue
		}
		for _, a := range v.disks {
			if a.disk.lun != nil {
				for _, v := range a.disk.lun.conns {
					add(v)
				}
			}
		}
	}
	return list
}

// device is a LUN as a host sees it.
type device struct {
	lun      *lun
	sessions []session // iscsi
}

// devices returns the LUNs that a host sees at this moment: presented by the array, and over iSCSI behind a session.
func (e *engine) devices(h *host) []device {
	var list []device
	var sessions []session
	asked := false
	for _, x := range e.lab.exports {
		if !x.block() || !x.online || !h.sees(x) || !h.alive {
			continue
		}
		var through []session
		if x.Type == kindISCSI {
			if !asked {
				sessions, asked = e.sessionsOf(h), true
			}
			for _, s := range sessions {
				if s.target == x.target {
					through = append(through, s)
				}
			}
			if len(through) == 0 {
				continue
			}
		}
		for _, u := range x.luns {
			list = append(list, device{lun: u, sessions: through})
		}
	}
	return list
}

// discoveryFailed is how a failed query of a host reads: the exception's own text (ovirt-engine QueriesCommandBase).
func queryFailed(format string, detail string) *refusal {
	return &refusal{status: http.StatusBadRequest, reason: "Operation Failed", detail: strings.ReplaceAll(format, "%s", detail), bare: true}
}

// portOf reads the port of an iSCSI member; 3260 when it is absent.
func portOf(n *node) (int, *refusal) {
	s := n.value("port")
	if s == "" {
		return 3260, nil
	}
	port, err := strconv.Atoi(s)
	if err != nil || port <= 0 || port > 65535 {
		return 0, invalidValue("port", s)
	}
	return port, nil
}

// portalAt finds the targets that answer at an address, in the order of the world.
func (l *Lab) targetsAt(address string, port int) []*target {
	var list []*target
	for _, t := range l.targets {
		if l.reachable(t) && slices.ContainsFunc(t.portals, func(p portal) bool { return p.address == address && p.port == port }) {
			list = append(list, t)
		}
	}
	return list
}

// reachable reports whether the array of a target is on.
func (l *Lab) reachable(t *target) bool {
	e := l.engine(t.Site)
	return e != nil && !e.disaster
}

// connect is ConnectStorageToVds: a host logs in at a target. Its refusals are the errors of the host's iscsiadm.
func (e *engine) connect(h *host, iqn, address string, port int, username, password string) (session, *refusal) {
	t := e.lab.target(iqn)
	if h.status != "up" {
		return session{}, networkError()
	}
	if t == nil || !e.lab.reachable(t) {
		return session{}, vdsm("Failed to login to iSCSI node")
	}
	p := find(t.portals, func(p portal) bool { return p.address == address && p.port == port })
	switch {
	case p.address == "":
		return session{}, vdsm("Failed to login to iSCSI node")
	case !t.accepts(username, password):
		return session{}, vdsm("Failed to login to iSCSI node due to authorization failure")
	}
	s := session{target: t, at: p, username: username, password: password}
	h.login(s)
	return s, nil
}

// postISCSIDiscover is iscsidiscover, and discoveriscsi, which does the same (ovirt-engine BackendHostResource): what targets a portal
// tells of. The member iscsi_targets is the older form of discovered_targets.
func (c *call) postISCSIDiscover(h *host) *reply {
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	in := doc.child("iscsi")
	address := in.value("address")
	if address == "" {
		return c.refuse(incomplete("Action", "iscsi.address", c.segments[2]))
	}
	port, r := portOf(in)
	if r != nil {
		return c.refuse(r)
	}
	d := l.lat.ISCSI
	if len(l.targetsAt(address, port)) == 0 {
		d = l.lat.DeadPortal
	}
	var found []*target
	var fail *refusal
	if !c.wait(e.operation(l.now.Add(d), func() {
		found = l.targetsAt(address, port)
		switch {
		case h.status != "up":
			fail = queryFailed("VDSGenericException: VDSNetworkException: Failed to DiscoverSendTargetsVDS, error = %s, code = 5022", "Message timeout which can be caused by communication issues")
		case len(found) == 0:
			fail = queryFailed("VDSErrorException: VDSGenericException: VDSErrorException: Failed to DiscoverSendTargetsVDS, error = Failed discovery of iSCSI targets: %s, code = 475",
				"portal="+address+":"+strconv.Itoa(port))
		}
	}, nil)) {
		return nil
	}
	if fail != nil {
		return c.refuse(fail)
	}
	return c.actionDone(nil, func(x *xmlWriter) {
		x.open("discovered_targets")
		for _, t := range found {
			for _, p := range t.portals {
				x.open("iscsi_details")
				x.text("address", p.address)
				x.int("port", int64(p.port))
				x.text("portal", p.String())
				x.text("target", t.Name)
				x.close("iscsi_details")
			}
		}
		x.close("discovered_targets")
		x.open("iscsi_targets")
		for _, t := range found {
			for range t.portals {
				x.text("iscsi_target", t.Name)
			}
		}
		x.close("iscsi_targets")
	})
}

// String is the portal as iscsiadm writes it: with the portal group.
func (p portal) String() string {
	return p.address + ":" + strconv.Itoa(p.port) + "," + strconv.Itoa(p.group)
}

// postISCSILogin logs a host in at a target (ovirt-engine ConnectStorageToVdsCommand). To be logged in already is no error.
func (c *call) postISCSILogin(h *host) *reply {
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	in := doc.child("iscsi")
	if in.value("address") == "" || in.value("target") == "" {
		return c.refuse(incomplete("Action", "iscsi.address, iscsi.target", "iscsiLogin"))
	}
	port, r := portOf(in)
	if r != nil {
		return c.refuse(r)
	}
	address, iqn := in.value("address"), in.value("target")
	d := l.lat.ISCSI
	if t := l.target(iqn); t == nil || !l.reachable(t) {
		d = l.lat.DeadPortal
	}
	var fail *refusal
	if !c.wait(e.operation(l.now.Add(d), func() {
		if _, fail = e.connect(h, iqn, address, port, in.value("username"), in.value("password")); fail != nil {
			e.event(eventStorageError, "error", "The error message for connection "+address+" "+iqn+" returned by VDSM was: "+strings.Trim(fail.detail, "[]"), refs{host: h, correlation: c.correlation})
			return
		}
		c.effect("log host %s in at %s", h.Name, iqn)
	}, nil)) {
		return nil
	}
	if fail != nil {
		return c.refuse(fail)
	}
	return c.doneHost(h, nil)
}

// candidate is a storage domain on LUNs that the engine does not know yet.
type candidate struct {
	set *export
	c   *contents
}

// candidates returns the unknown storage domains on the volume groups that a host sees (ovirt-engine
// GetUnregisteredBlockStorageDomainsQuery). With targets only those behind one of them.
func (e *engine) candidates(h *host, kind string, targets []*target) []candidate {
	var list []candidate
	for _, v := range e.devices(h) {
		x := v.lun.set
		if x.Type != kind || v.lun.at != 0 || targets != nil && !slices.Contains(targets, x.target) {
			continue
		}
		found, _ := e.lab.content(x)
		if found == nil || e.domain(found.id) != nil || slices.ContainsFunc(x.volumes(found), func(u *lun) bool { return e.lunUser(u) != "" }) {
			continue
		}
		list = append(list, candidate{set: x, c: found})
	}
	return list
}

// postUnregisteredDiscover is unregisteredstoragedomainsdiscover: with an address it logs in at the targets first, without one it
// looks at Fibre Channel.
func (c *call) postUnregisteredDiscover(h *host) *reply {
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	in, kind := doc.child("iscsi"), kindFCP
	address := in.value("address")
	if address != "" {
		kind = kindISCSI
	}
	port, r := portOf(in)
	if r != nil {
		return c.refuse(r)
	}
	var names []string
	for _, n := range doc.child("iscsi_targets").all("iscsi_target") {
		names = append(names, strings.TrimSpace(n.text))
	}
	var fail *refusal
	var found []candidate
	if !c.wait(e.operation(l.now.Add(l.lat.Rescan), func() {
		var targets []*target
		if h.status != "up" {
			fail = queryFailed("GetDeviceList execution failed. Exception message: %s", "VDSGenericException: VDSNetworkException: Message timeout which can be caused by communication issues")
			return
		}
		if kind == kindISCSI {
			for _, name := range names {
				if s, no := e.connect(h, name, address, port, in.value("username"), in.value("password")); no == nil {
					targets = append(targets, s.target)
				}
			}
			if len(targets) == 0 {
				fail = queryFailed("%s", "Couldn't connect to the specified targets")
				return
			}
		}
		found = e.candidates(h, kind, targets)
	}, nil)) {
		return nil
	}
	if fail != nil {
		return c.refuse(fail)
	}
	return c.actionDone(nil, func(x *xmlWriter) {
		if len(found) == 0 {
			return // the member is absent then
		}
		x.open("storage_domains")
		for _, k := range found {
			writeCandidate(x, k)
		}
		x.close("storage_domains")
	})
}

func writeCandidate(x *xmlWriter, k candidate) {
	x.open("storage_domain", "id", k.c.id)
	x.text("name", k.c.name)
	x.bool("backup", false)
	x.int("committed", 0)
	x.bool("discard_after_delete", false)
	x.bool("master", k.c.master)
	x.open("storage")
	x.text("type", k.set.Type)
	x.empty("volume_group", "id", volumeGroupID(k.c.id))
	x.close("storage")
	x.text("storage_format", k.c.format)
	x.text("type", "data")
	x.bool("wipe_after_delete", false)
	x.close("storage_domain")
}
