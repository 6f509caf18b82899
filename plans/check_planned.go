package plans

import (
	"context"
	"slices"
	"strings"

	"drrun/ovirt"
)

// maxBackupReads bounds how many VMs are asked for their backups, which the API tells of one VM at a time. It keeps a check of any
// size within 12 reads of a site. A VM beyond it is reported for its locked disk, which is as much in the way.
const maxBackupReads = 2

// readObstacles reads the VMs with what stands in the way of a planned move, instead of the VMs alone, and all disks.
func (v *siteView) readObstacles(ctx context.Context, site *ovirt.Site) (err error) {
	if v.obstacles, err = site.Obstacles(ctx); err != nil {
		return err
	}
	for _, vm := range v.obstacles {
		v.vms = append(v.vms, vm.VM)
	}
	v.disks, err = site.Disks(ctx)
	return err
}

// planned finds what would stop a planned move halfway: what refuses a shutdown, a maintenance or a detach at the source, and what
// would be lost by them. Delete protection of the plan's own VMs is none of it: the run lifts it and restores it. site is nil where the source is silent.
func (c *checker) planned(ctx context.Context, site *ovirt.Site) {
	if !c.o.Planned {
		return
	}
	if c.source == nil {
		return // its silence is an error already
	}
	there := make(map[string]*ovirt.VMObstacles, len(c.source.obstacles))
	for i := range c.source.obstacles {
		there[c.source.obstacles[i].ID] = &c.source.obstacles[i]
	}
	backups := 0
	for _, vm := range c.plan.VMs {
		found := there[vm.ID]
		if found == nil || vm.ID == "" {
			continue
		}
		delete(there, vm.ID)
		backup := ovirt.Backup{}
		if hasDiskIn(found, "locked") && backups < maxBackupReads {
			backups++
			backup = runningBackup(ctx, site, vm.ID)
		}
		c.plannedVM(vm, found, backup)
	}
	attached := map[string]bool{}
	for i := range c.source.obstacles {
		for _, disk := range c.source.obstacles[i].Disks {
			attached[disk.ID] = true
		}
	}
	for _, d := range c.plan.StorageDomains {
		c.plannedDomain(d, there, attached)
	}
	c.plannedHosts()
}

func hasDiskIn(vm *ovirt.VMObstacles, status string) bool {
	return slices.ContainsFunc(vm.Disks, func(d ovirt.Disk) bool { return d.Status == status })
}

// runningBackup returns the backup of a VM that is under way. An engine that cannot tell (before 4.3) has none.
func runningBackup(ctx context.Context, site *ovirt.Site, vmID string) ovirt.Backup {
	list, err := site.VMBackups(ctx, vmID)
	if at := slices.IndexFunc(list, ovirt.Backup.Running); err == nil && at >= 0 {
		return list[at]
	}
	return ovirt.Backup{}
}

