package plans

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drrun/ovirt"
)

// RefreshOptions say what Refresh knows of the moment.
type RefreshOptions struct {
	Now time.Time // model time
	// PrimaryErr and SecondaryErr say why a site is nil.
	PrimaryErr, SecondaryErr error
}

// Refreshed is an inventory brought up to date, and what was found on the way.
type Refreshed struct {
	Inventory *Inventory
	Read      map[string]int // VMs that were read now, by the site that has them
	Kept      []string       // VMs of the plan whose record is as old as it was, by name
	Findings  []Finding
}

// Refresh reads where the VMs of a plan live now and returns the inventory with that. What could not be read keeps its record: nothing
// that old knew is lost, and old itself is not changed. old is nil where there is none yet; a nil site does not answer. The error says
// that neither site could be read.
//
// A VM lives at the site that has it registered with all its storage of the plan active. Where both have, one copy is stale and nothing
// here can tell which. A VM that lived at the secondary is not taken to be back at the primary while the secondary is silent: what the
// primary shows may be what a failover left there.
func Refresh(ctx context.Context, p *Plan, old *Inventory, primary, secondary *ovirt.Site, o RefreshOptions) (*Refreshed, error) {
	r := newRefresh(p, old, o.Now)
	sites := map[string]*ovirt.Site{Primary: primary, Secondary: secondary}
	reasons := map[string]error{Primary: o.PrimaryErr, Secondary: o.SecondaryErr}
	for _, name := range []string{Primary, Secondary} {
		site := sites[name]
		if site == nil {
			reasons[name] = cmp.Or(reasons[name], errors.New("it does not answer"))
			continue
		}
		view, err := look(ctx, site, viewParts{vms: true, attachedIn: func(v *siteView) []string { return v.dataCentersHolding(p) }})
		if err != nil {
			reasons[name] = err
			continue
		}
		r.views[name] = view
	}
	if len(r.views) == 0 {
		return nil, fmt.Errorf("neither site can be read: %s; %s", siteReason(Primary, reasons[Primary]), siteReason(Secondary, reasons[Secondary]))
	}
	for _, name := range []string{Primary, Secondary} {
		if r.views[name] == nil {
			r.silent(name, reasons[name])
		}
	}
	return r.finish(), nil
}

// refresh is one Refresh under way.
type refresh struct {
	plan  *Plan
	old   *Inventory // never nil
	now   time.Time
	views map[string]*siteView // of the sites that could be read
	out   *Refreshed
	// Names of VMs of the plan that keep their records, by why.
	both, left, inactive []string
	stopped              []string // that ran when they were recorded, and are down now
}

func newRefresh(p *Plan, old *Inventory, now time.Time) *refresh {
	if old == nil {
		old = &Inventory{}
	}
	return &refresh{plan: p, old: old, now: now.UTC(), views: map[string]*siteView{}, out: &Refreshed{Read: map[string]int{}}}
}

func (r *refresh) add(f Finding) { r.out.Findings = append(r.out.Findings, f) }

func (r *refresh) silent(name string, reason error) {
	code := "unreachable"
	var fault *ovirt.Error
	if errors.As(reason, &fault) {
		code = string(fault.Code)
	}
	r.add(finding(SeverityWarning, ScopeRun, "site-"+code, "%s: what lives there keeps its record", siteReason(name, reason)).on(name, "site", "", name).
		at(r.plan.Site(name).Pos).hint("%s", siteHint(code, name, r.plan.Site(name))))
}

