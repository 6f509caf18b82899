package lab

import (
	"fmt"
	"slices"
	"strings"
)

// olderLevel reports whether compatibility version a is older than b.
func olderLevel(a, b string) bool {
	number := func(s string) int {
		var major, minor int
		_, _ = fmt.Sscanf(s, "%d.%d", &major, &minor)
		return major*1000 + minor
	}
	return number(a) < number(b)
}

// macDuplicates is ACTION_TYPE_FAILED_CANNOT_ADD_IFACE_DUE_TO_MAC_DUPLICATES, with the names of the NICs.
func macDuplicates(nics []string) *refusal {
	return conflict("Cannot import Virtual Machine, because that action would create duplicates in target MAC pool, which are not allowed. "+
		"Either allow duplicate MACs in MAC Pool, or allow reassignment of bad MACs during import. Problematic NICs are %s", strings.Join(nics, ", "))
}

// vmExists is VM_CANNOT_IMPORT_VM_EXISTS.
func vmExists(name string) *refusal {
	return conflict("Import VM failed - VM Id already exists in the system. Please remove the VM (%s) from the system first", name)
}

// macUsed reports which VM has an address of a pool, "" for none. Each pool counts for itself.
func (e *engine) macUsed(mac string, pool *macPool) string {
	for _, v := range e.vms {
		if v.cluster.pool == pool && slices.ContainsFunc(v.nics, func(n *nic) bool { return strings.EqualFold(n.mac, mac) }) {
			return v.name
		}
	}
	return ""
}

// outside returns the addresses of a VM that its pool does not have.
func (p *macPool) outside(v *vm) []string {
	var list []string
	for _, n := range v.nics {
		if !p.holds(macNumber(n.mac)) {
			list = append(list, n.mac)
		}
	}
	return list
}

// freeMACs allocates addresses of a pool, but none of taken; fewer than asked for where the pool has no more.
func (e *engine) freeMACs(pool *macPool, n int, taken map[string]bool) []string {
	used := map[string]bool{}
	for _, v := range e.vms {
		for _, k := range v.nics {
			used[strings.ToLower(k.mac)] = true
		}
	}
	var list []string
	for _, r := range pool.ranges() {
		for at := macNumber(r.From); at <= macNumber(r.To) && len(list) < n; at++ {
			if mac := macString(at); !used[mac] && !taken[mac] {
				list = append(list, mac)
			}
		}
	}
	return list
}

// registrationLocked refuses a name or an id that another registration works on (ovirt-engine ImportVmCommandBase.getExclusiveLocks).
func (e *engine) registrationLocked(id, name string) *refusal {
	switch {
	case e.locked["VM:"+id]:
		return conflict("Cannot import VM. VM %s is being imported.", name)
	case e.locked["VMNAME:"+name]:
		return conflict("Cannot import VM. The VM name is already in use, please choose a unique name and try again.")
	}
	return nil
}

// parts are what a registration takes of a VM: its disks without those that were dropped, which are known by alias, and the MACs of
// its NICs.
type parts struct {
	disks   []ovfDisk
	dropped []string
	macs    []string
}

