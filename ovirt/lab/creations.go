package lab

import (
	"bytes"
	"net/http"
	"strings"
)

// creation is the task of a host that an engine waits for while the object which it makes can be read already.
type creation struct {
	id   string
	done *op
}

// creating answers 202 with a new object on which a host still works, with its creation_status and a link to that of the task; with
// the header Expect: 201-created it waits and answers 201 (ovirt-engine AbstractBackendCollectionResource.fetchCreatedEntity,
// handleAsynchrony).
func (c *call) creating(path string, task *op, write func(*xmlWriter)) *reply {
	if strings.EqualFold(c.req.Header.Get("Expect"), "201-created") {
		if !c.wait(task) {
			return nil
		}
		return c.created(path, write)
	}
	k := &creation{id: c.lab.newID(), done: task}
	c.engine.creations = append(c.engine.creations, k)
	answer := c.created(path, write)
	answer.status, answer.header = http.StatusAccepted, nil
	x := &xmlWriter{depth: 1}
	x.link(apiRoot+path+"/creation_status/"+k.id, "creation_status")
	x.text("creation_status", "pending")
	at := bytes.LastIndex(answer.body, []byte("</"))
	answer.body = append(append(append([]byte{}, answer.body[:at]...), x.b...), answer.body[at:]...)
	return answer
}

// getCreation serves the state of such a task; nil for any other path.
func (c *call) getCreation() *reply {
	n := len(c.segments)
	if n < 4 || c.segments[n-2] != "creation_status" || !c.reading() {
		return nil
	}
	for _, k := range c.engine.creations {
		if k.id == c.segments[n-1] {
			x := newDocument()
			x.open("creation", "href", apiRoot+"/"+strings.Join(c.segments, "/"), "id", k.id)
			x.text("status", map[bool]string{true: "complete", false: "in_progress"}[k.done.finished])
			x.close("creation")
			return x.reply(http.StatusOK)
		}
	}
	return nil
}
