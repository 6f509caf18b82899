package lab

import (
	"fmt"
	"sort"
	"time"
)

// Disaster takes a site's power: its engine no longer answers, its hosts and the VMs on them stop at once, its array is off and
// what it replicates stops with the lag.
func (l *Lab) Disaster(site string) error {
	l.lock()
	defer l.mu.Unlock()
	e := l.engine(site)
	if e == nil {
		return fmt.Errorf("disaster: no site %q", site)
	}
	l.disaster(e)
	return nil
}

func (l *Lab) disaster(e *engine) {
	if e.disaster {
		return
	}
	site := e.name
	e.disaster = true
	for _, told := range e.lab.dark {
		told(e.name)
	}
	e.stop()
	for _, x := range l.exports {
		if x.Site == site {
			x.online = false
		}
	}
	for _, p := range l.pairs {
		if p.state == replicating && (!p.source.online || !p.target.online) {
			p.state, p.stoppedAt = stopped, l.now
		}
	}
	for _, h := range e.hosts {
		e.cutPower(h)
		if h.status != "maintenance" { // such a host is not looked at
			h.status = "non_responsive"
		}
		e.unknown(h)
	}
	for _, dc := range e.dcs {
		e.refreshDC(dc)
	}
	l.storageChanged()
}

// Outage stops only the engine of a site: it no longer answers, while its hosts, VMs and storage work on. Heal ends it.
func (l *Lab) Outage(site string) error {
	l.lock()
	defer l.mu.Unlock()
	e := l.engine(site)
	if e == nil {
		return fmt.Errorf("outage: no site %q", site)
	}
	e.stop()
	return nil
}

// Heal gives a site its power back: the array is there at once, the engine and the hosts after the time that they need to
// start. Then the engine finds its VMs down and restarts the highly available ones whose storage domain is still attached there
// and writable: it knows nothing of a failover. Hosts that a fault took away, from power, engine, BMC or storage, come back too.
// Nothing is replicated or promoted by it.
func (l *Lab) Heal(site string) error {
	l.lock()
	defer l.mu.Unlock()
	e := l.engine(site)
	if e == nil {
		return fmt.Errorf("heal: no site %q", site)
	}
	e.disaster = false
	for _, x := range l.exports {
		if x.Site == site {
			x.online = true
		}
	}
	for _, h := range e.hosts {
		e.mend(h)
		if h.alive {
			continue
		}
		h.powered = true
		h.seq++
		seq, powered := h.seq, l.now
		l.after(l.lat.HostBoot, func() {
			if h.seq == seq {
				h.alive, h.booted = true, powered
				e.hostSeen(h)
			}
		})
	}
	if !e.answers {
		e.start(l.lat.EngineStart)
	}
	l.storageChanged()
	for _, o := range l.engines {
		o.resumeStalled()
	}
	return nil
}

// stop ends the engine process. Operations under way are cut and compensated at the next start.
func (e *engine) stop() {
	if !e.answers {
		return
	}
	e.answers = false
	close(e.dead)
	e.forgetSessions()
	var cut []*op
	for _, o := range e.lab.queue {
		if o.engine == e && !o.dropped {
			cut = append(cut, o)
		}
	}
	sort.Slice(cut, func(i, j int) bool { return cut[i].seq < cut[j].seq })
	for _, o := range cut {
		o.dropped = true
	}
	for _, o := range cut {
		if o.abort != nil {
			o.abort()
		}
	}
	e.locked = map[string]bool{}
	e.registering = newResource(e.lab.lat.RegSlots)
	for _, dc := range e.dcs {
		dc.busy, dc.work = false, newResource(e.lab.lat.SPMSlots)
		dc.electing, dc.contender = false, nil
	}
	for _, v := range e.vms {
		v.busy, v.busyWith = false, ""
	}
	for _, told := range e.lab.down {
		told(e.name)
	}
}

