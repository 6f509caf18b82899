package plans

import (
	"fmt"
	"slices"
	"strings"

	"drrun/lua"
	"drrun/ovirt"
)

// What Check finds about the kinds of storage: formats, LUNs and who sees them.

// formats compares the storage format of a domain with what its data centers at both sites read: an attach upgrades an older one for
// good, and refuses a newer one.
func (c *checker) formats(d StorageDomain, side DomainSide, dc *ovirt.DataCenter, add addDomainFinding) {
	format, to := c.formatOf(d), dc.AttachFormat()
	if format == "" || to == "" || format == to {
		return
	}
	if format > to { // v1 … v5: they compare as text
		add(SeverityError, "storage-format-newer", "upgrade that data center first", side.Pos, "storage domain %q has format %s; data center %q of site %q reads only up to %s", d.Name, format, dc.Name, c.targetName, to)
		return
	}
	if !d.UpgradeFormat {
		add(SeverityError, "storage-format-upgrade", "attach it to a data center of that format, upgrade that of site \""+c.sourceName+"\" first, or consent: upgrade_format = true", side.Pos,
			"storage domain %q has format %s; data center %q of site %q would upgrade it to %s, which site %q may not read and cannot be undone", d.Name, format, dc.Name, c.targetName, to, c.sourceName)
		return
	}
	add(SeverityWarning, "storage-format-one-way", "upgrade the data center of site \""+c.sourceName+"\" before you bring it back", side.Pos,
		"storage domain %q has format %s and is upgraded to %s by data center %q of site %q, as the plan allows: site %q can take it back only when its data center %q reads %s", d.Name, format, to, dc.Name, c.targetName,
		c.sourceName, d.Side(c.sourceName).DataCenter, to)
}

// formatOf is the storage format of a domain, by the live source or the inventory; "" when it is not known.
func (c *checker) formatOf(d StorageDomain) string {
	if there := c.source.known(d.ID); there != nil && there.Format != "" {
		return there.Format
	}
	if c.inv == nil {
		return ""
	}
	at := slices.IndexFunc(c.inv.Domains, func(was InventoryDomain) bool { return was.ID == d.ID })
	if at < 0 {
		return ""
	}
	return c.inv.Domains[at].Format
}

// known is domain, of a site that may be silent.
func (v *siteView) known(id string) *ovirt.StorageDomain {
	if v == nil || id == "" {
		return nil
	}
	return v.domain(id)
}