// plannedVM finds what is in the way of one VM of the plan.
func (c *checker) plannedVM(vm VM, there *ovirt.VMObstacles, backup ovirt.Backup) {
	add := func(severity, code, hint, format string, args ...any) {
		c.add(finding(severity, ScopeVM, code, format, args...).on(c.sourceName, "vm", vm.ID, vm.Name).at(vm.Pos).hint("%s", hint))
	}
	stop := func(code, hint, format string, args ...any) { add(SeverityError, code, hint, format, args...) }
	switch there.Status {
	case "up", "down":
	case "suspended":
		stop("vm-suspended", "start it there, and the run will shut it down; or power it off there, if what it had in memory may be lost",
			"VM %q is suspended at site %q: its saved memory would stay behind", vm.Name, c.sourceName)
	case "unknown":
		if c.o.Quarantine {
			add(SeverityWarning, "vm-unreachable", "look after its host", "VM %q is unknown at site %q: unless its host is read as off, it stays there, with the storage domains that it lies on and their other VMs", vm.Name, c.sourceName)
			break
		}
		stop("vm-state", "look after its host: what runs there is not known; or leave it there, with all that shares its storage domains: --quarantine",
			"VM %q is unknown at site %q: it can neither be shut down nor counted as down", vm.Name, c.sourceName)
	default:
		stop("vm-state", stateHint(there.Status), "VM %q is %s at site %q: it can neither be shut down nor counted as down", vm.Name, textOr(there.Status, "in an unknown state"), c.sourceName)
	}
	if there.Preview {
		stop("vm-in-preview", "commit or undo the preview at site \""+c.sourceName+"\": the VM's Snapshots tab",
			"VM %q previews a snapshot at site %q: its storage domain cannot be detached, and the OVF store keeps the VM as it was before the preview", vm.Name, c.sourceName)
	}
	if there.SnapshotLocked {
		stop("vm-snapshot-locked", "wait until that is done, then check again", "a snapshot of VM %q is being made or removed at site %q: the engine does not write its OVF meanwhile", vm.Name, c.sourceName)
	}
	if there.PoolID != "" && c.leaves(there) {
		stop("vm-in-pool", "take it out of the pool at site \""+c.sourceName+"\": Compute, Pools, the pool's Virtual Machines tab, Detach",
			"VM %q belongs to a VM pool at site %q: its storage domain cannot be detached", vm.Name, c.sourceName)
	}
	if backup.ID != "" {
		stop("vm-in-backup", "let the backup end, or finalize it in the backup software", "VM %q is being backed up at site %q (phase %s): the engine refuses to shut it down or to start it", vm.Name, c.sourceName, backup.Phase)
	}
	for _, d := range there.Disks {
		switch {
		case d.Status == "locked" && backup.ID == "":
			stop("vm-disk-locked", "wait for what works on it, a task of the engine or a backup, then check again",
				"disk %q of VM %q is locked at site %q: its storage domain cannot be put into maintenance, and the engine does not write the VM's OVF", d.Alias, vm.Name, c.sourceName)
		case d.Status == "illegal":
			add(SeverityWarning, "vm-disk-illegal", "repair or remove the disk first", "disk %q of VM %q is illegal at site %q: once the VM is down, it cannot be started there again", d.Alias, vm.Name, c.sourceName)
		}
	}
	if len(there.PinnedTo) > 0 {
		add(SeverityWarning, "vm-pinned", "pin it to a host of site \""+c.targetName+"\" afterwards, if it must be", "VM %q is pinned to hosts of site %q: site %q has none of them and drops the pinning when it registers the VM", vm.Name, c.sourceName, c.targetName)
	}
}

// stateHint says what to do about a VM in a state between up and down.
func stateHint(status string) string {
	switch status {
	case "paused":
		return "look why it is paused, then resume it or power it off"
	case "unknown", "not_responding":
		return "look after its host: what runs there is not known"
	}
	return "wait until it is up or down, then check again"
}

