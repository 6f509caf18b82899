package lab

import (
	"slices"
	"strings"
)

// look shows a VM as a snapshot has it, lookBack as it was before, and keepLook makes what is shown the truth: what was taken after the
// snapshot is gone then (ovirt-engine TryBackToAllSnapshotsOfVmCommand, RestoreAllSnapshotsCommand). Which disks the VM has does not change.
func (v *vm) look(s snapshot) {
	v.preview, v.previewOf, v.beforePreview = true, s.id, v.config()
	if s.was != nil {
		v.become(s.was)
	}
}

func (v *vm) lookBack() {
	if v.beforePreview != nil {
		v.become(v.beforePreview)
	}
	v.preview, v.previewOf, v.beforePreview = false, "", nil
}

func (v *vm) keepLook() {
	if at := slices.IndexFunc(v.taken, func(s snapshot) bool { return s.id == v.previewOf }); at >= 0 {
		v.taken = slices.Clone(v.taken[:at+1])
	}
	v.preview, v.previewOf, v.beforePreview = false, "", nil
}

// become takes over a configuration, but for the name, which a VM keeps.
func (v *vm) become(c *vmConfig) {
	v.description, v.comment, v.memory, v.nics = c.description, c.comment, c.memory, nil
	for _, k := range c.nics {
		n := *k
		v.nics = append(v.nics, &n)
	}
}

// canSnapshot is what taking and removing a snapshot have in common (ovirt-engine CreateSnapshotForVmCommand, RemoveSnapshotCommand).
func (e *engine) canSnapshot(v *vm, what string) *refusal {
	if v.busy || v.status == "image_locked" || slices.ContainsFunc(v.taken, func(s snapshot) bool { return s.status == "locked" }) {
		return conflict("Cannot %s. The VM is performing an operation on a Snapshot. Please wait for the operation to finish, and try again.", what)
	}
	if v.preview {
		return conflict("Cannot %s. VM is previewing a Snapshot.", what)
	}
	return e.snapshotStorage(v, what)
}

// postSnapshot takes a snapshot, of a running VM while it runs on.
func (c *call) postSnapshot(v *vm) *reply {
	const what = "create Snapshot"
	e := c.engine
	doc, r := c.parse("snapshot")
	if r != nil {
		return c.refuse(r)
	}
	if doc.value("description") == "" {
		return c.refuse(incomplete("Snapshot", "description", "add"))
	}
	memory := true // unless the request says otherwise
	if r := doc.flags(map[string]*bool{"persist_memorystate": &memory}); r != nil {
		return c.refuse(r)
	}
	switch v.status {
	case "saving_state", "restoring_state":
		return c.refuse(conflict("Cannot %s. VM is in saving/restoring state.\n-Please try again when the VM is either up or down.", what))
	case "migrating":
		return c.refuse(conflict("Cannot %s. VM migration is in progress", what))
	case "up", "down", "paused", "image_locked":
	default:
		return c.refuse(badStatus(what, v))
	}
	if r := e.canSnapshot(v, what); r != nil {
		return c.refuse(r)
	}
	if illegal := v.disksIn("illegal"); illegal != "" {
		return c.refuse(conflict("Cannot %s. The following attached disks are in ILLEGAL status: %s - please remove them and try again.", what, illegal))
	}
	s := snapshot{id: c.lab.newID(), description: doc.value("description"), kind: "regular", status: "locked", taken: c.lab.now,
		memory: memory && v.running, configuration: true, was: v.config()}
	v.taken = append(slices.Clone(v.taken), s)
	j := c.newJob("Creating VM Snapshot " + s.description + " for VM " + v.name)
	task := e.snapshotStep(c, v, "take snapshot "+s.description+" of "+v.name, "Snapshot '"+s.description+"' creation for VM '"+v.name+"'", "initiated",
		[2]int{eventSnapshotStart, eventSnapshotDone}, func() {
			v.setSnapshot(s.id, "ok")
			j.end("finished", c.lab.now)
		})
	undo := task.abort
	task.abort = func() {
		undo()
		v.taken = slices.DeleteFunc(slices.Clone(v.taken), func(o snapshot) bool { return o.id == s.id })
	}
	return c.creating("/vms/"+v.id+"/snapshots/"+s.id, task, func(x *xmlWriter) {
		if now := find(v.taken, func(o snapshot) bool { return o.id == s.id }); now.id != "" {
			c.writeSnapshot(x, v, now)
		}
	})
}

