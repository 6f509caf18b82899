package lab

import (
	"fmt"
	"slices"
	"strings"
)

// vmActions are the actions on a VM beside start, shutdown and stop.
var vmActions = map[string]func(*call, *vm) *reply{
	"suspend": (*call).postSuspend, "reboot": (*call).postReboot, "reset": (*call).postReset, "migrate": (*call).postMigrate,
	"cancelmigration": (*call).postCancelMigration, "previewsnapshot": (*call).postPreview,
	"commitsnapshot": (*call).postCommit, "undosnapshot": (*call).postUndo,
}

// runs reports whether a status says that QEMU runs the VM (ovirt-engine VMStatus.isRunning).
func runs(status string) bool {
	return slices.Contains([]string{"up", "powering_down", "powering_up", "migrating", "wait_for_launch", "reboot_in_progress"}, status)
}

// held is the refusal of what needs the engine's lock on a VM while another command has it: the words are the holder's (ovirt-engine
// InMemoryLockManager).
func (v *vm) held(what string) *refusal {
	if v.busyWith == "" {
		return objectLocked(what)
	}
	return conflict("Cannot %s. %s", what, v.busyWith)
}

// canStop is the validation of shutdown and stop (ovirt-engine StopVmCommandBase). Of a VM that is down neither is refused:
// see postStop.
func (e *engine) canStop(v *vm, what string, force bool) *refusal {
	switch {
	case v.duringBackup() && !force:
		return isDuringBackup(what)
	case runs(v.status) || slices.Contains([]string{"paused", "not_responding", "suspended", "down"}, v.status):
		return nil
	case v.status == "saving_state" || v.status == "restoring_state":
		return conflict("Cannot %s. VM is in saving/restoring state.\n-Please try again when the VM is either up or down.", what)
	}
	return conflict("Cannot %s. VM is not running.", what)
}

// canRemoveVM is the validation of a removal (ovirt-engine RemoveVmCommand).
func (e *engine) canRemoveVM(v *vm, detach, force bool) *refusal {
	const what = "remove VM"
	switch {
	case v.busy:
		return v.held(what)
	case v.deleteProtected:
		return conflict("Cannot %s. Delete protection is enabled. In order to delete, disable Delete protection first.", what)
	case detach && v.templateID != blankID:
		return conflict("Cannot %s with detaching disks, VM is based from template.", what)
	case detach && len(v.snapshots()) > 1:
		return conflict("Cannot %s with detaching disks, snapshots exist.", what)
	case v.status == "suspended":
		return conflict("Cannot remove VM that its state is not down.\n-Please stop the VM first.")
	case v.status != "down" && v.status != "image_locked":
		return conflict("Cannot %s. VM is running.", what)
	case v.pool != "":
		return conflict("Cannot %s. VM is attached to a VM Pool.", what)
	case v.duringBackup():
		return isDuringBackup(what)
	case len(v.disks) > 0 && v.cluster.dc.status != "up":
		return poolNotUp(what)
	}
	if r := v.domainsActive(what); r != nil {
		return r
	}
	if locked := v.disksIn("locked"); locked != "" && !force {
		return conflict("Cannot %s: The following disks are locked: %s. Please try again in a few minutes.", what, locked)
	}
	if d := e.domain(v.leaseDomainID); d != nil && d.status != "active" {
		return conflict("Cannot %s. The VM lease storage domain (%s) status is not active.", what, d.name)
	}
	return nil
}

// unheard reports whether the host of a VM does not answer, whatever the engine thinks of it yet.
func (v *vm) unheard() bool {
	return v.host != nil && (!v.host.alive || v.host.isolated) && v.status != "suspended"
}

// networkError is EngineError.VDS_NETWORK_ERROR: a host did not answer the command.
func networkError() *refusal { return vdsm("Network error during communication with the Host.") }

// outOfReach refuses an action on a VM that is not the engine's to act on, or whose host does not hear it; nil where neither is so
// (ovirt-engine VmActionByVmOriginTypeValidator).
func (c *call) outOfReach(v *vm, action string) *reply {
	what := map[string]string{"start": "run VM", "suspend": "hibernate VM", "reset": "reset VM", "previewsnapshot": "preview Snapshot",
		"commitsnapshot": "revert to Snapshot", "undosnapshot": "revert to Snapshot"}[action]
	heard := slices.Contains([]string{"shutdown", "stop", "reboot", "reset", "suspend", "migrate", "cancelmigration"}, action)
	var no *refusal
	switch {
	case v.external && what != "":
		no = bad("Cannot %s. This VM is not managed by the engine.", what)
	case !v.external && v.unheard() && heard:
		no = networkError()
	default:
		return nil
	}
	if _, r := c.startAction(); r != nil {
		no = r
	}
	return c.refuse(no)
}