// start lets the engine answer again after a while, with no session, and take up what it finds.
func (e *engine) start(d time.Duration) {
	dead := e.dead
	e.lab.after(d, func() {
		if e.answers || e.disaster || e.dead != dead {
			return
		}
		e.answers, e.dead, e.started = true, make(chan struct{}), e.lab.now
		e.cutJobs()
		e.event(eventEngineStarted, "normal", "Starting oVirt Engine.", refs{})
		e.scheduleOVF()
		for _, h := range e.hosts {
			if h.alive && !h.isolated && h.status != "up" && h.status != "maintenance" {
				e.hostSeen(h)
			}
		}
		// The storage pool is looked at every 10 s: what an operation that was cut left unknown becomes what it is (IrsProxy).
		e.operation(e.lab.now.Add(10*time.Second), func() {
			for _, dc := range e.dcs {
				e.refreshDC(dc)
			}
		}, nil)
		// The engine takes up at its start all HA VMs that ended by an error (ovirt-engine HaAutoStartVmsRunner).
		e.restartAll(e.vms)
	})
}

// restart is a quick restart of the engine process alone.
func (e *engine) restart() {
	if !e.answers {
		return
	}
	e.stop()
	e.start(e.lab.lat.EngineStart)
}

// killVMs ends the VMs of a host that lost its power. The engine does not know it yet.
func (e *engine) killVMs(h *host) {
	e.lab.endStrays(h)
	for _, v := range e.vms {
		if v.host != h {
			continue
		}
		v.seq++
		v.running = false
		e.closeDisks(v)
	}
}

// dropHost takes the power of one host away: its VMs are gone. The engine sees it connecting, then non_responsive, and its VMs
// unknown; nothing else happens until it is back.
func (e *engine) dropHost(h *host) {
	if !h.alive {
		return
	}
	h.powered, h.alive, h.isolated, h.lost = false, false, false, true
	e.killVMs(h)
	e.silence(h)
}

// hostSeen is the engine finding a host that answers again: empty after its boot, or with VMs that ran on.
func (e *engine) hostSeen(h *host) {
	if !e.answers || h.status == "maintenance" {
		return
	}
	if dc := h.cluster.dc; h.lost && dc.spm == h {
		dc.spm = nil // the role went with the power
	}
	h.lost = false
	if names := e.unreachable(h); len(names) > 0 { // (ovirt-engine InitVdsOnUpCommand)
		if h.status != "non_operational" {
			e.nonOperational(h, names)
		}
	} else {
		h.status = "up"
		e.event(eventHostUp, "normal", "Status of host "+h.Name+" was set to Up.", refs{host: h})
		e.refreshDC(h.cluster.dc)
	}
	e.adopt(h)
	var ended []*vm
	for _, v := range e.vms {
		if v.host != h {
			continue
		}
		if v.running {
			v.reappear(e.lab.now)
			continue
		}
		e.down(v, true, "VM "+v.name+" is down with error. Exit message: Lost connection with qemu process: host was rebooted.", "")
		ended = append(ended, v)
	}
	e.restartAll(ended)
}

// refreshStatus recomputes the status of a data center that has an SPM.
func (e *engine) refreshStatus(dc *dataCenter) {
	switch m := e.master(dc); {
	case m == nil:
		dc.status = "uninitialized"
	case m.status == "active":
		dc.status = "up"
	case m.status == "maintenance" || m.status == "locked" || m.status == "preparing_for_maintenance":
		dc.status = "maintenance"
	default:
		dc.status = "problematic"
	}
}

// storageChanged lets the engines notice, in their time, that storage came or went (ovirt-engine StorageDomainFailureTimeout).
func (l *Lab) storageChanged() {
	for _, e := range l.engines {
		for _, d := range e.domains {
			d.inactive++
			seen, ok := d.inactive, d.export.online && d.export.writable
			switch {
			case (d.status == "active" || d.status == "unknown") && !ok:
				l.after(l.lat.Inactive, func() {
					if d.inactive == seen && (d.status == "active" || d.status == "unknown" && len(e.upHosts(d.dc)) > 0) {
						e.lose(d)
					}
				})
			case d.status == "inactive" && ok:
				l.after(l.lat.HARetry, func() {
					if d.inactive == seen && d.status == "inactive" && len(e.upHosts(d.dc)) > 0 {
						d.status = "active"
						e.ownMaster(d)
						e.refreshDC(d.dc)
					}
				})
			}
		}
	}
}
