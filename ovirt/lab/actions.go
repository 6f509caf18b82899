package lab

import (
	"net/http"
	"slices"
)

// An object's document lists the actions that an engine has for it, of which the lab does some. For the others it says so, with a
// status that no engine gives: a client that needs one is not to take the lab's silence for the engine's answer.

// route sends a request of the API to what serves it.
func (c *call) route() *reply {
	answer := c.routed()
	if c.req.Method == http.MethodPost && answer != nil && c.action == nil &&
		(answer.status == http.StatusNotFound || answer.status == http.StatusMethodNotAllowed) && c.listsAction() {
		name := c.segments[len(c.segments)-1]
		if _, r := c.startAction(); r != nil {
			return c.refuse(r)
		}
		return c.refuse(&refusal{status: http.StatusNotImplemented, reason: "Operation Failed", detail: "[The lab does not simulate the action " + name + ".]"})
	}
	return answer
}

// listsAction reports whether the path is an action that the document of its object lists.
func (c *call) listsAction() bool {
	n := len(c.segments)
	if n < 3 || n%2 == 0 {
		return false
	}
	read := *c
	read.req = c.req.Clone(c.ctx)
	read.req.Method = http.MethodGet
	read.segments, read.params = slices.Clone(c.segments[:n-1]), nil
	answer := read.routed()
	if answer == nil || answer.status != http.StatusOK {
		return false
	}
	doc, err := parseXML(answer.body)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(doc.child("actions").all("link"), func(l *node) bool { return l.attrs["rel"] == c.segments[n-1] })
}