func (c *call) doneVM(v *vm, description string) *reply {
	return c.actionDone(c.doneJob(description), func(x *xmlWriter) { x.ref("vm", "vms", v.id) })
}

func (c *call) about(v *vm) refs {
	return refs{vm: v, host: v.host, correlation: c.correlation, user: c.engine.userName()}
}

// resume lets a paused VM go on.
func (c *call) resume(v *vm) *reply {
	e := c.engine
	if why := e.cannotOpen(v, v.host); why != "" {
		return c.refuse(vdsm("Cannot run VM. %s", why))
	}
	v.seq++
	v.status = "up"
	e.openDisks(v)
	c.effect("resume %s", v.name)
	e.event(eventVMResumed, "normal", "VM "+v.name+" was resumed by "+e.userName()+" (Host: "+v.host.Name+").", c.about(v))
	return c.doneVM(v, "Launching VM "+v.name)
}

// postSuspend writes the memory of a VM to its storage and ends it: saving_state, then suspended (ovirt-engine HibernateVmCommand).
func (c *call) postSuspend(v *vm) *reply {
	const what = "hibernate VM"
	e, l := c.engine, c.lab
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	active := slices.ContainsFunc(e.attached(v.cluster.dc), func(d *storageDomain) bool { return d.status == "active" })
	switch {
	case v.busy:
		return c.refuse(v.held(what))
	case v.status == "wait_for_launch" || v.status == "not_responding":
		return c.refuse(badStatus(what, v))
	case v.status != "up":
		return c.refuse(conflict("Cannot %s. VM is not up.", what))
	case v.duringBackup():
		return c.refuse(isDuringBackup(what))
	case v.pool != "":
		return c.refuse(conflict("Cannot suspend VM that belongs to a  VM-Pool."))
	case !active:
		return c.refuse(conflict("Cannot %s. No active data Storage Domain with enough storage was found in the Data Center.", what))
	case v.preview:
		return c.refuse(conflict("Cannot %s. VM is previewing a Snapshot.", what))
	}
	v.seq++
	seq, h := v.seq, v.host
	v.status, v.busy, v.busyWith = "saving_state", true, "VM is hibernating."
	e.touch(v)
	j := c.newJob("Hibernating VM " + v.name)
	e.event(eventSuspend, "normal", "Suspending VM "+v.name+" was initiated by User "+e.userName()+" (Host: "+h.Name+").", c.about(v))
	c.effect("suspend %s", v.name)
	l.after(l.lat.Suspend, func() {
		v.busy, v.busyWith = false, ""
		if v.seq != seq {
			j.end("failed", l.now)
			return
		}
		v.seq++
		e.closeDisks(v)
		v.status, v.running, v.host, v.agentUp, v.stopTime = "suspended", false, nil, false, l.now
		j.end("finished", l.now)
		e.event(eventSuspended, "normal", "VM "+v.name+" on Host "+h.Name+" is suspended.", refs{vm: v, host: h, correlation: c.correlation})
	})
	return c.actionDone(j, func(x *xmlWriter) { x.ref("vm", "vms", v.id) })
}

// postReboot asks the guest to reboot: reboot_in_progress, then up, with its agent gone for a while (ovirt-engine RebootVmCommand).
func (c *call) postReboot(v *vm) *reply {
	const what = "restart VM"
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	force, _, r := doc.flag("force")
	switch {
	case r != nil:
		return c.refuse(r)
	case v.duringBackup() && !force:
		return c.refuse(isDuringBackup(what))
	case v.status != "up" && v.status != "powering_up":
		return c.refuse(badStatus(what, v))
	}
	v.seq++
	seq := v.seq
	v.status, v.agentUp = "reboot_in_progress", false
	e.event(eventReboot, "normal", "VM "+v.name+" is rebooting. Rebooted by: "+e.userName(), c.about(v))
	c.effect("reboot %s", v.name)
	l.after(l.lat.PowerUp, func() {
		if v.seq == seq {
			v.status, v.upAt = "up", l.now
			e.awaitAgent(v)
		}
	})
	return c.doneVM(v, "Rebooting VM "+v.name)
}

// postReset is the reset button: the status stays (ovirt-engine ResetVmCommand).
func (c *call) postReset(v *vm) *reply {
	e := c.engine
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	if !runs(v.status) || v.status == "wait_for_launch" {
		return c.refuse(badStatus("reset VM", v))
	}
	if v.status == "up" {
		v.agentUp = false
		e.awaitAgent(v)
	}
	e.event(eventReset, "normal", "VM "+v.name+" is resetting. Reset by: "+e.userName(), c.about(v))
	c.effect("reset %s", v.name)
	return c.doneVM(v, "Resetting VM "+v.name)
}