// originalLUNs are the LUNs of a block domain at the source: those of the plan and those that its engine shows.
func (c *checker) originalLUNs(d StorageDomain) []string {
	ids := slices.Clone(d.Side(c.sourceName).LUNs)
	if there := c.source.known(d.ID); there != nil {
		ids = append(ids, there.LUNIDs()...)
	}
	if c.inv != nil && c.sourceName == Primary {
		for _, was := range c.inv.Domains {
			if was.ID == d.ID {
				ids = append(ids, was.LUNs...)
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// lunHosts are the hosts of the target to ask for the LUNs that they see: those that are up where the plan brings LUNs to.
func (c *checker) lunHosts(v *siteView) []ovirt.Host {
	if c.o.Action == ActionClean {
		return nil
	}
	var hosts []ovirt.Host
	for _, id := range c.targetDataCenters(v) {
		block := len(c.plan.Mappings.LUNs) > 0 || slices.ContainsFunc(c.plan.StorageDomains, func(d StorageDomain) bool {
			dc := v.dataCenterNamed(d.Side(c.targetName).DataCenter)
			return !fileType(d.Type) && dc != nil && dc.ID == id
		})
		if block {
			hosts = append(hosts, v.upHosts(id)...)
		}
	}
	return hosts
}

// blockDomain checks who sees the LUNs of a block domain at the target.
func (c *checker) blockDomain(d StorageDomain, side DomainSide, dc *ovirt.DataCenter, add addDomainFinding) {
	originals := c.originalLUNs(d)
	hosts := c.target.upHosts(dc.ID)
	for _, host := range hosts {
		for _, lun := range c.target.luns[host.ID] {
			if slices.Contains(originals, lun.ID) && !slices.Contains(side.LUNs, lun.ID) {
				add(SeverityError, "source-lun-visible", "let the array show the hosts of a site only its own LUNs", side.Pos,
					"host %s of site %q sees LUN %s, which is that of storage domain %q at site %q: the original could be taken for the replica", host.Name, c.targetName, lun.ID, d.Name, c.sourceName)
			}
		}
	}
	c.seenLUNs(side.LUNs, d.Type == StorageISCSI, hosts, func(severity, text string) {
		add(severity, "lun-not-visible", "promote it and let the array show it to every host of the data center, before or by the hook promote_storage", side.Pos, "storage domain %q: %s", d.Name, text)
	})
}

// seenLUNs tells which hosts do not see LUNs that they will need. LUNs behind iSCSI targets are seen only by who has logged in, which
// the run does.
func (c *checker) seenLUNs(ids []string, iscsi bool, hosts []ovirt.Host, tell func(severity, text string)) {
	for _, id := range ids {
		var see, blind []string
		for _, host := range hosts {
			if c.target.lunsErr[host.ID] != nil {
				continue
			}
			if slices.ContainsFunc(c.target.luns[host.ID], func(lun ovirt.HostLUN) bool { return lun.ID == id }) {
				see = append(see, host.Name)
			} else {
				blind = append(blind, host.Name)
			}
		}
		switch {
		case len(blind) == 0 || iscsi && len(see) == 0:
		case len(see) == 0:
			tell(SeverityWarning, fmt.Sprintf("no host of site %q sees LUN %s now", c.targetName, id))
		case !iscsi:
			tell(SeverityWarning, fmt.Sprintf("LUN %s is not seen by %s of site %q, which the attach would set non-operational", id, nameList(blind, 8), c.targetName))
		}
	}
}

// meetBlock compares a block domain of the plan with one that the target has: by the LUNs.
func (c *checker) meetBlock(d StorageDomain, side DomainSide, there *ovirt.StorageDomain) (wrong string) {
	has := there.LUNIDs()
	for _, id := range c.originalLUNs(d) {
		if slices.Contains(has, id) && !slices.Contains(side.LUNs, id) {
			return fmt.Sprintf("on LUN %s, which is that of site %q", id, c.sourceName)
		}
	}
	want := slices.Compact(slices.Sorted(slices.Values(side.LUNs)))
	if len(want) > 0 && len(has) > 0 && !slices.Equal(has, want) {
		return fmt.Sprintf("on LUN %s instead of %s", strings.Join(has, ", "), strings.Join(want, ", "))
	}
	return ""
}

// takes reports whether another domain of the target lies where one of the plan is to be imported from.
func takes(there *ovirt.StorageDomain, side DomainSide) (place string, taken bool) {
	if side.Place.Path != "" {
		return side.Place.String(), lies(*there, side.Place) == here
	}
	for _, id := range there.LUNIDs() {
		if slices.Contains(side.LUNs, id) {
			return "LUN " + id, true
		}
	}
	return "", false
}

// directLUNs checks the LUNs that are disks of the plan's VMs: each is mapped, and the hosts of its VM's data center see where it leads.
func (c *checker) directLUNs() {
	mapped := map[string]bool{}
	for _, m := range c.plan.Mappings.LUNs {
		mapped[m.Side(c.sourceName).ID] = true
	}
	hosts := map[string][]ovirt.Host{} // that may run a VM with the LUN, by its id at the source
	for _, vm := range c.plan.VMs {
		record := c.survey.VM(vm.ID).Record
		if record == nil || record.ReadAt() != c.sourceName {
			continue
		}
		for _, disk := range record.Disks {
			switch {
			case disk.LUN == nil:
			case !mapped[disk.LUN.ID]:
				c.add(finding(SeverityError, ScopeVM, "lun-unmapped", "VM %q has LUN %s as its disk %q, and the plan does not say which LUN takes its place at site %q: the registration would be refused", vm.Name, disk.LUN.ID, disk.Alias, c.targetName).
					on(c.sourceName, "vm", vm.ID, vm.Name).at(vm.Pos).hint("add it to mappings.luns, with optional = true where the VM can do without it"))
			case c.target != nil:
				placed, _ := c.survey.Place(vm)
				if cluster := c.target.clusterNamed(placed.Cluster); cluster != nil {
					hosts[disk.LUN.ID] = c.target.upHosts(cluster.DataCenterID)
				}
			}
		}
	}
	if c.target == nil {
		return
	}
	for _, m := range c.plan.Mappings.LUNs {
		to := m.Side(c.targetName)
		if to.ID == "" {
			continue
		}
		c.seenLUNs([]string{to.ID}, len(to.Targets) > 0, hosts[m.Side(c.sourceName).ID], func(severity, text string) {
			c.add(finding(severity, ScopeRun, "lun-not-visible", "%s", text).on(c.targetName, "lun", to.ID, to.ID).at(m.sidePos(c.targetName)).
				hint("let the array show it to every host of the clusters that run its VM"))
		})
	}
}

// hostedEngine refuses a plan that moves the engine's own VM.
func (c *checker) hostedEngine() {
	for _, v := range []*siteView{c.source, c.target} {
		if v == nil {
			continue
		}
		for i := range v.vms {
			there := &v.vms[i]
			at := slices.IndexFunc(c.plan.VMs, func(vm VM) bool { return vm.ID == there.ID })
			if at < 0 || !isHostedEngine(*there) {
				continue
			}
			vm := c.plan.VMs[at]
			c.add(finding(SeverityError, ScopeRun, "vm-hosted-engine", "VM %q is the VM of the engine of site %q itself: to shut it down would end the engine, and it belongs to one site", there.Name, v.name).
				on(v.name, "vm", vm.ID, vm.Name).at(vm.Pos).hint("take it out of the plan"))
		}
	}
}

// typeDrift warns where the live source has another kind of storage than the plan says.
func (c *checker) typeDrift(d StorageDomain, pos lua.Pos) {
	there := c.source.known(d.ID)
	if there == nil || there.StorageType == "" || d.Type == "" || there.StorageType == d.Type {
		return
	}
	c.add(finding(SeverityError, ScopeStorageDomain, "storage-type", "storage domain %q is of type %s at site %q, and of type %s in the plan", d.Name, there.StorageType, c.sourceName, d.Type).
		on(c.sourceName, "storage_domain", d.ID, d.Name).at(pos).hint("correct the type, or generate the plan again"))
}