// canRegister validates a registration in the order of the engine: the disks first, then the cluster and the MACs, then the rest
// (ovirt-engine ImportVmFromConfigurationCommand.validate, ImportVmCommandBase, ImportVmCommand.validateAfterCloneVm).
func (e *engine) canRegister(o *incoming, g *registration, k *cluster) (p parts, r *refusal) {
	var images, luns []ovfDisk
	drop := func(d ovfDisk, no *refusal) bool {
		if no != nil && g.partial {
			p.dropped = append(p.dropped, d.alias)
		}
		return no != nil && g.partial
	}
	exists := func(d ovfDisk) *refusal {
		if known := e.diskByID[d.id]; known != nil && (!known.shareable || !d.shareable) {
			return conflict("Cannot import VM. The following disks already exist: %s. Please import as a clone.", known.alias)
		}
		return nil
	}
	for _, d := range o.disks {
		if d.lun != nil {
			luns = append(luns, d)
			continue
		}
		if no := exists(d); no != nil && !g.partial {
			return p, no
		}
	}
	for _, d := range o.disks {
		if d.lun != nil {
			continue
		}
		no := exists(d)
		if no == nil && k != nil {
			no = e.domainOfDisk(d, k)
		}
		switch {
		case no == nil:
			images = append(images, d)
		case !drop(d, no):
			return p, no
		}
	}
	switch {
	case k == nil:
		return p, clusterEmpty()
	case k.BIOSType == "":
		return p, conflict("Cannot create a VM in a cluster that has not specified a bios type. Please activate at least one host in the cluster to set it automatically or set it manually on the cluster.")
	}
	if p.macs, r = e.canTakeMACs(o, g, k.pool); r != nil {
		return p, r
	}
	if k.dc.status != "up" {
		return p, poolNotUp(importVM)
	}
	if v := e.vm(o.as); v != nil {
		return p, vmExists(v.name)
	}
	if !g.clone {
		// Asked once more of all disks, also of those that a partial import has dropped: it does not help here.
		for _, d := range o.disks {
			if no := exists(d); no != nil && d.lun == nil {
				return p, no
			}
		}
	}
	if r := e.canTakeTemplate(o, images, k); r != nil {
		return p, r
	}
	for _, d := range images {
		no := e.imageOfDisk(d)
		if no != nil && !drop(d, no) {
			return p, no
		}
		if no == nil {
			p.disks = append(p.disks, d)
		}
	}
	for _, v := range e.vms {
		if v.cluster.dc == k.dc && v.name == o.named {
			return p, conflict("Import VM failed - VM Name already exists in the Data Center. Please rename the VM in the system first")
		}
	}
	if t := e.template(o.templateID); t != nil && t.status == "locked" {
		return p, conflict("Template's Image is locked (temporarily).")
	}
	for _, d := range luns {
		no := exists(d)
		if no == nil && e.diskByID[d.id] == nil {
			no = e.canTakeLUN(d.lun)
		}
		switch {
		case no == nil:
			p.disks = append(p.disks, d)
		case !drop(d, no):
			return p, no
		}
	}
	if k.Architecture != o.architecture {
		return p, bad("Cannot import VM. The VM's architecture is not supported by the cluster.")
	}
	if len(p.macs) < len(o.nics) {
		return p, conflict("Cannot import VM. Not enough MAC addresses left in MAC Address Pool.")
	}
	return p, nil
}

// canTakeMACs decides about the MACs: one in use is refused, unless the pool allows it or bad ones are reassigned. One out of range is
// bad too, but refused by nobody. It returns fewer than there are NICs where the pool has no more.
func (e *engine) canTakeMACs(o *incoming, g *registration, pool *macPool) (macs []string, r *refusal) {
	var refused []string
	var fresh int
	taken := map[string]bool{}
	next := make([]bool, len(o.nics))
	for i, n := range o.nics {
		used := !pool.AllowDuplicates && (e.macUsed(n.mac, pool) != "" || taken[strings.ToLower(n.mac)])
		next[i] = g.clone || n.mac == "" || g.reassign && (used || !pool.holds(macNumber(n.mac)))
		switch {
		case next[i]:
			fresh++
		case used:
			refused = append(refused, n.name)
		default:
			taken[strings.ToLower(n.mac)] = true
		}
	}
	if len(refused) > 0 {
		return nil, macDuplicates(refused)
	}
	free := e.freeMACs(pool, fresh, taken)
	if len(free) < fresh {
		return nil, nil
	}
	for i, n := range o.nics {
		mac := n.mac
		if next[i] {
			mac, free = free[0], free[1:]
		}
		macs = append(macs, mac)
	}
	return macs, nil
}