func (v *vm) setSnapshot(id, status string) {
	v.taken = slices.Clone(v.taken)
	for i := range v.taken {
		if v.taken[i].id == id {
			v.taken[i].status = status
		}
	}
}

// deleteSnapshot removes a snapshot: its images are merged into those that follow, and the VM stays as it is.
func (c *call) deleteSnapshot(v *vm, id string) *reply {
	const what = "remove Snapshot"
	e := c.engine
	s := find(v.snapshots(), func(s snapshot) bool { return s.id == id })
	switch {
	case s.id == "":
		return c.notFound()
	case v.duringBackup():
		return c.refuse(isDuringBackup(what))
	}
	if r := e.canSnapshot(v, what); r != nil {
		return c.refuse(r)
	}
	switch {
	case s.kind != "regular":
		return c.refuse(conflict("Cannot %s. The operation is only allowed for regular snapshots.", what))
	case v.status != "down" && v.status != "up" && v.status != "paused":
		return c.refuse(conflict("Cannot %s. VM %s must be in status Down, Up or Paused.", what, v.name))
	}
	v.setSnapshot(id, "locked")
	j := c.newJob("Removing Snapshot " + s.description + " of VM " + v.name)
	task := e.snapshotStep(c, v, "remove snapshot "+s.description+" of "+v.name, "Snapshot '"+s.description+"' deletion for VM '"+v.name+"'", "initiated",
		[2]int{eventSnapshotRemove, eventSnapshotRemoved}, func() {
			v.taken = slices.DeleteFunc(slices.Clone(v.taken), func(o snapshot) bool { return o.id == id })
			j.end("finished", c.lab.now)
		})
	undo := task.abort
	task.abort = func() {
		undo()
		v.setSnapshot(id, "ok")
	}
	return c.actionDone(j, nil)
}

// postRestore previews a snapshot and commits it, in one long request under a correlation id of its own (ovirt-engine
// BackendSnapshotResource.restore).
func (c *call) postRestore(v *vm, id string) *reply {
	const what = "preview Snapshot"
	e := c.engine
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	s := find(v.snapshots(), func(s snapshot) bool { return s.id == id })
	if s.id == "" {
		return c.notFound()
	}
	switch {
	case v.status != "down" && v.status != "image_locked":
		return c.refuse(conflict("Cannot %s. At least one of the VMs is not down.", what))
	case s.kind == "active":
		return c.refuse(bad("Cannot preview Active VM snapshot."))
	}
	if r := e.canSnapshot(v, what); r != nil {
		return c.refuse(r)
	}
	c.correlation = "RestoreSnapshot"
	text := "Snapshot-Preview " + s.description + " for VM " + v.name
	if !c.wait(e.snapshotStep(c, v, "restore "+s.description+" of "+v.name, text, "initiated", [2]int{eventPreviewStart, eventPreviewed}, func() { v.look(s) })) {
		return nil
	}
	text = "Committing a Snapshot-Preview for VM " + v.name
	if !c.wait(e.snapshotStep(c, v, "restore "+s.description+" of "+v.name, text, "initialized", [2]int{eventCommitStart, eventCommitted}, v.keepLook)) {
		return nil
	}
	return c.actionDone(c.doneJob("Preview VM Snapshot "+strings.TrimSpace(s.description)+" of VM "+v.name), func(x *xmlWriter) {
		x.empty("snapshot", "href", apiRoot+"/vms/"+v.id+"/snapshots/"+s.id, "id", s.id)
	})
}
