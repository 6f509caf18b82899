package lab

import "time"

// job is the record of a command. Its status, unlike an action's, tells of failure.
type job struct {
	id, description, status, correlation string
	started, ended                       time.Time
}

func (c *call) newJob(description string) *job {
	j := &job{id: c.lab.newID(), description: description, status: "started", correlation: c.correlation, started: c.lab.now}
	c.engine.jobs = append(c.engine.jobs, j)
	return j
}

// doneJob is the record of a command that is over already.
func (c *call) doneJob(description string) *job {
	j := c.newJob(description)
	j.end("finished", c.lab.now)
	return j
}

func (j *job) end(status string, now time.Time) { j.status, j.ended = status, now }

func writeJob(x *xmlWriter, j *job) {
	x.open("job", "href", apiRoot+"/jobs/"+j.id, "id", j.id)
	x.text("description", j.description)
	x.bool("auto_cleared", true)
	if !j.ended.IsZero() {
		x.time("end_time", j.ended)
	}
	x.bool("external", false)
	x.time("last_updated", maxTime(j.started, j.ended))
	x.time("start_time", j.started)
	x.text("status", j.status)
	x.close("job")
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// jobSearch knows correlation_id only: anything else is free text over no columns, invalid SQL (ovirt-engine
// JobConditionFieldAutoCompleter).
var jobSearch = &searchSpec[*job]{
	less:   sortable[*job],
	fields: map[string]searchField[*job]{"correlation_id": text(func(j *job) string { return j.correlation })},
}

func (c *call) getJobs() *reply { return list(c, "jobs", jobSearch, c.engine.jobs, writeJob) }

func (c *call) getJob(id string) *reply {
	j := find(c.engine.jobs, func(j *job) bool { return j.id == id })
	if j == nil {
		return c.notFound()
	}
	return single(j, writeJob)
}
