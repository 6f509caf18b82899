package lab

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// An action answers with the object that it received, in which some members are set: the members of its base class come first, then
// its own by name (ovirt-engine AbstractBackendActionableResource.doAction; ovirt-engine-api-metamodel SchemaGenerator).

// actionBase are the members of the base class, in their order.
var actionBase = []string{"actions", "name", "description", "comment", "creation_status", "link"}

// echo writes the action as it was received with what set writes in place of members of the same name.
func (c *call) echo(set func(*xmlWriter)) *xmlWriter {
	x := newDocument()
	x.open("action")
	set(x)
	x.close("action")
	doc, err := parseXML(x.b)
	if err != nil {
		return x
	}
	if c.action != nil {
		for _, k := range c.action.children {
			if doc.child(k.name) == nil || k.name == "link" {
				doc.children = append(doc.children, k)
			}
		}
	}
	slices.SortStableFunc(doc.children, func(a, b *node) int {
		return cmp.Or(cmp.Compare(baseRank(a.name), baseRank(b.name)), strings.Compare(a.name, b.name))
	})
	x = newDocument()
	x.open("action")
	doc.write(x)
	x.close("action")
	return x
}

func baseRank(name string) int {
	if i := slices.Index(actionBase, name); i >= 0 {
		return i
	}
	return len(actionBase)
}

// freshActions answer with an object of their own, without an echo, and their faults stand alone: they go the way that removals go
// (ovirt-engine BackendResource.performAction; BackendStorageDomainResource, BackendDataCenterResource, BackendVmBackupResource).
var freshActions = []string{"updateovfstore", "reduceluns", "refreshluns", "isattached", "setmaster", "cleanfinishedtasks"}

func (c *call) freshAction() bool {
	n := len(c.segments)
	return n > 0 && (slices.Contains(freshActions, c.segments[n-1]) || c.segments[n-1] == "finalize" && n > 3 && c.segments[n-3] == "backups")
}

// nonBlocking reports whether the client does not want to wait for a command: with the parameter async, or with an expectation, whose
// standard header the web server drops (ovirt-engine BackendResource.performAction, ExpectationHelper; ovirt-engine-proxy.conf.v2.in).
// Only removals and actions of that way obey; isattached is no command.
func (c *call) nonBlocking() bool {
	if c.req.Method != http.MethodDelete && (c.req.Method != http.MethodPost || !c.freshAction() || c.segments[len(c.segments)-1] == "isattached") {
		return false
	}
	return c.flagParam("async") || slices.Contains(c.req.Header.Values("X-Ovirt-Expect"), "202-accepted")
}

// accepted starts a command and answers 202 without a document. What refuses the command is lost with it; that there is no such object
// is found before (ovirt-engine BackendResource.performNonBlockingAction).
func (c *call) accepted() *reply {
	c.async = true
	answer := c.route()
	if answer != nil && (answer.status == http.StatusNotFound || answer.status == http.StatusMethodNotAllowed) {
		return answer
	}
	return &reply{status: http.StatusAccepted}
}
