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

// statusWords spells a status as the engine's messages do (ovirt-engine EngineMessage, VAR__VM_STATUS__ and its like).
func statusWords(status string) string {
	words := strings.Split(status, "_")
	for i, w := range words {
		if i > 0 && (w == "for" && words[0] == "Wait" || w == "in") {
			continue
		}
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

// isLocked is ACTION_TYPE_FAILED_VM_IS_LOCKED.
func isLocked(what string) *refusal {
	return conflict("Cannot %s: VM is locked. Please try again in a few minutes.", what)
}

// badStatus is ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL.
func badStatus(what string, v *vm) *refusal {
	return conflict("Cannot %s because the VM is in %s status.", what, statusWords(v.status))
}

// poolNotUp is ACTION_TYPE_FAILED_STORAGE_POOL_STATUS_ILLEGAL (ovirt-engine StoragePoolValidator.existsAndUp).
func poolNotUp(what string) *refusal { return conflict("Cannot %s. Unknown Data Center status.", what) }

// mayStart are the statuses from which a start is a start (ovirt-engine ActionUtils, the row RunVm). A paused VM goes on.
func mayStart(status string) bool {
	return status == "down" || status == "suspended" || status == "paused"
}

// canRun is the validation before a start (ovirt-engine RunVmValidator, RunVmCommand). It returns the host that was chosen. A start
// that the engine makes by itself of a highly available VM looks neither at the data center nor at the storage domains, so that
// it comes through a disaster; what is not there then fails on the host.
func (e *engine) canRun(n need, internal bool) (*host, *refusal) {
	const what = "run VM"
	v := n.vm
	n.what = what
	careless := internal && v.ha
	switch {
	case v.customLevel != "" && olderLevel(v.customLevel, v.cluster.dc.Version):
		return nil, conflict("Cannot run VM. The Custom Compatibility Version of VM %s (%s) is not supported in Data Center compatibility version %s.", v.name, v.customLevel, v.cluster.dc.Version)
	case v.busy:
		return nil, v.held(what)
	case v.status == "paused":
		if v.host == nil || v.host.status != "up" {
			return nil, conflict("Cannot run VM. Operation can be performed only when Host status is Up.")
		}
		return v.host, nil
	case v.status != "suspended" && !slices.ContainsFunc(v.disks, func(a *attachment) bool { return a.active }):
		return nil, conflict("Cannot run VM without at least one bootable disk.\nAlternatives:\n- Create a disk for this VM, and rerun the VM.\n- Change the boot sequence using the Edit VM command (Boot Option Sub-Tab).\n- Use the 'Run Once' command to select a different boot option and rerun the VM.")
	case v.status == "image_locked":
		return nil, isLocked(what)
	case !mayStart(v.status) && (!internal || v.status != "unknown" || v.leaseDomainID == ""):
		return nil, badStatus(what, v)
	case !careless && v.cluster.dc.status != "up":
		return nil, poolNotUp(what)
	}
	if r := e.canBootCD(v); r != nil {
		return nil, r
	}
	if !careless {
		if r := v.domainsActive(what); r != nil {
			return nil, r
		}
		if locked := v.disksIn("locked"); locked != "" && !v.duringBackup() {
			return nil, conflict("Cannot run VM: The following disks are locked: %s. Please try again in a few minutes.", locked)
		}
		if illegal := v.disksIn("illegal"); illegal != "" { // DATA_CORRUPTION (ovirt-engine EngineMessage)
			no := conflict("Cannot run VM. The following attached disks are in ILLEGAL status: %s - please remove them and try again.", illegal)
			no.status = http.StatusInternalServerError
			return nil, no
		}
	}
	h, no := e.schedule(n)
	if no != nil {
		return nil, no
	}
	var missing, noVM []string
	for _, k := range v.nics {
		p := e.profile(k.profileID)
		if p == nil {
			continue
		}
		network := e.network(p.NetworkID)
		switch {
		case !e.carries(v.cluster, p.NetworkID):
			missing = append(missing, network.Name)
		case !network.VM:
			noVM = append(noVM, network.Name)
		}
	}
	switch {
	case len(missing) > 0:
		return nil, conflict("Failed run VM. The following networks (%s) are not defined in the cluster.", strings.Join(missing, ","))
	case len(noVM) > 0:
		return nil, conflict("Failed run VM. The following networks (%s) are not defined as VM networks.", strings.Join(noVM, ","))
	case v.duringBackup():
		return nil, isDuringBackup(what)
	}
	return h, nil
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

// maxRuns is on how many hosts a start is tried (ovirt-engine MaxRerunVmOnVdsCount).
const maxRuns = 3

// launch starts a VM on a host: wait_for_launch, powering_up, up, and the guest agent a while later. That the engine accepted it
// says nothing: what fails on the host is tried on others, and then brings the VM back to down, with event 119. not are the hosts
// where it was tried before.
func (e *engine) launch(v *vm, h *host, correlation, user string, not ...*host) {
	l := e.lab
	v.seq++
	seq := v.seq
	rising := "powering_up"
	resumes := v.status == "suspended"
	if resumes {
		rising = "restoring_state"
	}
	v.status, v.host, v.exitError, v.currentCD = "wait_for_launch", h, false, v.cd
	v.runOnce, v.stopReason = false, ""
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
		if why := e.cannotOpen(v, h); why != "" {
			e.rerun(v, h, why, correlation, user, resumes, append(slices.Clone(not), h))
			return
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
			v.status, v.upAt, v.haTries = "up", l.now, 0
			e.event(eventVMStarted, "normal", fmt.Sprintf("VM %s started on Host %s", v.name, h.Name), refs{vm: v, host: h, correlation: correlation, user: user})
			e.awaitAgent(v)
		})
	})
}

