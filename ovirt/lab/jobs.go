package lab

import (
	"slices"
	"strings"
	"time"
)

// job is the record of a command, or of something that an administrator's own tool does (external). Its status, unlike an
// action's, tells of failure.
type job struct {
	id, description, status, correlation string
	started, ended, updated              time.Time
	external                             bool
	kept                                 bool // not auto_cleared: it stays after its end
	owner                                string
	steps                                []*step
}

// step is a part of a job.
type step struct {
	id, description, status, kind string
	parent                        string // id of the step above; "" for one of the job's own
	number                        int    // among its siblings
	started, ended                time.Time
	external                      bool
}

// newJob starts the record of a command: what it validated is done when anybody can see the job (ovirt-engine ExecutionHandler).
func (c *call) newJob(description string) *job {
	now := c.lab.now
	j := &job{id: c.lab.newID(), description: description, status: "started", correlation: c.correlation, started: now, updated: now, owner: c.engine.ownUser().ID}
	j.steps = []*step{
		{id: uuidOf(j.id + "/validating"), description: "Validating", kind: "validating", status: "finished", started: now, ended: now},
		{id: uuidOf(j.id + "/executing"), description: "Executing", kind: "executing", number: 1, status: "started", started: now},
	}
	if c.engine.jobs = append(c.engine.jobs, j); len(c.engine.jobs)%1024 == 0 { // nobody may ever ask for them
		c.engine.purgeJobs()
	}
	return j
}

// doneJob is the record of a command that is over already.
func (c *call) doneJob(description string) *job {
	j := c.newJob(description)
	j.end("finished", c.lab.now)
	return j
}

// end ends a job with its open steps. What has ended stays as it is.
func (j *job) end(status string, now time.Time) {
	if j.status != "started" {
		return
	}
	j.status, j.ended, j.updated = status, now, now
	j.endSteps(status, now)
}

// endAnew is end for a job that may have ended before, in another way.
func (j *job) endAnew(status string, now time.Time) {
	j.status = "started"
	j.end(status, now)
}

func (j *job) endSteps(status string, now time.Time) {
	for _, s := range j.steps {
		if s.status == "started" {
			s.status, s.ended = status, now
		}
	}
}

// cutJobs is what an engine's start does about jobs that nobody works on any more, external ones too: their outcome is unknown. Those
// of starting VMs are dropped (ovirt-engine JobRepositoryImpl.finalizeJobs, job_sp.sql).
func (e *engine) cutJobs() {
	e.jobs = slices.DeleteFunc(e.jobs, func(j *job) bool { return j.status == "started" && strings.HasPrefix(j.description, "Launching VM ") })
	for _, j := range e.jobs {
		j.end("unknown", e.lab.now)
	}
}

// purgeJobs forgets jobs that ended: every ten minutes, those that succeeded ten minutes ago and those that failed an hour ago
// (ovirt-engine JobRepositoryCleanupManager; JobCleanupRateInMinutes, SucceededJobCleanupTimeInMinutes, FailedJobCleanupTimeInMinutes).
func (e *engine) purgeJobs() {
	last := e.lab.now.Truncate(10 * time.Minute)
	e.jobs = slices.DeleteFunc(e.jobs, func(j *job) bool {
		keep := time.Hour
		if j.status == "finished" {
			keep = 10 * time.Minute
		}
		return !j.kept && !j.ended.IsZero() && j.ended.Add(keep).Before(last)
	})
}

func writeJob(x *xmlWriter, j *job) {
	href := apiRoot + "/jobs/" + j.id
	x.open("job", "href", href, "id", j.id)
	x.actions(href, "clear", "end")
	x.text("description", j.description)
	x.links(href, "steps")
	x.bool("auto_cleared", !j.kept)
	if !j.ended.IsZero() {
		x.time("end_time", j.ended)
	}
	x.bool("external", j.external)
	x.time("last_updated", j.updated)
	x.time("start_time", j.started)
	x.text("status", j.status)
	x.ref("owner", "users", j.owner)
	x.close("job")
}

func writeStep(x *xmlWriter, j *job, s *step) {
	steps := apiRoot + "/jobs/" + j.id + "/steps/"
	x.open("step", "href", steps+s.id, "id", s.id)
	x.actions(steps+s.id, "end")
	x.text("description", s.description)
	x.links(steps+s.id, "statistics")
	if !s.ended.IsZero() {
		x.time("end_time", s.ended)
	}
	x.bool("external", s.external)
	x.int("number", int64(s.number))
	x.time("start_time", s.started)
	x.text("status", s.status)
	x.text("type", s.kind)
	x.ref("job", "jobs", j.id)
	if s.parent != "" {
		x.empty("parent_step", "href", steps+s.parent, "id", s.parent)
	}
	x.close("step")
}

// jobSearch knows correlation_id only: anything else is free text over no columns, invalid SQL (ovirt-engine
// JobConditionFieldAutoCompleter).
var jobSearch = &searchSpec[*job]{
	fields: map[string]searchField[*job]{"correlation_id": text(func(j *job) string { return j.correlation })},
}

func (c *call) routeJobs(s []string) *reply {
	e := c.engine
	e.purgeJobs()
	if c.req.Method == "POST" && len(s) == 2 && (s[1] == "end" || s[1] == "clear") {
		return c.postJobAction(find(e.jobs, func(j *job) bool { return j.id == s[0] }), s[1])
	}
	return serve(c, s, rest[*job]{root: "jobs", all: e.jobs, id: func(j *job) string { return j.id }, write: writeJob, search: jobSearch,
		add: c.postJob,
		sub: func(j *job, s []string) *reply {
			if s[0] != "steps" {
				return nil
			}
			return c.routeSteps(j, s[1:])
		}})
}

