package lab

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// What occupies a VM: a snapshot in preview, a pool, a backup. Each stands in the way of something else, long after it began.

// backup is the one backup of a VM that the lab knows, of the kind that locks the VM's disks from its start until it has been
// finalized (ovirt-engine StartVmBackupCommand, lockDisks). A hybrid backup, which blocks neither, is not in the lab.
type backup struct {
	id, phase         string
	created, modified time.Time
}

// backupPhases are the phases of a backup that is under way.
var backupPhases = []string{"initializing", "starting", "ready", "finalizing"}

// duringBackup reports whether a backup of the VM is under way (ovirt-engine VmCommand, isVmDuringBackup).
func (v *vm) duringBackup() bool {
	return v.backup != nil && slices.Contains(backupPhases, v.backup.phase)
}

func isDuringBackup(what string) *refusal {
	return conflict("Cannot %s. The VM is during a backup operation.", what)
}

// disksIn returns the aliases of a VM's disks in a status.
func (v *vm) disksIn(status string) string {
	var names []string
	for _, a := range v.disks {
		if a.disk.status == status {
			names = append(names, a.disk.alias)
		}
	}
	return strings.Join(names, ", ")
}

// taskOn reports whether a task of the engine works on a disk of a storage domain, or for the master on one of its data center. What a
// backup locks is not the domain's business.
func (e *engine) taskOn(d *storageDomain) bool {
	return slices.ContainsFunc(e.disks, func(k *disk) bool {
		return k.status == "locked" && slices.ContainsFunc(k.domains, func(o *storageDomain) bool { return o == d || d.master && o.dc == d.dc }) &&
			!slices.ContainsFunc(e.vmsOf(k), (*vm).duringBackup)
	})
}

// hasTasks is the refusal of a deactivation while tasks run on a domain; those of a whole data center count for its master
// (ovirt-engine DeactivateStorageDomainCommand).
func (e *engine) hasTasks(d *storageDomain) *refusal {
	switch {
	case !e.taskOn(d):
		return nil
	case d.master:
		return conflict("Cannot deactivate Master Data Domain while there are running tasks on its Data Center.\n-Tasks running: MoveImageGroup\n-Please wait until tasks will finish and try again.")
	}
	return conflict("Cannot deactivate Storage while there are running tasks on this Storage.\n-Tasks running: MoveImageGroup\n-Please wait until tasks will finish and try again.")
}

// mayLeave is the refusal of a detach by what lies on the domain (ovirt-engine StorageHandlingCommandBase,
// canDetachStorageDomainWithVmsAndDisks). Protection and pools count only of VMs that have all their disks there.
func (e *engine) mayLeave(d *storageDomain) *refusal {
	var protected, pooled, previewed, all []string
	for _, v := range e.vms {
		on := slices.ContainsFunc(v.disks, func(a *attachment) bool { return slices.Contains(a.disk.domains, d) })
		if v.preview && on {
			previewed = append(previewed, v.name)
		}
		if v.deleteProtected && onlyOn(v, d) {
			protected = append(protected, v.name)
		}
		if v.pool != "" && onlyOn(v, d) {
			pooled = append(pooled, v.name)
		}
	}
	for _, m := range []struct {
		text string
		vms  []string
	}{
		{"The following VMs/Templates are delete protected: %s.", protected}, {"The following VMs/Templates are attached to pool: %s.", pooled},
		{"The following VMs are previewing a snapshot: %s.", previewed},
	} {
		if len(m.vms) > 0 {
			all = append(all, "Cannot detach Storage. "+fmt.Sprintf(m.text, strings.Join(m.vms, ",")))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return conflict("%s", strings.Join(all, ", "))
}

func writeBackup(x *xmlWriter, v *vm) {
	href := apiRoot + "/vms/" + v.id + "/backups/" + v.backup.id
	x.open("backup", "href", href, "id", v.backup.id)
	x.actions(href, "finalize")
	x.links(href, "disks")
	x.time("creation_date", v.backup.created)
	x.time("modification_date", v.backup.modified)
	x.text("phase", v.backup.phase)
	if v.host != nil {
		x.ref("host", "hosts", v.host.ID)
	}
	x.ref("vm", "vms", v.id)
	x.close("backup")
}

func (c *call) routeBackups(v *vm, s []string, get, post bool) *reply {
	if len(s) == 0 && get {
		x := newXML("backups")
		if v.backup != nil {
			writeBackup(x, v)
		}
		return x.reply(http.StatusOK)
	}
	if len(s) == 0 || v.backup == nil || s[0] != v.backup.id {
		return c.notFound()
	}
	switch n := len(s); {
	case n == 1 && get:
		x := newDocument()
		writeBackup(x, v)
		return x.reply(http.StatusOK)
	case n == 2 && get && s[1] == "disks":
		x := newXML("disks")
		for _, a := range v.disks {
			c.writeDisk(x, a.disk)
		}
		return x.reply(http.StatusOK)
	case n == 2 && post && s[1] == "finalize":
		return c.postFinalize(v)
	}
	return c.notFound()
}

// postFinalize ends a backup: it is finalizing until its disks are free again (ovirt-engine StopVmBackupCommand).
func (c *call) postFinalize(v *vm) *reply {
	e, l := c.engine, c.lab
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	if v.backup.phase != "ready" {
		return c.refuse(conflict("Cannot stop VM backup. The VM backup is not in READY phase, backup phase is %s. Please try again when the backup is in READY phase.", strings.ToUpper(v.backup.phase)))
	}
	c.effect("finalize the backup of %s", v.name)
	v.backup.phase, v.backup.modified = "finalizing", l.now
	j := c.newJob("Stopping VM backup of " + v.name)
	l.after(l.lat.Disconnect, func() {
		v.backup.phase, v.backup.modified = "succeeded", l.now
		for _, a := range v.disks {
			a.disk.status = "ok"
		}
		e.touch(v) // an OVF update passed it over while its disks were locked
		j.end("finished", l.now)
	})
	return c.actionDone(j, func(x *xmlWriter) { x.ref("vm", "vms", v.id) })
}

// poolID is PoolID of a pool of the site.
func (e *engine) poolID(name string) string { return e.ownID("pool/" + name) }

// poolNames are the names of the VM pools, sorted.
func (e *engine) poolNames() []string {
	var names []string
	for _, v := range e.vms {
		if v.pool != "" {
			names = append(names, v.pool)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c *call) writeVMPool(x *xmlWriter, name string) {
	e, size := c.engine, 0
	for _, v := range e.vms {
		if v.pool == name {
			size++
		}
	}
	id := e.poolID(name)
	x.open("vm_pool", "href", apiRoot+"/vmpools/"+id, "id", id)
	x.text("name", name)
	x.links(apiRoot+"/vmpools/"+id, "permissions")
	x.int("max_user_vms", 1)
	x.int("prestarted_vms", 0)
	x.int("size", int64(size))
	x.bool("stateful", true)
	x.text("type", "manual")
	x.close("vm_pool")
}

func (c *call) routePools(s []string, get bool) *reply {
	names := c.engine.poolNames()
	switch {
	case !get:
		return noMethod()
	case len(s) == 0:
		return list(c, "vm_pools", poolSearch, names, c.writeVMPool)
	}
	name := find(names, func(name string) bool { return c.engine.poolID(name) == s[0] })
	switch {
	case name == "":
	case len(s) == 1:
		x := newDocument()
		c.writeVMPool(x, name)
		return x.reply(http.StatusOK)
	case len(s) == 2:
		return c.emptyList(s[1])
	}
	return c.notFound()
}
