package plans

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drrun/lua"
	"drrun/ovirt"
	"drrun/stdlib"
)

// blankTemplate is the id of the template "Blank", which every engine has.
const blankTemplate = "00000000-0000-0000-0000-000000000000"

// The boot conditions and ranks of a generated plan.
const (
	generatedDelay        = 60 * time.Second // boot.wait of VMs without a guest agent
	generatedAgentTimeout = 5 * time.Minute
	generatedHARank       = 0
)

// GenerateOptions say what Generate reads and writes.
type GenerateOptions struct {
	Name               string // of the plan
	File               string // where the plan will lie: for the header, and the folder that relative paths start in
	Primary, Secondary *ovirt.Site
	// PrimarySpec and SecondarySpec are written into the plan as they are, except that CAFile becomes relative to File when it lies
	// below its folder. Passwords are not looked at.
	PrimarySpec, SecondarySpec       SiteSpec
	PrimaryStorage, SecondaryStorage string          // lists of storage URLs
	Params                           json.RawMessage // an object, or empty
	Now                              time.Time       // model time; goes into the inventory only
}

// Generated is a new plan with its inventory.
type Generated struct {
	Plan      []byte // Lua text
	Inventory *Inventory
	Summary   Summary
}

// Summary tells people what a generated plan holds and what it cannot know.
type Summary struct {
	StorageDomains []string  `json:"storage_domains"`
	VMs            int       `json:"vms"`
	Ranks          []Rank    `json:"ranks"`   // ascending
	Running        int       `json:"running"` // of the VMs
	Templates      int       `json:"templates"`
	Clusters       int       `json:"clusters"`
	VNICProfiles   int       `json:"vnic_profiles"`
	Todos          []string  `json:"todos"` // the sentences of dr.todo, in the order of the plan
	Findings       []Finding `json:"findings"`
}

// Rank names the VMs of one rank, in the order of the plan.
type Rank struct {
	Rank int      `json:"rank"`
	VMs  []string `json:"vms"`
}

func ranksOf(p *Plan) []Rank {
	ranks := []Rank{}
	for _, rank := range p.Ranks() {
		one := Rank{Rank: rank.Number}
		for _, i := range rank.VMs {
			one.VMs = append(one.VMs, p.VMs[i].Name)
		}
		ranks = append(ranks, one)
	}
	return ranks
}

// Generate reads both engines and writes a plan for the storage domains of the two lists: about 20 reads, whatever their size.
// It changes nothing. Errors about the lists are StorageURLErrors; errors about what the engines have are a FindingsError with all of them.
func Generate(ctx context.Context, o GenerateOptions) (*Generated, error) {
	pairs, err := pairLists(o.PrimaryStorage, o.SecondaryStorage)
	if err != nil {
		return nil, err
	}
	params, err := decodeParams(o.Params)
	if err != nil {
		return nil, err
	}
	primary, err := look(ctx, o.Primary, viewParts{vms: true, attachedIn: func(v *siteView) []string { return dataCentersOf(v, pairs) }})
	if err != nil {
		return nil, err
	}
	there := viewParts{}
	if wantsLUNs(primary, pairs) {
		there = viewParts{hosts: true, lunsOf: (*siteView).oneHostEach}
	}
	secondary, err := look(ctx, o.Secondary, there)
	if err != nil {
		return nil, err
	}
	return compose(primary, secondary, pairs, params, o)
}

// pairLists parses and pairs both lists, with the findings of both at once.
func pairLists(primary, secondary string) ([]StoragePair, error) {
	p, errs := parseStorageList(Primary, primary)
	s, more := parseStorageList(Secondary, secondary)
	if errs = append(errs, more...); len(errs) > 0 {
		return nil, errs
	}
	return PairStorage(p, s)
}