// plannedDomain finds what is in the way of one storage domain: VMs and disks that the plan does not have. The run touches none of
// them. others are the VMs that are not in the plan, attached the disks that any VM has, both by id.
func (c *checker) plannedDomain(d StorageDomain, others map[string]*ovirt.VMObstacles, attached map[string]bool) {
	if d.ID == "" {
		return
	}
	if there := c.source.domain(d.ID); there != nil && there.DataCenterID != "" && there.Status != "active" && there.Status != "maintenance" {
		f := finding(SeverityError, ScopeStorageDomain, "domain-not-active", "storage domain %q is %s at site %q: only one that is active can be put into maintenance", d.Name, textOr(there.Status, "in an unknown state"), c.sourceName).
			on(c.sourceName, "storage_domain", d.ID, d.Name).at(d.Pos).hint("is a host of its data center up, and one of them SPM? then activate it; or leave it there with its VMs: --quarantine")
		if c.o.Quarantine {
			f.Severity = SeverityWarning
			f.Hint = "it stays there with its VMs, unless its data center gets an SPM again"
		}
		c.add(f)
	}
	var running, held, locked []string
	for _, vm := range others { // nameList sorts
		here := hasDiskOn(vm.VM, []string{d.ID})
		if here && isHostedEngine(vm.VM) {
			c.add(finding(SeverityError, ScopeStorageDomain, "vm-hosted-engine", "storage domain %q cannot be put into maintenance at site %q: the engine's own VM %q has a disk on it", d.Name, c.sourceName, vm.Name).
				on(c.sourceName, "storage_domain", d.ID, d.Name).at(d.Pos).hint("move its disk to a storage domain of its own; the engine is left alone"))
			continue
		}
		if vm.Status != "down" && vm.Status != "suspended" && (here || vm.LeaseDomainID == d.ID) {
			running = append(running, vm.Name)
		}
		if why := c.holds(vm); here && why != "" {
			held = append(held, vm.Name+" ("+why+")")
		}
	}
	for _, disk := range c.source.disks {
		if disk.Status == "locked" && disk.ContentType != "ovf_store" && !attached[disk.ID] && slices.Contains(disk.StorageDomainIDs, d.ID) {
			locked = append(locked, disk.Alias)
		}
	}
	for _, f := range []struct {
		code, hint, text string
		names            []string
	}{
		{"domain-in-use", "shut them down, move their disks to another storage domain, or add them to the plan",
			"storage domain %q cannot be put into maintenance at site %q: not down, and not in the plan: %s", running},
		{"domain-held", "end the preview or the task, leave the pool, lift the protection; or move the disks to another storage domain",
			"storage domain %q cannot be released at site %q: in the way, and not in the plan: %s", held},
		{"domain-disk-locked", "wait for the task or the transfer that works on it, then check again",
			"storage domain %q cannot be put into maintenance at site %q: locked, and attached to no VM: disk %s", locked},
	} {
		if len(f.names) > 0 {
			c.add(finding(SeverityError, ScopeStorageDomain, f.code, f.text, d.Name, c.sourceName, nameList(f.names, 8)).
				on(c.sourceName, "storage_domain", d.ID, d.Name).at(d.Pos).hint("%s", f.hint))
		}
	}
}

// holds says why a VM that the plan does not have keeps its storage domain where it is; "" when it does not.
func (c *checker) holds(vm *ovirt.VMObstacles) string {
	var why []string
	for _, reason := range []struct {
		text string
		on   bool
	}{{"in a preview", vm.Preview}, {"a disk is locked", hasDiskIn(vm, "locked")}, {"in a VM pool", vm.PoolID != "" && c.leaves(vm)}, {"delete protected", vm.DeleteProtected && c.leaves(vm)}} {
		if reason.on {
			why = append(why, reason.text)
		}
	}
	return strings.Join(why, ", ")
}

// leaves reports whether all disks of a VM lie on storage domains of the plan. Only of such a VM the engine looks at pool and delete
// protection before it detaches the domains (ovirt-engine StorageHandlingCommandBase.java, canDetachStorageDomainWithVmsAndDisks).
func (c *checker) leaves(vm *ovirt.VMObstacles) bool {
	return !slices.ContainsFunc(vm.Disks, func(disk ovirt.Disk) bool {
		return !slices.ContainsFunc(disk.StorageDomainIDs, func(id string) bool {
			return slices.ContainsFunc(c.plan.StorageDomains, func(d StorageDomain) bool { return d.ID == id })
		})
	})
}

// plannedHosts warns about hosts of the data centers concerned that are not up. One in maintenance holds neither VMs nor storage.
func (c *checker) plannedHosts() {
	concerned := map[string]bool{}
	for _, d := range c.plan.StorageDomains {
		if there := c.source.domain(d.ID); there != nil && there.DataCenterID != "" {
			concerned[there.DataCenterID] = true
		}
	}
	for _, host := range c.source.hosts {
		cluster := c.source.cluster(host.ClusterID)
		if host.Status == "up" || host.Status == "maintenance" || cluster == nil || !concerned[cluster.DataCenterID] {
			continue
		}
		c.add(finding(SeverityWarning, ScopeRun, "source-host-not-up", "host %q of site %q is %s: what runs there can neither be shut down nor be seen down", host.Name, c.sourceName, textOr(host.Status, "in an unknown state")).
			on(c.sourceName, "host", host.ID, host.Name).at(c.plan.Site(c.sourceName).Pos).hint("bring it up, or see that nothing runs on it and put it into maintenance"))
	}
}
