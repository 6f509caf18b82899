package lab

import (
	"net/http"
	"strings"
	"time"
)

// happen carries out a rule of a kind that changes the world, after its delay. What the rule names was checked when it was added.
func (l *Lab) happen(r *faultRule, f Firing) {
	rule := r.Fault
	do := func() {
		f.Time = l.now
		r.note(f)
		switch rule.Kind {
		case FaultEngine:
			for _, e := range l.engines {
				if rule.Site == "" || e.name == rule.Site {
					e.restart()
				}
			}
		case FaultSiteDown:
			l.disaster(l.engine(rule.Site))
		case FaultStorageDown:
			l.dropExport(l.export(rule.Export))
		default:
			l.failHost(rule)
		}
	}
	if rule.Delay > 0 {
		l.after(rule.Delay, do)
		return
	}
	do()
}

// failHost does what a rule says of one host: the first of that name, in the order of the sites.
func (l *Lab) failHost(rule Fault) {
	for _, e := range l.engines {
		h := find(e.hosts, func(h *host) bool {
			return (rule.Site == "" || e.name == rule.Site) && (h.ID == rule.Subject || h.Name == rule.Subject)
		})
		if h == nil {
			continue
		}
		switch rule.Kind {
		case FaultHostDown:
			e.dropHost(h)
		case FaultHostIsolated:
			e.isolate(h)
		case FaultHostBMC:
			h.bmcSilent = true
		case FaultHostBlind:
			e.blindfold(h, l.export(rule.Export))
		}
		return
	}
}

// dropExport is the loss of one export while everything else runs on: guests that write to it get I/O errors and pause (vdsm,
// libvirt's on_error=stop), a replication from or to it stops, and the engines notice in their time.
func (l *Lab) dropExport(x *export) {
	if !x.online {
		return
	}
	x.online = false
	for _, p := range l.pairs {
		if p.state == replicating && (p.source == x || p.target == x) {
			p.state, p.stoppedAt = stopped, l.now
		}
	}
	for _, e := range l.engines {
		for _, v := range e.vms {
			if v.running && v.status != "paused" && e.uses(v, x) {
				e.pause(v)
				if l.stalled == nil {
					l.stalled = map[*vm]*export{}
				}
				l.stalled[v] = x
				e.event(eventPausedEIO, "error", "VM "+v.name+" has been paused due to storage I/O problem.", refs{vm: v, host: v.host})
				e.killPaused(v)
			}
		}
	}
	l.storageChanged()
}

// killPausedAfter is how long a host leaves a VM paused that is to be killed for it (vdsm vars.vm_kill_paused_time).
const killPausedAfter = 30 * time.Second

// killPaused ends a highly available VM with a lease that stays paused: its lease may be needed elsewhere.
func (e *engine) killPaused(v *vm) {
	if !v.ha || v.leaseDomainID == "" {
		return
	}
	seq := v.seq
	e.lab.after(killPausedAfter, func() {
		if v.seq != seq || v.status != "paused" {
			return
		}
		delete(e.lab.stalled, v)
		e.down(v, true, "VM "+v.name+" is down with error. Exit message: VM has been killed because of a storage I/O error.", "")
		e.restartAll([]*vm{v})
	})
}

// resumeStalled lets the VMs of a site go on that paused for storage that is back (vdsm Vm.maybe_resume, auto_resume).
func (e *engine) resumeStalled() {
	for _, v := range e.vms {
		x := e.lab.stalled[v]
		if x == nil || !x.online {
			continue
		}
		delete(e.lab.stalled, v)
		if v.status != "paused" || !v.running || !x.writable {
			continue
		}
		v.seq++
		v.status = "up"
		e.openDisks(v)
		e.event(eventResumed, "normal", "VM "+v.name+" has recovered from paused back to up.", refs{vm: v, host: v.host})
	}
}

// isAction reports whether a request is an action on an object, by its place.
func isAction(r *http.Request) bool {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, apiRoot), "/"), "/")
	return r.Method == http.MethodPost && len(parts)%2 == 1 && len(parts) >= 3
}

// failedActions are the events of actions that failed behind an answer that says complete (ovirt-engine AuditLogType, AuditLogMessages.properties).
var failedActions = map[string]struct {
	code int
	text string
}{
	"start":      {54, "Failed to run VM {subject} (User: {user})."},
	"stop":       {56, "Failed to power off VM {subject} (Host: {host}, User: {user})."},
	"shutdown":   {74, "Failed to initiate shutdown on VM {subject} (Host: {host}, User: {user})."},
	"register":   {eventImportFailed, "Failed to import Vm {subject} to Data Center {dc}, Cluster {cluster}"},
	"activate":   {eventActivateFailed, "Failed to activate Storage Domain {subject} (Data Center {dc}) by {user}"},
	"deactivate": {eventDeactivateFailed, "Failed to deactivate Storage Domain {subject} (Data Center {dc})."},
}

// failJob answers an action as done, does nothing of it, and leaves a job that has failed: the poll of the REST layer takes every end
// of a job for complete (ovirt-engine AbstractBackendActionableResource, BackendJobHelper).
func (c *call) failJob() *reply {
	if _, no := c.startAction(); no != nil {
		return c.refuse(no)
	}
	name := c.segments[len(c.segments)-1]
	subject, dc, host, cluster := c.segments[len(c.segments)-2], "", "", ""
	if v := c.engine.vm(subject); v != nil {
		subject, dc, cluster = v.name, v.cluster.dc.Name, v.cluster.Name
		if v.host != nil {
			host = v.host.Name
		}
	} else if d := c.engine.domain(subject); d != nil {
		subject = d.name
		if d.dc != nil {
			dc = d.dc.Name
		}
	}
	j := c.newJob(strings.ToUpper(name[:1]) + name[1:] + " " + subject)
	j.end("failed", c.lab.now)
	if e, known := failedActions[name]; known {
		text := strings.NewReplacer("{subject}", subject, "{dc}", dc, "{host}", host, "{cluster}", cluster, "{user}", c.engine.userName()).Replace(e.text)
		c.engine.event(e.code, "error", text, refs{correlation: c.correlation, user: c.engine.userName()})
	}
	return c.actionDone(j, nil)
}
