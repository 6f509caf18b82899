package lab

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// openDisks lets a VM's guest write to its disks, closeDisks ends it.
func (e *engine) openDisks(v *vm) {
	for _, a := range v.disks {
		e.openDisk(v, a)
	}
}

// openDisk lets the guest write to one of its disks.
func (e *engine) openDisk(v *vm, a *attachment) {
	if !a.active {
		return
	}
	if a.disk.lun != nil {
		if u := e.lab.lun(a.disk.lun.id); u != nil {
			e.lab.raw(u)
		}
	}
	for _, p := range e.places(a.disk) {
		if p.export.copy == nil {
			continue
		}
		k := p.export.copy.counter(p.key)
		k.begin(e.lab.now)
		v.writing = append(v.writing, k)
	}
}

func (e *engine) closeDisks(v *vm) {
	for _, k := range v.writing {
		k.end(e.lab.now)
	}
	v.writing = nil
}

// statusWords spells a status as the engine's messages do.
func statusWords(status string) string {
	words := strings.Split(status, "_")
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

// canRun is the validation before a start (ovirt-engine RunVmValidator). It returns the host that was chosen.
func (e *engine) canRun(v *vm) (*host, *refusal) {
	switch {
	case v.busy || v.status == "image_locked":
		return nil, conflict("Cannot run VM. VM %s is locked. Please try again later.", v.name)
	case v.status == "up" || v.status == "powering_up" || v.status == "wait_for_launch":
		return nil, conflict("Cannot run VM. VM %s is running.", v.name)
	case v.duringBackup():
		return nil, isDuringBackup("run VM")
	case v.status != "down" && v.status != "suspended":
		return nil, conflict("Cannot run VM because the VM is in %s status.", statusWords(v.status))
	case len(v.disks) == 0:
		return nil, conflict("Cannot run VM without at least one bootable disk.")
	}
	if locked := v.disksIn("locked"); locked != "" {
		return nil, conflict("Cannot run VM: The following disks are locked: %s. Please try again in a few minutes.", locked)
	}
	if illegal := v.disksIn("illegal"); illegal != "" { // DATA_CORRUPTION (ovirt-engine EngineMessage)
		no := conflict("Cannot run VM. The following attached disks are in ILLEGAL status: %s - please remove them and try again.", illegal)
		no.status = http.StatusInternalServerError
		return nil, no
	}
	for _, a := range v.disks {
		for _, d := range a.disk.domains {
			if d.status != "active" {
				return nil, conflict("Cannot run VM. The relevant Storage Domain's status is %s.", statusWords(d.status))
			}
		}
	}
	if v.leaseDomainID != "" {
		if d := e.domain(v.leaseDomainID); d == nil || d.status != "active" {
			return nil, conflict("Cannot run VM. The storage domain of the VM lease is not active.")
		}
	}
	for _, n := range v.nics {
		p := e.profile(n.profileID)
		if p == nil || !n.plugged {
			continue
		}
		network := e.network(p.NetworkID)
		switch {
		case !e.carries(v.cluster, p.NetworkID):
			return nil, conflict("Cannot run VM. The following networks do not exist in the cluster: %s.", network.Name)
		case !network.VM:
			return nil, conflict("Cannot run VM. The network %s is not a VM network.", network.Name)
		}
	}
	if v.cluster.dc.status != "up" {
		return nil, conflict("Cannot run VM. The relevant Data Center's status is not up.")
	}
	return e.schedule(v)
}

// carries reports whether a cluster carries a network.
func (e *engine) carries(c *cluster, networkID string) bool {
	for _, id := range c.NetworkIDs {
		if id == networkID {
			return true
		}
	}
	return false
}

// mayRunOn reports whether a VM is not pinned elsewhere.
func (v *vm) mayRunOn(h *host) bool { return len(v.pinnedTo) == 0 || slices.Contains(v.pinnedTo, h.ID) }

// schedule chooses the host with the most free memory.
func (e *engine) schedule(v *vm) (*host, *refusal) {
	free := map[*host]int64{}
	for _, o := range e.vms {
		if o.host != nil && o.status != "down" {
			free[o.host] -= o.memory
		}
	}
	var best *host
	var why []string
	for _, h := range e.hosts {
		if h.cluster != v.cluster || h.status != "up" || !v.mayRunOn(h) {
			continue
		}
		free[h] += h.Memory
		if free[h] < v.memory {
			why = append(why, fmt.Sprintf("The host %s did not satisfy internal filter Memory because its available memory is too low to run the VM.", h.Name))
			continue
		}
		if best == nil || free[h] > free[best] {
			best = h
		}
	}
	switch {
	case best != nil:
		return best, nil
	case len(why) > 0:
		return nil, conflict("Cannot run VM. There is no host that satisfies current scheduling constraints. See below for details:, %s", strings.Join(why, ", "))
	}
	return nil, conflict("Cannot run VM. There are no hosts to use. Check that the cluster contains at least one host in Up state.")
}

// launch starts a VM on a host: wait_for_launch, powering_up, up, and the guest agent a while later. That the engine accepted it
// says nothing: what fails on the host brings the VM back to down, with event 119.
func (e *engine) launch(v *vm, h *host, correlation, user string) {
	l := e.lab
	v.seq++
	seq := v.seq
	rising := "powering_up"
	if v.status == "suspended" {
		rising = "restoring_state"
	}
	v.status, v.host, v.exitError = "wait_for_launch", h, false
	v.startTime, v.startedAt, v.upAt = l.now, l.now, time.Time{}
	by := ""
	if user != "" {
		by = " by " + user
	}
	e.event(eventVMStart, "normal", fmt.Sprintf("VM %s was started%s (Host: %s).", v.name, by, h.Name), refs{vm: v, host: h, correlation: correlation, user: user})
	boots := !e.meets(FaultVMBoot, v.id, v.name)
	l.after(l.lat.Launch, func() {
		if v.seq != seq {
			return
		}
		for _, a := range v.disks {
			if why := e.opens(h, a.disk); a.active && why != "" {
				e.down(v, true, fmt.Sprintf("VM %s is down with error. Exit message: %s", v.name, why), correlation)
				return
			}
		}
		v.status, v.running = rising, true
		e.openDisks(v)
		e.watchStart(v)
		e.touch(v)
		l.after(l.lat.PowerUp, func() {
			if v.seq != seq {
				return
			}
			if !boots {
				e.down(v, true, fmt.Sprintf("VM %s is down with error. Exit message: Lost connection with qemu process.", v.name), correlation)
				return
			}
			v.status, v.upAt = "up", l.now
			e.event(eventVMStarted, "normal", fmt.Sprintf("VM %s started on Host %s", v.name, h.Name), refs{vm: v, host: h, correlation: correlation, user: user})
			l.after(l.lat.GuestAgent, func() {
				if v.seq == seq && v.agent {
					v.agentUp = true
				}
			})
		})
	})
}

// down is a VM's end, by an error or as wished.
func (e *engine) down(v *vm, byError bool, text, correlation string) {
	h := v.host
	v.seq++
	e.closeDisks(v)
	v.status, v.running, v.host, v.agentUp, v.exitError = "down", false, nil, false, byError
	v.stopTime = e.lab.now
	code, severity := eventVMDown, "normal"
	if byError {
		code, severity = eventVMDownError, "error"
	}
	e.event(code, severity, text, refs{vm: v, host: h, correlation: correlation})
}

// pause is a VM whose storage went away.
func (e *engine) pause(v *vm) {
	v.seq++
	e.closeDisks(v)
	v.status = "paused"
}

// restartHA tries, d from now, to start a highly available VM that ended by an error. The flag is read afresh before each try
// (ovirt-engine HaAutoStartVmsRunner).
func (e *engine) restartHA(v *vm, d time.Duration) {
	l := e.lab
	e.operation(l.now.Add(d), func() {
		if e.vm(v.id) != v || !v.ha || v.status != "down" || !v.exitError {
			return
		}
		h, no := e.canRun(v)
		if no == nil {
			v.haTries = 0
			e.launch(v, h, "", "")
			return
		}
		v.haTries++
		if v.haTries < l.lat.HATries {
			e.restartHA(v, l.lat.HARetry)
		} else {
			e.restartHA(v, 30*time.Minute)
		}
	}, nil)
}

// powerDown is a guest that obeys a shutdown request. powerOff ends it without asking.
func (e *engine) powerDown(v *vm, correlation string) {
	v.status = "powering_down"
	v.seq++
	seq := v.seq
	ignores := e.meets(FaultShutdown, v.id, v.name)
	e.lab.after(e.lab.lat.Shutdown, func() {
		switch {
		case v.seq != seq:
		case ignores: // the host reports it up again (ovirt-engine VmAnalyzer, auditVmPowerDownFailed)
			v.status = "up"
			e.event(eventShutdownFailed, "warning", "Shutdown of VM "+v.name+" failed.", refs{vm: v, host: v.host, correlation: correlation})
		default:
			e.down(v, false, "VM "+v.name+" is down. Exit message: User shut down from within the guest", correlation)
		}
	})
}

// discardMemory is a stop, or a shutdown, of a suspended VM: what it had in memory is gone (ovirt-engine StopVmCommand).
func (e *engine) discardMemory(v *vm, correlation string) {
	e.violation(ViolationDataDestroyed, v.id, "the saved memory of vm %s was discarded", v.name)
	v.seq++
	v.status, v.stopTime = "down", e.lab.now
	e.event(eventSuspendedStop, "normal", "Suspended VM "+v.name+" has had its save state cleared by "+e.spec.Username+".", refs{vm: v, correlation: correlation, user: e.spec.Username})
}

func (e *engine) powerOff(v *vm, correlation string) {
	v.status = "powering_down"
	v.seq++
	seq := v.seq
	e.lab.after(e.lab.lat.Stop, func() {
		if v.seq == seq {
			e.down(v, false, "VM "+v.name+" is down. Exit message: Admin shut down from the engine", correlation)
		}
	})
}