// awaitAgent lets the guest agent report a while after the VM is up, where there is one.
func (e *engine) awaitAgent(v *vm) {
	seq := v.seq
	e.lab.after(e.lab.lat.GuestAgent+v.agentDelay, func() {
		if v.seq == seq && v.agent {
			v.agentUp = true
		}
	})
}

// cannotOpen says why a host cannot start a VM: an image that it does not find or cannot write, or a lease that somebody else holds
// (vdsm: prepareImage, libvirt with sanlock).
func (e *engine) cannotOpen(v *vm, h *host) string {
	for _, a := range v.disks {
		if !a.active {
			continue
		}
		for _, d := range a.disk.domains { // a domain in maintenance is mounted on no host, whoever wants to start what
			if d.status == "maintenance" || d.status == "unattached" || d.status == "preparing_for_maintenance" {
				return "Bad volume specification of disk " + a.disk.alias + "."
			}
		}
		if why := e.opens(h, a.disk); why != "" {
			return why
		}
	}
	if e.leaseHeld(v) {
		return "resource busy: Failed to acquire lock: Lease is held by another host."
	}
	return ""
}

// leaseHeld reports whether QEMU of this VM runs elsewhere with its lease, unknown to the engine: sanlock on the lease's domain does
// not let it start twice. Two copies of a domain are two lockspaces.
func (e *engine) leaseHeld(v *vm) bool {
	d := e.domain(v.leaseDomainID)
	if d != nil && v.running && v.host != nil && v.host.isolated && d.export.online && v.host.sees(d.export) {
		return true
	}
	return d != nil && slices.ContainsFunc(e.lab.strays, func(s *stray) bool {
		return s.id == v.id && s.lease == d.export && d.export.online && s.host.sees(d.export)
	})
}

// rerun tries a start that failed on a host on another one, and gives up after some (ovirt-engine RunVmCommandBase.rerun).
func (e *engine) rerun(v *vm, h *host, why, correlation, user string, resumes bool, not []*host) {
	if len(not) < maxRuns {
		next, no := e.schedule(need{vm: v, what: "run VM", not: not})
		if no == nil {
			e.event(eventRunFailed, "warning", "Failed to run VM "+v.name+" on Host "+h.Name+".", refs{vm: v, host: h, correlation: correlation, user: user})
			if resumes {
				v.status = "suspended"
			}
			e.launch(v, next, correlation, user, not...)
			return
		}
	}
	e.down(v, true, fmt.Sprintf("VM %s is down with error. Exit message: %s", v.name, why), correlation)
}

// down is a VM's end, by an error or as wished.
func (e *engine) down(v *vm, byError bool, text, correlation string) {
	h := v.host
	v.seq++
	e.closeDisks(v)
	v.status, v.running, v.host, v.agentUp, v.exitError, v.currentCD = "down", false, nil, false, byError, ""
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
// (ovirt-engine HaAutoStartVmsRunner, AutoStartVmsRunner).
func (e *engine) restartHA(v *vm, d time.Duration) {
	l := e.lab
	e.operation(l.now.Add(d), func() {
		if e.vm(v.id) != v || !v.ha || v.status != "down" || !v.exitError {
			return
		}
		h, no := e.canRun(need{vm: v}, true)
		if no == nil && e.cannotOpen(v, h) == "" {
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
	e.event(eventSuspendedStop, "normal", "Suspended VM "+v.name+" has had its save state cleared by "+e.userName()+".", refs{vm: v, correlation: correlation, user: e.userName()})
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