// canMigrate is the validation of a migration (ovirt-engine MigrateVmCommand, VmValidator.canMigrate). It returns the destination.
func (e *engine) canMigrate(n need) (*host, *refusal) {
	v := n.vm
	n.what = "migrate VM"
	switch {
	case v.duringBackup():
		return nil, isDuringBackup(n.what)
	case len(v.pinnedTo) > 0:
		return nil, conflict("Cannot %s. VM is pinned to Host.", n.what)
	case v.status == "migrating":
		return nil, conflict("Cannot %s. VM migration is in progress", n.what)
	case v.status == "not_responding":
		return nil, badStatus(n.what, v)
	case v.status == "paused":
		return nil, conflict("Migrating a VM in paused status due to I/O error is not supported.")
	case !slices.Contains([]string{"up", "powering_up", "reboot_in_progress"}, v.status):
		return nil, conflict("Cannot %s. VM is not running.", n.what)
	}
	if locked := v.disksIn("locked"); locked != "" {
		return nil, conflict("Cannot %s: The following disks are locked: %s. Please try again in a few minutes.", n.what, locked)
	}
	return e.schedule(n)
}

func (c *call) postMigrate(v *vm) *reply {
	e := c.engine
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	want := need{vm: v}
	if named := doc.child("host"); named != nil {
		h := e.hostRef(named)
		if h == nil {
			return c.refuse(notFoundNamed(named.value("name") + named.attr("id")))
		}
		want.only = []*host{h}
	}
	h, no := e.canMigrate(want)
	if no != nil {
		return c.refuse(no)
	}
	c.effect("migrate %s to %s", v.name, h.Name)
	j := c.newJob("Migrating VM " + v.name)
	e.migrate(v, h, c.correlation, e.userName(), func(ok bool) {
		if ok {
			j.end("finished", c.lab.now)
		} else {
			j.end("failed", c.lab.now)
		}
	})
	return c.actionDone(j, func(x *xmlWriter) { x.ref("vm", "vms", v.id) })
}

// migrate moves a running VM: migrating, then what it was, on the other host. Both hold its memory meanwhile.
func (e *engine) migrate(v *vm, to *host, correlation, user string, done func(ok bool)) {
	l := e.lab
	v.seq++
	seq, from, was := v.seq, v.host, v.status
	v.before, v.status, v.target = was, "migrating", to
	by := ""
	if user != "" {
		by = ", User: " + user
	}
	e.event(eventMigration, "normal", fmt.Sprintf("Migration started (VM: %s, Source: %s, Destination: %s%s). ", v.name, from.Name, to.Name, by), refs{vm: v, host: from, correlation: correlation, user: user})
	l.after(l.lat.Migrate, func() {
		if v.seq != seq || v.status != "migrating" {
			if v.target == to {
				v.target = nil
			}
			done(false)
			return
		}
		v.target, v.status = nil, was
		if !to.alive || to.isolated || !from.alive || e.cannotOpen(v, to) != "" {
			e.event(eventMigrationFailed, "error", fmt.Sprintf("Migration failed (VM: %s, Source: %s).", v.name, from.Name), refs{vm: v, host: from, correlation: correlation})
			done(false)
			return
		}
		if was == "powering_up" || was == "reboot_in_progress" {
			v.status, v.upAt = "up", l.now
			e.awaitAgent(v)
		}
		v.host = to
		e.event(eventMigrated, "normal", fmt.Sprintf("Migration completed (VM: %s, Source: %s, Destination: %s, Duration: %d seconds, Total: %d seconds, Actual downtime: 48ms)", v.name, from.Name, to.Name, l.lat.Migrate/1e9, l.lat.Migrate/1e9), refs{vm: v, host: to, correlation: correlation})
		done(true)
	})
}

// postCancelMigration is ovirt-engine CancelMigrateVmCommand.
func (c *call) postCancelMigration(v *vm) *reply {
	e := c.engine
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	if v.status != "migrating" {
		return c.refuse(conflict("Cannot cancel migration for non migrating VM."))
	}
	v.seq++
	v.status, v.target = v.before, nil
	if v.status != "up" {
		v.status = "up"
		e.awaitAgent(v)
	}
	e.event(eventMigrationCancel, "normal", "Migration cancelled (VM: "+v.name+", Source: "+v.host.Name+", User: "+e.userName()+").", c.about(v))
	c.effect("cancel the migration of %s", v.name)
	return c.doneVM(v, "Canceling Migration of VM "+v.name)
}