func dataCentersOf(v *siteView, pairs []StoragePair) []string {
	var ids []string
	for _, pair := range pairs {
		for _, d := range v.at(pair.Primary) {
			if d.DataCenterID != "" && !slices.Contains(ids, d.DataCenterID) {
				ids = append(ids, d.DataCenterID)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// compose makes the plan from what both engines said. It is pure: the same views give the same bytes.
func compose(primary, secondary *siteView, pairs []StoragePair, params map[string]any, o GenerateOptions) (*Generated, error) {
	domains, err := matchDomains(primary, secondary, pairs)
	if err != nil {
		return nil, err
	}
	if primary.product.InstanceID != "" && primary.product.InstanceID == secondary.product.InstanceID {
		return nil, FindingsError{finding(SeverityError, ScopeRun, "sites-same-engine", "both sites are one engine (instance id %s)", primary.product.InstanceID).
			hint("give the address of the other site's engine as --secondary-url")}
	}
	inv := takeInventory(primary, secondary, domains, o)
	plan, remarks := draft(inv, domains, secondary.freeLUNs(domains), params, o)
	text, err := Write(plan, remarks)
	if err != nil {
		return nil, err
	}
	g := &Generated{Plan: text, Inventory: inv, Summary: Summary{
		VMs: len(plan.VMs), Ranks: ranksOf(plan), Templates: len(plan.Templates), Clusters: len(plan.Mappings.Clusters), VNICProfiles: len(plan.Mappings.VNICProfiles),
		Todos: todosOf(plan), Findings: slices.Concat(surveyPrimary(primary, inv), surveyLeftOut(primary, inv), surveySecondary(secondary, domains), surveyReplicas(domains), surveyClusters(inv, plan)),
	}}
	for _, d := range plan.StorageDomains {
		g.Summary.StorageDomains = append(g.Summary.StorageDomains, d.Name)
	}
	for _, vm := range inv.VMs {
		if vm.Status != "down" {
			g.Summary.Running++
		}
	}
	SortFindings(g.Summary.Findings)
	return g, nil
}

// takeInventory records what the primary engine said about the domains and their VMs, and the names that both sites have.
func takeInventory(primary, secondary *siteView, domains []matchedDomain, o GenerateOptions) *Inventory {
	inv := &Inventory{Schema: InventorySchema, Taken: o.Now.UTC(), Plan: o.Name, VMs: []InventoryVM{},
		Sites: InventorySites{Primary: primary.inventorySite(o.PrimarySpec.URL), Secondary: secondary.inventorySite(o.SecondarySpec.URL)}}
	var ids []string
	for _, m := range domains {
		d := m.domain
		ids = append(ids, d.ID)
		inv.Domains = append(inv.Domains, primary.inventoryDomain(d))
	}
	for _, vm := range primary.vms {
		if isHostedEngine(vm) || !hasDiskOn(vm, ids) {
			continue
		}
		inv.VMs = append(inv.VMs, primary.inventoryVM(vm))
	}
	slices.SortFunc(inv.VMs, func(a, b InventoryVM) int { return cmp.Or(naturalCompare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	inv.index()
	return inv
}

func isHostedEngine(vm ovirt.VM) bool {
	return strings.Contains(vm.Origin, "hosted_engine") || vm.Name == "HostedEngine"
}

func hasDiskOn(vm ovirt.VM, domainIDs []string) bool {
	return slices.ContainsFunc(vm.Disks, func(d ovirt.Disk) bool {
		return slices.ContainsFunc(d.StorageDomainIDs, func(id string) bool { return slices.Contains(domainIDs, id) })
	})
}

func (v *siteView) inventoryVM(vm ovirt.VM) InventoryVM {
	record := InventoryVM{ID: vm.ID, Name: vm.Name, Status: vm.Status, Host: vm.HostID, HA: vm.HAEnabled, DeleteProtected: vm.DeleteProtected,
		GuestAgent: vm.FQDN != "" || vm.GuestOS != "", IllegalImages: vm.IllegalImages, LeaseDomainID: vm.LeaseDomainID, Memory: vm.Memory, Description: vm.Description,
		NICs: []InventoryNIC{}, Disks: []InventoryDisk{}}
	if vm.HAEnabled {
		record.HAPriority = vm.HAPriority
	}
	if c := v.cluster(vm.ClusterID); c != nil {
		record.Cluster = c.Name
	}
	if vm.TemplateID != blankTemplate {
		record.TemplateID = vm.TemplateID
	}
	for _, nic := range vm.NICs {
		n := InventoryNIC{ID: nic.ID, Name: nic.Name, MAC: strings.ToLower(nic.MAC), Interface: nic.Interface, Linked: nic.Linked, Plugged: nic.Plugged}
		if ref, _, ok := v.profileRef(nic.ProfileID); ok {
			n.Profile = &ref
		}
		record.NICs = append(record.NICs, n)
	}
	slices.SortFunc(record.NICs, func(a, b InventoryNIC) int {
		return cmp.Or(naturalCompare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	for _, disk := range vm.Disks {
		record.Disks = append(record.Disks, InventoryDisk{ID: disk.ID, Alias: disk.Alias, Size: disk.Size, StorageType: disk.StorageType, Bootable: disk.Bootable,
			Active: disk.Active, LUN: inventoryLUN(disk), StorageDomainIDs: slices.Sorted(slices.Values(disk.StorageDomainIDs))})
	}
	slices.SortFunc(record.Disks, func(a, b InventoryDisk) int {
		return cmp.Or(naturalCompare(a.Alias, b.Alias), strings.Compare(a.ID, b.ID))
	})
	return record
}

// draft makes the plan of an inventory, with the remarks that stand behind its lines. It is pure.
func draft(inv *Inventory, domains []matchedDomain, freeLUNs []string, params map[string]any, o GenerateOptions) (p *Plan, remarks WriteOptions) {
	remarks.File = o.File
	p = &Plan{File: o.File, Name: o.Name, Primary: o.PrimarySpec, Secondary: o.SecondarySpec, Params: params, LeaseExpiry: DefaultLeaseExpiry}
	for _, spec := range []*SiteSpec{&p.Primary, &p.Secondary} {
		spec.CAFile = relativeTo(o.File, spec.CAFile)
	}
	targetDC := map[string]string{} // data center of the primary site -> that of the secondary one, where known
	inPlan := map[string]bool{}
	for i, m := range domains {
		inPlan[inv.Domains[i].ID] = true
		p.StorageDomains = append(p.StorageDomains, draftDomain(inv, inv.Domains[i], m, targetDC))
	}
	p.VMs, remarks.VMComments = draftVMs(inv, inPlan)
	p.Mappings.Clusters, remarks.ClusterComments = draftClusters(inv, targetDC)
	p.Mappings.VNICProfiles = draftProfiles(inv, targetDC)
	p.Mappings.LUNs = draftLUNs(inv, freeLUNs)
	p.Templates = draftTemplates(inv)
	return p, remarks
}

func draftVMs(inv *Inventory, inPlan map[string]bool) (vms []VM, comments map[string]string) {
	comments = map[string]string{}
	for _, record := range inv.VMs {
		vm := VM{Name: record.Name, ID: record.ID, Rank: DefaultRank, Start: StartAsBefore, OnError: OnErrorContinue, Grace: DefaultGrace,
			Boot: &stdlib.Condition{Kind: stdlib.ConditionWait, Delay: generatedDelay}}
		if record.HA {
			vm.Rank = generatedHARank
		}
		if record.GuestAgent {
			vm.Boot = &stdlib.Condition{Kind: stdlib.ConditionGuestAgent, Timeout: generatedAgentTimeout}
		}
		if problem := record.diskProblem(inv, inPlan); problem != "" {
			comments[vm.ID] = problem
		}
		vms = append(vms, vm)
	}
	// The inventory has them in natural order already.
	slices.SortStableFunc(vms, func(a, b VM) int { return cmp.Compare(a.Rank, b.Rank) })
	return vms, comments
}

// diskProblem says which disks of a VM the plan does not bring along.
func (vm *InventoryVM) diskProblem(inv *Inventory, inPlan map[string]bool) string {
	luns := 0
	for _, disk := range vm.Disks {
		if disk.StorageType == "lun" {
			luns++
		}
	}
	var parts []string
	if elsewhere := vm.domainsElsewhere(inv, inPlan); len(elsewhere) > 0 {
		parts = append(parts, "has disks outside this plan: "+nameList(elsewhere, 4))
	}
	switch {
	case luns == 1:
		parts = append(parts, "has a direct LUN: see mappings.luns")
	case luns > 1:
		parts = append(parts, fmt.Sprintf("has %d direct LUNs: see mappings.luns", luns))
	}
	return strings.Join(parts, "; ")
}

// domainsElsewhere names the storage domains outside of the plan on which a VM has disks.
func (vm *InventoryVM) domainsElsewhere(inv *Inventory, inPlan map[string]bool) []string {
	var elsewhere []string
	for _, disk := range vm.Disks {
		for _, id := range disk.StorageDomainIDs {
			if !inPlan[id] {
				elsewhere = append(elsewhere, inv.Sites.Primary.domainName(id))
			}
		}
	}
	return elsewhere
}

func (s *InventorySite) domainName(id string) string {
	for _, d := range s.Domains {
		if d.ID == id {
			return d.Name
		}
	}
	return id
}

// draftClusters maps each cluster in use to the one of the same name. Where the target data center has exactly one cluster, of the same
// architecture, there is nothing to choose: it is taken whatever its name, and said so behind the line.
func draftClusters(inv *Inventory, targetDC map[string]string) (mappings []ClusterMapping, comments map[string]string) {
	comments = map[string]string{}
	users := map[string][]string{}
	for _, vm := range inv.VMs {
		users[vm.Cluster] = append(users[vm.Cluster], vm.Name)
	}
	for _, name := range slices.SortedFunc(maps.Keys(users), naturalCompare) {
		if name == "" {
			continue // a VM outside of every cluster does not run
		}
		mapping := ClusterMapping{Primary: name}
		source, _ := inv.Sites.Primary.Cluster(name)
		wanted := targetDC[source.DataCenter]
		var there []string
		sole := InventoryCluster{}
		for _, c := range inv.Sites.Secondary.Clusters {
			if wanted == "" || c.DataCenter == wanted {
				there, sole = append(there, c.Name), c
			}
		}
		switch {
		case slices.Contains(there, name):
			mapping.Secondary = name
		case len(there) == 1 && wanted != "" && sole.Architecture == source.Architecture:
			mapping.Secondary = sole.Name
			comments[name] = "the only cluster there"
		default:
			place := "the secondary site"
			if wanted != "" {
				place = fmt.Sprintf("its data center %q", wanted)
			}
			mapping.Todo = sentence("the secondary cluster for the VMs of %q (%s); %s has: %s", name, nameList(users[name], 3), place, nameList(there, 8))
		}
		mappings = append(mappings, mapping)
	}
	return mappings, comments
}

func draftProfiles(inv *Inventory, targetDC map[string]string) []ProfileMapping {
	users := map[ProfileRef][]string{}
	for _, vm := range inv.VMs {
		for _, nic := range vm.NICs {
			if nic.Profile != nil {
				users[*nic.Profile] = append(users[*nic.Profile], vm.Name)
			}
		}
	}
	var mappings []ProfileMapping
	for _, ref := range slices.SortedFunc(maps.Keys(users), compareProfiles) {
		mapping := ProfileMapping{Primary: ref}
		wanted := ProfileRef{DataCenter: cmp.Or(targetDC[ref.DataCenter], ref.DataCenter), Network: ref.Network, Profile: ref.Profile}
		if slices.Contains(inv.Sites.Secondary.Profiles, wanted) {
			mapping.Secondary = wanted
		} else {
			var there []string
			for _, other := range inv.Sites.Secondary.Profiles {
				there = append(there, other.String())
			}
			mapping.Todo = sentence("the secondary vNIC profile for %s (%s), as { data_center = …, network = …, profile = … }; the secondary site has: %s", ref, nameList(users[ref], 3), nameList(there, 6))
		}
		mappings = append(mappings, mapping)
	}
	return mappings
}

func draftTemplates(inv *Inventory) []Template {
	used := map[string]bool{}
	for _, vm := range inv.VMs {
		used[vm.TemplateID] = true
	}
	var templates []Template
	for _, t := range inv.Sites.Primary.Templates {
		if used[t.ID] {
			templates = append(templates, Template{Name: t.Name, ID: t.ID})
		}
	}
	return templates
}

// sentence makes the text of a dr.todo. Names in it come from an engine: it stays on one line.
func sentence(format string, args ...any) string { return commentText(fmt.Sprintf(format, args...)) }

func compareEntities(a, b InventoryEntity) int {
	return cmp.Or(naturalCompare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
}

func compareProfiles(a, b ProfileRef) int {
	return cmp.Or(naturalCompare(a.DataCenter, b.DataCenter), naturalCompare(a.Network, b.Network), naturalCompare(a.Profile, b.Profile))
}

// todosOf returns the sentences that a drafted plan leaves to people, in the order of its text.
func todosOf(p *Plan) []string {
	todos := []string{}
	add := func(todo string) {
		if todo != "" {
			todos = append(todos, todo)
		}
	}
	for _, d := range p.StorageDomains {
		add(d.Primary.Todo)
		add(d.Secondary.Todo)
	}
	for _, c := range p.Mappings.Clusters {
		add(c.Todo)
	}
	for _, m := range p.Mappings.VNICProfiles {
		add(m.Todo)
	}
	for _, m := range p.Mappings.LUNs {
		add(m.Todo)
	}
	return todos
}

// relativeTo makes a file's path relative to the folder of the plan when it lies below it.
func relativeTo(planFile, file string) string {
	if file == "" || planFile == "" {
		return file
	}
	folder, err := filepath.Abs(filepath.Dir(planFile))
	if err != nil {
		return file
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	if relative, err := filepath.Rel(folder, absolute); err == nil && filepath.IsLocal(relative) {
		return filepath.ToSlash(relative)
	}
	return absolute
}

func decodeParams(data json.RawMessage) (map[string]any, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var params map[string]any
	if err := decoder.Decode(&params); err != nil {
		return nil, fmt.Errorf("read parameters: not a JSON object: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read parameters: something follows the JSON object")
	}
	return params, nil
}

// surveyPrimary tells what a plan cannot take along, or only in part.
func surveyPrimary(v *siteView, inv *Inventory) []Finding {
	var findings []Finding
	add := func(f Finding) { findings = append(findings, f) }
	inPlan := map[string]bool{}
	for _, d := range inv.Domains {
		inPlan[d.ID] = true
		if d.Status != "" && d.Status != "active" {
			add(finding(SeverityWarning, ScopeStorageDomain, "domain-not-active", "storage domain %q is %s at site %q: what the engine knows of its VMs may be old", d.Name, d.Status, Primary).
				on(Primary, "storage_domain", d.ID, d.Name))
		}
	}
	known := map[string]bool{}
	for i := range inv.VMs {
		vm := &inv.VMs[i]
		known[vm.ID] = true
		warn := func(code, hint, format string, args ...any) {
			add(finding(SeverityWarning, ScopeVM, code, "VM %q %s", vm.Name, fmt.Sprintf(format, args...)).on(Primary, "vm", vm.ID, vm.Name).hint("%s", hint))
		}
		if elsewhere := vm.domainsElsewhere(inv, inPlan); len(elsewhere) > 0 {
			warn("vm-disk-elsewhere", "add those storage domains to both lists, or take the VM out of the plan", "has disks outside this plan: %s", nameList(elsewhere, 4))
		}
		if vm.LeaseDomainID != "" && !inPlan[vm.LeaseDomainID] {
			warn("vm-lease-elsewhere", "move the lease to a storage domain of the plan", "has its lease on %q, outside this plan", inv.Sites.Primary.domainName(vm.LeaseDomainID))
		}
		if vm.DeleteProtected {
			warn("vm-delete-protected", "switch its delete protection off before it is moved back", "is delete-protected: the old site cannot be cleaned of it")
		}
		if vm.IllegalImages {
			warn("vm-illegal-images", "repair its disks at the primary site", "has disk images that its engine marks as illegal: it may not start")
		}
		if vm.Cluster == "" {
			warn("vm-without-cluster", "look at it in the engine", "belongs to no cluster that the engine shows")
		}
	}
	diskless := []string{}
	for _, vm := range v.vms {
		switch {
		case isHostedEngine(vm):
			if slices.ContainsFunc(vm.Disks, func(d ovirt.Disk) bool {
				return slices.ContainsFunc(d.StorageDomainIDs, func(id string) bool { return inPlan[id] })
			}) {
				add(finding(SeverityWarning, ScopeVM, "vm-hosted-engine", "VM %q is the engine's own VM and is left out", vm.Name).on(Primary, "vm", vm.ID, vm.Name))
			}
		case len(vm.Disks) == 0:
			diskless = append(diskless, vm.Name)
		}
	}
	if len(diskless) > 0 {
		add(finding(SeverityWarning, ScopeRun, "vm-without-disks", "%s without disks cannot be recovered from storage: %s", countVMs(len(diskless)), nameList(diskless, 8)).on(Primary, "vm", "", ""))
	}
	return findings
}

// surveyClusters tells where the map of clusters needs a look.
func surveyClusters(inv *Inventory, p *Plan) []Finding {
	var findings []Finding
	for _, m := range p.Mappings.Clusters {
		source, _ := inv.Sites.Primary.Cluster(m.Primary)
		target, ok := inv.Sites.Secondary.Cluster(m.Secondary)
		switch {
		case !ok:
		case source.Architecture != target.Architecture && source.Architecture != "" && target.Architecture != "":
			findings = append(findings, finding(SeverityWarning, ScopeRun, "cluster-architecture", "cluster %q is %s at site %q, %q is %s at site %q: its VMs cannot run there", m.Primary, source.Architecture, Primary, m.Secondary, target.Architecture, Secondary).
				on(Secondary, "cluster", target.ID, target.Name).hint("map it to a cluster of that architecture"))
		case m.Primary != m.Secondary:
			findings = append(findings, finding(SeverityInfo, ScopeRun, "cluster-by-choice", "cluster %q is mapped to %q, the only one of that data center at site %q", m.Primary, m.Secondary, Secondary).
				on(Secondary, "cluster", target.ID, target.Name))
		}
	}
	return findings
}

// surveySecondary tells what stands in the way of a failover already now.
func surveySecondary(v *siteView, domains []matchedDomain) []Finding {
	var findings []Finding
	for _, m := range domains {
		for _, d := range v.domains {
			switch {
			case d.ID == m.domain.ID:
				findings = append(findings, finding(SeverityWarning, ScopeStorageDomain, "domain-at-target", "storage domain %q (%s) is known to site %q already", m.domain.Name, d.ID, Secondary).
					on(Secondary, "storage_domain", d.ID, d.Name).hint("if it is left from an earlier move, put it into maintenance there, detach it, and remove it without formatting"))
			case d.Name == m.domain.Name:
				findings = append(findings, finding(SeverityWarning, ScopeStorageDomain, "domain-name-at-target", "site %q has another storage domain named %q (%s): the import of the plan's one would be refused", Secondary, d.Name, d.ID).
					on(Secondary, "storage_domain", d.ID, d.Name).hint("rename one of the two"))
			}
		}
	}
	return findings
}

func countVMs(n int) string {
	if n == 1 {
		return "1 VM"
	}
	return fmt.Sprintf("%d VMs", n)
}

// finding makes a finding without a place in the plan.
func finding(severity string, scope Scope, code, format string, args ...any) Finding {
	return Finding{Diagnostic: lua.Diagnostic{Severity: severity, Code: code, Message: fmt.Sprintf(format, args...)}, Scope: scope}
}

func (f Finding) on(site, kind, id, name string) Finding {
	f.Site, f.Kind, f.ID, f.Name = site, kind, id, name
	return f
}

func (f Finding) hint(format string, args ...any) Finding {
	f.Hint = fmt.Sprintf(format, args...)
	return f
}

func (f Finding) at(pos lua.Pos) Finding {
	f.Pos = pos
	return f
}