// canTakeTemplate wants the template of a thin VM, on a domain on which the VM has disks too.
func (e *engine) canTakeTemplate(o *incoming, images []ovfDisk, k *cluster) *refusal {
	if o.templateID == blankID {
		return nil
	}
	t := e.template(o.templateID)
	switch {
	case t == nil:
		return bad("Cannot import VM. The relevant Template doesn't exist.")
	case t.cluster == nil || t.cluster.dc != k.dc:
		return bad("Cannot import VM. The Template doesn't exist in the current Data Center.")
	}
	for _, td := range t.disks {
		for _, on := range td.domains {
			if slices.ContainsFunc(images, func(d ovfDisk) bool { return d.domainID == on.id }) {
				return nil
			}
		}
	}
	if len(t.disks) == 0 {
		return nil
	}
	return bad("Cannot import VM. The selected Storage Domain does not contain the VM Template.")
}

// domainOfDisk wants the domain of an image to be active in the data center (ovirt-engine ImportValidator.validateStorageExistForUnregisteredEntity).
func (e *engine) domainOfDisk(d ovfDisk, k *cluster) *refusal {
	on := e.domain(d.domainID)
	switch {
	case on == nil || on.dc != k.dc:
		return bad("Cannot import VM. The Storage Domain doesn't exist.")
	case on.status != "active":
		return statusIllegal(importVM, on.status)
	}
	return nil
}

// imageOfDisk wants the image to be there: the host is asked for each (ovirt-engine ImportVmCommand.checkImagesGUIDsLegal).
func (e *engine) imageOfDisk(d ovfDisk) *refusal {
	if on := e.domain(d.domainID); on != nil {
		if found, _ := e.lab.content(on.export); found != nil {
			if _, ok := found.image(d.id); ok {
				return nil
			}
		}
	}
	return bad("Cannot import VM. VM's Image does not exist.\nIn order to import partial VM, select 'allow partial' checkbox.")
}

// knownHosts keeps of the hosts that a VM was pinned to those of its cluster, where it has them all (ovirt-engine
// VmHandler.validateDedicatedVdsExistOnSameCluster).
func (e *engine) knownHosts(k *cluster, pinned []string) []string {
	for _, id := range pinned {
		if h := e.host(id); h == nil || h.cluster != k {
			return nil
		}
	}
	return pinned
}

// settleLevel raises a VM's own compatibility version that the data center does not know any more (ovirt-engine
// ImportVmCommandBase.updateVmVersion). Any other is kept, whether or not a host of the cluster supports it.
func (e *engine) settleLevel(v *vm, correlation string) {
	dc := v.cluster.dc
	if v.customLevel == "" || !olderLevel(v.customLevel, v.cluster.Version) || !olderLevel(v.customLevel, dc.Version) {
		return
	}
	e.event(eventLevelChanged, "warning", fmt.Sprintf("Original custom compatibility version %s of imported VM %s is not supported. Changing it to the lowest supported version: %s.",
		v.customLevel, v.name, dc.Version), refs{vm: v, correlation: correlation})
	v.customLevel = dc.Version
}

// settleLease keeps the lease of a highly available VM: on its domain, or where that is not active on another one
// (ovirt-engine ImportVmCommandBase.handleVmLease). A VM that is not highly available loses it.
func (e *engine) settleLease(v *vm, domainID, correlation string) {
	if domainID == "" || !v.ha {
		return
	}
	fit := func(d *storageDomain) bool {
		return d != nil && d.dc == v.cluster.dc && d.status == "active" && !d.isoDomain()
	}
	d := e.domain(domainID)
	if !fit(d) {
		d = find(e.attached(v.cluster.dc), fit)
	}
	if d == nil {
		e.event(eventLeaseLost, "warning", "The VM "+v.name+" has a VM lease defined yet will be imported without it as the Storage Domain for the lease does not exist or is not active.",
			refs{vm: v, correlation: correlation})
		return
	}
	v.leaseDomainID = d.id
}

// leaseMade reports whether the lease of a registered VM could be made.
func (e *engine) leaseMade(v *vm) bool {
	d := e.domain(v.leaseDomainID)
	return d == nil || d.export.online && d.export.writable
}