// finish makes the inventory of what was read.
func (r *refresh) finish() *Refreshed {
	inv := &Inventory{Schema: InventorySchema, Taken: r.now, Plan: r.plan.Name, Sites: r.old.Sites, Domains: r.domains()}
	for name, view := range r.views {
		*inv.Site(name) = view.inventorySite(r.plan.Site(name).URL)
	}
	registered := map[string]map[string]*ovirt.VM{}
	for name, view := range r.views {
		registered[name] = make(map[string]*ovirt.VM, len(view.vms))
		for i := range view.vms {
			registered[name][view.vms[i].ID] = &view.vms[i]
		}
	}
	planned := make(map[string]bool, len(r.plan.VMs))
	for _, vm := range r.plan.VMs {
		planned[vm.ID] = true
		if record := r.vm(vm.ID, &vm, registered); record != nil {
			inv.VMs = append(inv.VMs, *record)
		}
	}
	for _, vm := range r.old.VMs {
		if !planned[vm.ID] {
			inv.VMs = append(inv.VMs, *r.vm(vm.ID, nil, registered))
		}
	}
	slices.SortFunc(inv.VMs, func(a, b InventoryVM) int { return cmp.Or(naturalCompare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	inv.index()
	r.fresh(inv)
	r.explain()
	for i := range r.out.Findings {
		if f := &r.out.Findings[i]; f.Source == "" && r.plan.source != nil {
			f.Source = r.plan.source(f.Pos)
		}
	}
	SortFindings(r.out.Findings)
	r.out.Inventory = inv
	return r.out
}

// vm returns the record of one VM, nil where nothing is known of it. named is its entry in the plan, nil for one that is not in it.
func (r *refresh) vm(id string, named *VM, registered map[string]map[string]*ovirt.VM) *InventoryVM {
	old, known := r.old.VM(id)
	home := ""
	var holders, there []string
	for _, name := range []string{Primary, Secondary} {
		vm := registered[name][id]
		if vm == nil {
			continue
		}
		there = append(there, name)
		if r.views[name].holdOn(vm, r.plan) == holdActive {
			holders, home = append(holders, name), name
		}
	}
	left := known && old.ReadAt() == Secondary && home == Primary && r.views[Secondary] == nil
	if len(holders) == 1 && !left {
		record := r.views[home].inventoryVM(*registered[home][id])
		record.Site, record.Seen = home, r.now
		if home == Secondary && known {
			record.Home, _ = r.old.HomeOf(id)
		}
		if named != nil && known && ranBy(old.Status) == RanUp && ranBy(record.Status) == RanDown {
			r.stopped = append(r.stopped, named.Name)
		}
		r.out.Read[home]++
		return &record
	}
	if named != nil {
		r.keep(named, known, holders, there, left)
	}
	if !known {
		return nil
	}
	kept := *old
	kept.Site, kept.Seen = old.ReadAt(), r.old.SeenAt(old)
	return &kept
}

// keep notes why a VM of the plan was not read.
func (r *refresh) keep(vm *VM, known bool, holders, there []string, left bool) {
	if known {
		r.out.Kept = append(r.out.Kept, vm.Name)
	}
	switch {
	case left:
		r.left = append(r.left, vm.Name)
	case len(holders) > 1:
		r.both = append(r.both, vm.Name)
	case len(there) > 0:
		r.inactive = append(r.inactive, vm.Name)
	case len(r.views) == 2:
		r.add(finding(SeverityWarning, ScopeVM, "vm-vanished", "neither site has VM %q (%s)", vm.Name, vm.ID).on("", "vm", vm.ID, vm.Name).at(vm.Pos).
			hint("if it was removed, take it out of the plan; if not, compare its id with the engine's"))
	}
}

// explain adds the findings about VMs that keep their records, one for each reason.
func (r *refresh) explain() {
	for _, reason := range []struct {
		names            []string
		code, text, hint string
	}{
		{r.both, "vm-at-both", "both sites have them with active storage, so one copy is stale, and they keep their records", "stop and clean the site that was left: drrun status " + r.plan.File},
		{r.left, "vm-site-unsure", "last seen at site \"secondary\", which is silent, and site \"primary\" shows them too, perhaps as a failover left them: they keep their records", "take it again when both sites answer"},
		{r.inactive, "vm-storage-inactive", "registered, but not all of their storage is active there, so they keep their records", "drrun status " + r.plan.File},
	} {
		if len(reason.names) > 0 {
			r.add(finding(SeverityWarning, ScopeRun, reason.code, "%s: %s (%s)", countVMs(len(reason.names)), reason.text, nameList(reason.names, 8)).at(r.plan.Pos).hint("%s", reason.hint))
		}
	}
	if len(r.stopped) > 0 {
		r.add(finding(SeverityInfo, ScopeRun, "vm-stopped-since", "up when last recorded and down now, so not started by a failover from here on: %s (%s)", countVMs(len(r.stopped)), nameList(r.stopped, 8)).
			at(r.plan.Pos).hint("if they are to run, start them, or write start = true"))
	}
}

// fresh reports VMs on the plan's storage that nobody has decided about: neither the plan nor the inventory that generate wrote names
// them. They are not recorded, so that they are reported until somebody does.
func (r *refresh) fresh(inv *Inventory) {
	var ids []string
	for _, d := range r.plan.StorageDomains {
		ids = append(ids, d.ID)
	}
	for _, name := range []string{Primary, Secondary} {
		view := r.views[name]
		if view == nil {
			continue
		}
		var names []string
		for i := range view.vms {
			vm := &view.vms[i]
			_, known := inv.VM(vm.ID)
			inPlan := slices.ContainsFunc(r.plan.VMs, func(planned VM) bool { return planned.ID == vm.ID })
			if !known && !inPlan && !isHostedEngine(*vm) && hasDiskOn(*vm, ids) && view.holdOn(vm, r.plan) == holdActive {
				names = append(names, vm.Name)
			}
		}
		if len(names) > 0 {
			r.add(finding(SeverityWarning, ScopeRun, "vm-new", "not in the plan, and so never moved: %s on its storage domains at site %q (%s)", countVMs(len(names)), name, nameList(names, 8)).
				on(name, "site", "", name).at(r.plan.Pos).hint("generate the plan again into another file, and take over what is new"))
		}
	}
}

// domains returns the storage domains as the primary has them; those that are not active there, or at both sites, as it had them.
func (r *refresh) domains() []InventoryDomain {
	records := slices.Clone(r.old.Domains)
	primary := r.views[Primary]
	for _, planned := range r.plan.StorageDomains {
		if primary == nil || primary.holdsDomain(Primary, planned.ID).Status != "active" || r.views[Secondary].holdsDomain(Secondary, planned.ID).Holds {
			continue
		}
		record := primary.inventoryDomain(*primary.domain(planned.ID))
		if i := slices.IndexFunc(records, func(d InventoryDomain) bool { return d.ID == planned.ID }); i >= 0 {
			records[i] = record
		} else {
			records = append(records, record)
		}
	}
	return records
}

func (v *siteView) inventoryDomain(d ovirt.StorageDomain) InventoryDomain {
	settings := d.Settings
	options, _ := withoutSecrets(d.MountOptions)
	return InventoryDomain{Settings: &settings, VFSType: d.VFSType, LUNs: d.LUNIDs(), ID: d.ID, Name: d.Name, Type: d.StorageType, Address: d.Address, Path: d.Path, NFSVersion: d.NFSVersion, MountOptions: options,
		DataCenter: v.dataCenterName(d.DataCenterID), Status: d.Status, Master: d.Master, Format: d.Format}
}

// Save writes the inventory beside its plan, whole or not at all.
func (inv *Inventory) Save(files Files, planFile string) error {
	data, err := inv.Encode()
	if err != nil {
		return err
	}
	file := InventoryFile(planFile)
	if err := files.WriteFile(file, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
