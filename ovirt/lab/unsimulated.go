package lab

import (
	"net/http"
	"slices"
	"strings"
)

// What an engine can do and the lab, on purpose, cannot. Such a call is answered with 501, which no engine gives, and a fault that
// says why: a client that needs it is not to take the lab's silence for the engine's answer. The other actions that a document lists
// and the lab does not have are answered in the same way (see route).

const (
	noData     = "no bytes of disks are in the lab, a counter stands for them"
	noHardware = "a site's hosts, networks and pools are those of the world"
	noSoftware = "hosts have no packages, certificates and consoles in the lab"
)

// unsimulated are those calls; * stands for an id.
var unsimulated = []struct{ method, path, why string }{
	{"POST", "vms/*/backups", noData},
	{"DELETE", "vms/*/checkpoints/*", noData},
	{"POST", "imagetransfers", noData},
	{"POST", "disks/*/move", noData},
	{"POST", "disks/*/copy", noData},
	{"POST", "disks/*/export", noData},
	{"POST", "disks/*/sparsify", noData},
	{"POST", "disks/*/convert", noData},
	{"POST", "disks/*/reduce", noData},
	{"POST", "disks/*/refreshlun", noData},
	{"POST", "vms/*/export", noData},
	{"POST", "vms/*/clone", noData},
	{"POST", "templates/*/export", noData},
	{"POST", "templates", noData},
	{"POST", "vms", noData},
	{"POST", "vmpools", noData},
	{"POST", "datacenters", noHardware},
	{"PUT", "datacenters/*", noHardware},
	{"DELETE", "datacenters/*", noHardware},
	{"POST", "clusters", noHardware},
	{"PUT", "clusters/*", noHardware},
	{"DELETE", "clusters/*", noHardware},
	{"POST", "networks", noHardware},
	{"PUT", "networks/*", noHardware},
	{"DELETE", "networks/*", noHardware},
	{"POST", "datacenters/*/networks", noHardware},
	{"POST", "clusters/*/networks", noHardware},
	{"POST", "vnicprofiles", noHardware},
	{"PUT", "vnicprofiles/*", noHardware},
	{"DELETE", "vnicprofiles/*", noHardware},
	{"POST", "networks/*/vnicprofiles", noHardware},
	{"POST", "hosts", noHardware},
	{"DELETE", "hosts/*", noHardware},
	{"POST", "hosts/*/setupnetworks", noHardware},
	{"POST", "hosts/*/install", noSoftware},
	{"POST", "hosts/*/upgrade", noSoftware},
	{"POST", "hosts/*/enrollcertificate", noSoftware},
}

// whyNot is why a call is among the unsimulated, "" when it is not.
func whyNot(method string, segments []string) string {
	for _, u := range unsimulated {
		if u.method == method && slices.EqualFunc(strings.Split(u.path, "/"), segments, func(want, have string) bool { return want == "*" || want == have }) {
			return u.why
		}
	}
	return ""
}

// unavailable answers 501, or 404 where what it is asked of does not exist; nil where the call is no engine's either.
func (c *call) unavailable() *reply {
	n, name := len(c.segments), "this request"
	why := whyNot(c.req.Method, c.segments)
	object := c.segments[:n-n%2] // of the action or collection, or the one that is changed
	switch {
	case why != "" && len(object) > 0 && c.document(object) == nil:
		return c.notFound()
	case why == "" && (c.req.Method != http.MethodPost || !c.listsAction()):
		return nil
	}
	if c.req.Method == http.MethodPost && c.listsAction() {
		name = "the action " + c.segments[n-1]
		if _, r := c.startAction(); r != nil {
			return c.refuse(r)
		}
	}
	if why != "" {
		why = ": " + why
	}
	return c.refuse(&refusal{status: http.StatusNotImplemented, reason: "Operation Failed", detail: "[The lab does not simulate " + name + why + ".]"})
}

// document reads what a path leads to, nil when that is nothing.
func (c *call) document(path []string) *node {
	read := *c
	read.req = c.req.Clone(c.ctx)
	read.req.Method = http.MethodGet
	read.segments, read.params = slices.Clone(path), nil
	answer := read.routed()
	if answer == nil || answer.status != http.StatusOK {
		return nil
	}
	doc, err := parseXML(answer.body)
	if err != nil {
		return nil
	}
	return doc
}

// listsAction reports whether the path is an action that the document of its object lists.
func (c *call) listsAction() bool {
	n := len(c.segments)
	if n < 3 || n%2 == 0 {
		return false
	}
	doc := c.document(c.segments[:n-1])
	return doc != nil && slices.ContainsFunc(doc.child("actions").all("link"), func(l *node) bool { return l.attrs["rel"] == c.segments[n-1] })
}