// domainsActive refuses what needs all storage domains of a VM's disks.
func (v *vm) domainsActive(what string) *refusal {
	for _, d := range vmDomains(v) {
		if d.status != "active" {
			return statusIllegal(what, d.status)
		}
	}
	return nil
}

// snapshotStorage is what a preview and its end have in common (ovirt-engine TryBackToAllSnapshotsOfVmCommand, RestoreAllSnapshotsCommand).
func (e *engine) snapshotStorage(v *vm, what string) *refusal {
	if r := v.domainsActive(what); r != nil {
		return r
	}
	if v.cluster.dc.status != "up" && len(v.disks) > 0 {
		return poolNotUp(what)
	}
	if locked := v.disksIn("locked"); locked != "" {
		return conflict("Cannot %s: The following disks are locked: %s. Please try again in a few minutes.", what, locked)
	}
	return nil
}

// postPreview shows a VM as a snapshot has it. Until it is undone or committed the VM is in preview, which stands in the way of
// much (5.8 of what an orchestrator checks): a detach, the writing of its OVF, a suspension, its removal.
func (c *call) postPreview(v *vm) *reply {
	const what = "preview Snapshot"
	e := c.engine
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	id := doc.child("snapshot").attr("id")
	s := find(v.snapshots(), func(s snapshot) bool { return s.id == id })
	storage := e.snapshotStorage(v, what)
	switch {
	case id == "":
		return c.refuse(incomplete("Action", "snapshot.id", "previewSnapshot"))
	case v.busy:
		return c.refuse(v.held(what))
	case v.status != "down":
		return c.refuse(conflict("Cannot %s. At least one of the VMs is not down.", what))
	case s.id == "":
		return c.refuse(bad("Cannot %s. VM's Snapshot does not exist.", what))
	case s.kind == "active":
		return c.refuse(bad("Cannot preview Active VM snapshot."))
	case v.preview:
		return c.refuse(conflict("Cannot %s. VM is previewing a Snapshot.", what))
	case storage != nil:
		return c.refuse(storage)
	}
	e.snapshotStep(c, v, "preview of "+s.description, "Snapshot-Preview "+s.description+" for VM "+v.name, "initiated", [2]int{eventPreviewStart, eventPreviewed}, func() { v.look(s) })
	return c.doneVM(v, "Preview VM Snapshot "+s.description+" of VM "+v.name)
}

// postUndo and postCommit end a preview. The undo can be asked for without one, and then says what it misses.
func (c *call) postUndo(v *vm) *reply {
	return c.endPreview(v, "Undoing a Snapshot-Preview for VM "+v.name, [2]int{eventUndoStart, eventUndone}, v.lookBack)
}

func (c *call) postCommit(v *vm) *reply {
	return c.endPreview(v, "Committing a Snapshot-Preview for VM "+v.name, [2]int{eventCommitStart, eventCommitted}, v.keepLook)
}

func (c *call) endPreview(v *vm, text string, codes [2]int, end func()) *reply {
	const what = "revert to Snapshot"
	e := c.engine
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	storage := e.snapshotStorage(v, what)
	switch {
	case v.busy:
		return c.refuse(v.held(what))
	case !v.preview:
		return c.refuse(bad("Cannot %s. VM's Snapshot does not exist.", what))
	case storage != nil:
		return c.refuse(storage)
	case v.status != "down" && v.status != "suspended":
		return c.refuse(badStatus(what, v))
	}
	e.snapshotStep(c, v, strings.ToLower(text[:1])+text[1:], text, "initialized", codes, end)
	return c.doneVM(v, text)
}

// snapshotStep is a change of a VM's snapshots: image_locked while the host works on the images of a VM that is down.
func (e *engine) snapshotStep(c *call, v *vm, effect, text, begun string, codes [2]int, run func()) *op {
	was, live := v.status, v.running
	v.busy = true
	if !live {
		v.status = "image_locked"
	}
	user := e.userName()
	e.event(codes[0], "normal", text+" was "+begun+" by "+e.userName()+".", refs{vm: v, correlation: c.correlation, user: user})
	c.effect("%s", effect)
	end := func() {
		v.busy = false
		if !live {
			v.status = was
		}
	}
	return e.operation(c.lab.now.Add(c.lab.lat.Snapshot), func() {
		end()
		run()
		e.touch(v)
		e.event(codes[1], "normal", text+" has been completed.", refs{vm: v, correlation: c.correlation, user: user})
	}, end)
}