// postJob adds an external job (ovirt-engine BackendJobsResource.add, AddExternalJobCommand). Unless asked otherwise, it stays until
// it is cleared.
func (c *call) postJob() *reply {
	doc, r := c.parse("job")
	if r != nil {
		return c.refuse(r)
	}
	auto, _, r := doc.flag("auto_cleared")
	switch {
	case r != nil:
		return c.refuse(r)
	case doc.value("description") == "":
		return c.refuse(incomplete("Job", "description", "add"))
	}
	now := c.lab.now
	j := &job{id: c.lab.newID(), description: doc.value("description"), status: "started", correlation: c.correlation, started: now, updated: now,
		external: true, kept: !auto, owner: c.engine.ownUser().ID}
	c.engine.jobs = append(c.engine.jobs, j)
	c.effect("add external job %s", j.description)
	return c.created("/jobs/"+j.id, func(x *xmlWriter) { writeJob(x, j) })
}

// postJobAction ends or clears an external job. Its open steps end as it does: force finds none to abort any more, and makes the job
// auto_cleared, as clearing does. Such a job goes with the next purge after its end (ovirt-engine EndExternalJobCommand,
// ExecutionHandler.endJob, ClearExternalJobCommand).
func (c *call) postJobAction(j *job, what string) *reply {
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	succeeded, force := true, false
	for _, m := range []struct {
		name string
		into *bool
	}{{"succeeded", &succeeded}, {"force", &force}} {
		v, set, r := doc.flag(m.name)
		if r != nil {
			return c.refuse(r)
		}
		if set {
			*m.into = v
		}
	}
	switch {
	case j == nil:
		return c.refuse(bad("Cannot Clear External Job. Job not found."))
	case !j.external:
		return c.refuse(bad("Cannot Clear External Job. External steps can be added only to external jobs or steps."))
	}
	c.effect("%s external job %s", what, j.description)
	if what == "clear" {
		j.kept = false
		return c.actionDone(nil, func(x *xmlWriter) { x.ref("job", "jobs", j.id) })
	}
	j.kept = j.kept && !force
	j.endAnew(map[bool]string{true: "finished", false: "failed"}[succeeded], c.lab.now)
	return c.actionDone(nil, func(x *xmlWriter) { x.ref("job", "jobs", j.id) })
}

func (c *call) routeSteps(j *job, s []string) *reply {
	if c.req.Method == "POST" && len(s) == 2 && s[1] == "end" {
		return c.postEndStep(j, find(j.steps, func(t *step) bool { return t.id == s[0] }))
	}
	write := func(x *xmlWriter, t *step) { writeStep(x, j, t) }
	return serve(c, s, rest[*step]{root: "steps", all: j.steps, id: func(t *step) string { return t.id }, write: write,
		add: func() *reply { return c.postStep(j, write) },
		sub: func(_ *step, s []string) *reply {
			if s[0] == "statistics" && len(s) == 1 {
				return newXML("statistics").reply(200)
			}
			return nil
		}})
}

// stepKinds are those that a request may name; the last two belong to Gluster.
var stepKinds = []string{"validating", "executing", "finalizing", "rebalancing_volume", "removing_bricks", "unknown"}

// postStep adds a step to an external job or below one of its steps (ovirt-engine BackendStepsResource.add, AddExternalStepCommand).
func (c *call) postStep(j *job, write func(*xmlWriter, *step)) *reply {
	doc, r := c.parse("step")
	if r != nil {
		return c.refuse(r)
	}
	t := &step{description: doc.value("description"), kind: doc.value("type"), status: "started", started: c.lab.now, external: true}
	if t.kind == "" || t.description == "" {
		return c.refuse(incomplete("Step", "type, description", "add"))
	}
	if !slices.Contains(stepKinds, t.kind) {
		return c.refuse(invalidValue("type", t.kind))
	}
	if p := doc.child("parent_step"); p != nil {
		if t.parent = p.attr("id"); t.parent == "" {
			return c.refuse(incomplete("Step", "parentStep.id", "add"))
		}
		above := find(j.steps, func(o *step) bool { return o.id == t.parent })
		switch {
		case above == nil:
			return c.refuse(bad("Cannot add External Step. Step should be a child of the Job or other Step."))
		case !above.external:
			return c.refuse(bad("Cannot add External Step. External steps can be added only to external jobs or steps."))
		}
	}
	if !j.external {
		return c.refuse(bad("Cannot add External Step. External steps can be added only to external jobs or steps."))
	}
	for _, o := range j.steps {
		if o.parent == t.parent {
			t.number++
		}
	}
	t.id = c.lab.newID()
	j.steps = append(j.steps, t)
	j.updated = c.lab.now
	c.effect("add external step %s", t.description)
	return c.created("/jobs/"+j.id+"/steps/"+t.id, func(x *xmlWriter) { write(x, t) })
}

// postEndStep ends a step and not those below it. One that failed takes its whole job along, with all steps that are open (ovirt-engine
// EndExternalStepCommand, ExecutionHandler.endStep).
func (c *call) postEndStep(j *job, t *step) *reply {
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	succeeded, set, r := doc.flag("succeeded")
	switch {
	case r != nil:
		return c.refuse(r)
	case t == nil:
		return c.refuse(bad("Cannot ${action} ${type}. Step not found."))
	case !t.external:
		return c.refuse(bad("Cannot ${action} ${type}. External steps can be added only to external jobs or steps."))
	}
	t.status, t.ended, j.updated = "finished", c.lab.now, c.lab.now
	if set && !succeeded {
		t.status = "failed"
		j.endAnew("failed", c.lab.now)
	}
	c.effect("end external step %s", t.description)
	return c.actionDone(nil, nil)
}
