package plans

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drrun/lua"
	"drrun/ovirt"
)

// StaleInventory is the age from which Check warns about an inventory.
const StaleInventory = 24 * time.Hour

// The actions of drrun itself. Check knows the direction of the first three.
const (
	ActionFailover = "failover"
	ActionFailback = "failback"
	// ActionClean takes what is left of a move from the site that was left: its target is that site, its source the one with the VMs.
	ActionClean = "clean"
	// ActionRollback undoes a planned run.
	ActionRollback = "rollback"
	// ActionConsole is the action of a run whose changes a person types. No other process goes on with it.
	ActionConsole = "console"
)

// BuiltInActions are the actions that are decided by their name, so no action of a plan's own may have it.
var BuiltInActions = []string{ActionFailover, ActionFailback, ActionClean, ActionRollback, ActionConsole}

// CheckOptions say for what Check looks at the sites.
type CheckOptions struct {
	// Action decides which site is the target: the secondary, and for ActionFailback the primary. Empty means ActionFailover.
	Action string
	// Target is the target's name where the action does not say which it is; needed for ActionClean and actions of the plan's own.
	Target string
	// Planned tells that the source takes part: what would keep its storage domains from being released is an error.
	Planned bool
	// Quarantine lets VMs that nobody can shut down stay at the source, with the storage domains that they lie on, instead of refusing.
	Quarantine bool
	// Now is the model time that the age of the inventory is measured at.
	Now time.Time
	// PrimaryErr and SecondaryErr say why a site is nil.
	PrimaryErr, SecondaryErr error
	// InventoryErr says why the inventory is nil; without it the file is said to be missing.
	InventoryErr error
	// Begins tells that an action is about to begin: then one whose target has everything already is refused.
	Begins bool
	// Speed is the factor that model time runs faster than real time with; 0 and 1 are the same. Any other is for the lab alone.
	Speed float64
}

// Moves tells whether an action takes storage and VMs from one site to the other. A clean and the actions of a plan's own work on one site.
func Moves(action string) bool { return action == ActionFailover || action == ActionFailback }

func (o CheckOptions) target() string {
	switch {
	case o.Target != "":
		return o.Target
	case o.Action == ActionFailback:
		return Primary
	}
	return Secondary
}

// cleans tells that what the target still has of the plan leaves before it takes over.
func (o CheckOptions) cleans() bool { return o.Planned || o.Action == ActionClean }

func (o CheckOptions) action() string { return cmp.Or(o.Action, ActionFailover) }

// Check compares a plan with its inventory and with the live sites, before an action. A nil site does not answer: that of the target
// refuses the run, that of the source is what a failover is for. It reads each collection of each site once, whatever the number of VMs,
// and changes nothing. Findings come back sorted by their place in the plan, with what was seen.
func Check(ctx context.Context, p *Plan, inv *Inventory, primary, secondary *ovirt.Site, o CheckOptions) (*Survey, []Finding) {
	c := &checker{plan: p, inv: inv, o: o, targetName: o.target(), sourceName: Other(o.target())}
	sites := map[string]*ovirt.Site{Primary: primary, Secondary: secondary}
	reasons := map[string]error{Primary: o.PrimaryErr, Secondary: o.SecondaryErr}
	c.inventory()
	holding := func(v *siteView) []string { return v.dataCentersHolding(p) }
	c.source = c.look(ctx, sites[c.sourceName], reasons[c.sourceName], c.sourceName, viewParts{vms: true, hosts: o.Planned, obstacles: o.Planned, attachedIn: holding})
	c.target = c.look(ctx, sites[c.targetName], reasons[c.targetName], c.targetName, viewParts{hosts: true, vms: true, attachedIn: c.targetDataCenters, lunsOf: c.lunHosts})
	c.compare()
	c.planned(ctx, sites[c.sourceName])
	c.direction()
	return c.survey, c.finish()
}

// CheckOffline is Check without the sites: what a plan and its inventory tell by themselves.
func CheckOffline(p *Plan, inv *Inventory, o CheckOptions) (*Survey, []Finding) {
	c := &checker{plan: p, inv: inv, o: o, targetName: o.target(), sourceName: Other(o.target())}
	c.inventory()
	c.compare()
	return c.survey, c.finish()
}

// direction refuses an action that would go where everything is already.
func (c *checker) direction() {
	if !c.o.Begins || !Moves(c.action()) {
		return
	}
	views := map[string]*siteView{c.sourceName: c.source, c.targetName: c.target}
	if wrong := c.plan.pair(views[Primary], views[Secondary], true).WrongDirection(c.action()); wrong != "" {
		c.add(finding(SeverityError, ScopeRun, "wrong-direction", "%s", wrong).hint("%s", c.wayBackHint()))
	}
}

// finish sorts the findings and adds the source lines that they point at.
func (c *checker) finish() []Finding {
	for i := range c.findings {
		if f := &c.findings[i]; f.Source == "" && c.plan.source != nil {
			f.Source = c.plan.source(f.Pos)
		}
	}
	SortFindings(c.findings)
	return c.findings
}

// checker collects the findings of one Check.
type checker struct {
	plan                   *Plan
	inv                    *Inventory
	o                      CheckOptions
	sourceName, targetName string
	source, target         *siteView // nil where a site does not answer
	survey                 *Survey   // of both
	findings               []Finding
}

func (c *checker) add(f Finding) { c.findings = append(c.findings, f) }

// compare runs every check that the views allow. What moves nothing needs no more than the right engines.
func (c *checker) compare() {
	c.survey = newSurvey(c.plan, c.inv, c.o, c.source, c.target)
	c.engines()
	if !Moves(c.action()) {
		return
	}
	c.drift()
	c.runSet()
	c.homes()
	c.clusters()
	c.profiles()
	c.placements()
	c.directLUNs()
	c.hostedEngine()
	if c.target == nil {
		return
	}
	c.domains()
	c.templates()
	c.vms()
}

func (c *checker) look(ctx context.Context, site *ovirt.Site, reason error, name string, parts viewParts) *siteView {
	var view *siteView
	if site != nil {
		view, reason = look(ctx, site, parts)
	}
	if reason == nil && view == nil {
		reason = errors.New("it does not answer")
	}
	if reason != nil {
		c.add(c.siteFinding(name, reason))
		return nil
	}
	return view
}

// siteFinding tells that a site cannot be read. For a failover a silent source is the reason to be here, not an obstacle.
func (c *checker) siteFinding(name string, reason error) Finding {
	code, hint := "unreachable", ""
	var fault *ovirt.Error
	if errors.As(reason, &fault) {
		code, hint = string(fault.Code), fault.Hint
	}
	spec := c.plan.Site(name)
	if hint == "" {
		hint = siteHint(code, name, spec)
	}
	f := finding(SeverityError, ScopeRun, "site-"+code, "%s", siteReason(name, reason)).on(name, "site", "", name).at(spec.Pos).hint("%s", hint)
	if name == c.targetName {
		return f
	}
	switch {
	case c.o.Action == ActionClean:
		f.Message = fmt.Sprintf("site %q is cleaned of what site %q has, which must answer to say so: %s", c.targetName, name, reason)
		return f
	case c.o.Planned:
		// Whatever keeps the source from being read keeps its VMs from being shut down in order.
		f.Message = fmt.Sprintf("a planned %s begins at site %q, which must answer to be released in order: %s", c.action(), name, reason)
		return f.hint("%s", strings.TrimPrefix(f.Hint+"; if the site is lost: "+c.unplanned(), "; "))
	}
	if code == string(ovirt.CodeUnreachable) || code == string(ovirt.CodeTimeout) {
		f.Severity = SeverityInfo
		f.Hint = "a " + c.action() + " then needs --confirm-source-down 'YOUR NAME: WHY'; check again when the site is back"
		return f
	}
	// It does answer, but tells nothing: the evidence that nothing runs there cannot be had this way, and not be waived either.
	f.Severity = SeverityWarning
	return f
}

// siteHint says what to do about a site that cannot be read.
func siteHint(code, name string, spec SiteSpec) string {
	switch ovirt.Code(code) {
	case ovirt.CodeUnreachable, ovirt.CodeTimeout:
		return "look whether " + engineHost(spec.URL) + " is up and can be reached from here"
	case ovirt.CodeCredentials, ovirt.CodeForbidden:
		secret := name + "_password"
		if spec.Password != nil {
			secret = spec.Password.Name()
		}
		return fmt.Sprintf("compare %s, and the username: admin@internal, or admin@ovirt@internal where the engine uses Keycloak (oVirt 4.5)", SecretVariable(secret))
	case ovirt.CodeTLS:
		return "fetch the engine's CA again: https://" + engineHost(spec.URL) + "/ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA"
	case ovirt.CodeNotAnEngine:
		return "correct the url: https://" + engineHost(spec.URL) + "/ovirt-engine/api"
	}
	return ""
}

func (c *checker) action() string { return c.o.action() }

// unplanned is the command for the same direction without the source.
func (c *checker) unplanned() string {
	if c.action() == ActionFailback {
		return "drrun failback " + c.plan.File + " --unplanned"
	}
	return "drrun " + c.action() + " " + c.plan.File + " without --planned"
}

// siteReason names the site once, whether or not the reason does.
func siteReason(name string, reason error) string {
	text := reason.Error()
	if strings.Contains(text, name) {
		return text
	}
	return fmt.Sprintf("site %q: %s", name, text)
}

func (c *checker) targetDataCenters(v *siteView) []string {
	if !Moves(c.action()) {
		return v.dataCentersHolding(c.plan)
	}
	var ids []string
	for _, d := range c.plan.StorageDomains {
		if dc := v.dataCenterNamed(d.Side(c.targetName).DataCenter); dc != nil && !slices.Contains(ids, dc.ID) {
			ids = append(ids, dc.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (c *checker) inventory() {
	if !Moves(c.action()) {
		return
	}
	file := InventoryFile(c.plan.File)
	if c.inv == nil {
		f := finding(SeverityWarning, ScopeRun, "inventory-missing", "there is no inventory %s: what ran, and which clusters and networks the VMs use, is known only while site %q answers", file, Primary).
			at(c.plan.Pos).hint("write it while the primary site is up: drrun snapshot %s", c.plan.File)
		if c.o.InventoryErr != nil && !isNotExist(c.o.InventoryErr) {
			f = finding(SeverityError, ScopeRun, "inventory-unreadable", "%s", c.o.InventoryErr.Error()).at(c.plan.Pos).hint("repair or remove the file %s", file)
		}
		c.add(f)
		return
	}
	if c.inv.Plan != "" && c.plan.Name != "" && c.inv.Plan != c.plan.Name {
		c.add(finding(SeverityWarning, ScopeRun, "inventory-of-other-plan", "the inventory %s is that of plan %q, not of %q", file, c.inv.Plan, c.plan.Name).at(c.plan.Pos))
	}
	if age := c.inv.Age(c.o.Now); age > StaleInventory {
		c.add(finding(SeverityWarning, ScopeRun, "inventory-stale", "the inventory is %s old (taken %s): VMs that were started, stopped or changed since are not in it", ageText(age), c.inv.Taken.Format(time.RFC3339)).
			at(c.plan.Pos).hint("while both sites are up, best from cron: drrun snapshot %s", c.plan.File))
	}
	planned := make(map[string]bool, len(c.plan.VMs))
	for _, vm := range c.plan.VMs {
		planned[vm.ID] = true
	}
	recorded := make(map[string]bool, len(c.inv.VMs))
	var missing []string
	for _, vm := range c.inv.VMs {
		recorded[vm.ID] = true
		if !planned[vm.ID] {
			missing = append(missing, vm.Name)
		}
	}
	if len(missing) > 0 {
		c.add(finding(SeverityInfo, ScopeRun, "vm-not-in-plan", "left out of the plan, and so never registered: %s of the inventory (%s)", countVMs(len(missing)), nameList(missing, 8)).at(c.plan.Pos))
	}
	for _, vm := range c.plan.VMs {
		if vm.ID != "" && !recorded[vm.ID] {
			c.add(finding(SeverityWarning, ScopeVM, "vm-not-in-inventory", "VM %q (%s) is not in the inventory: nothing is known of its disks, networks and state", vm.Name, vm.ID).
				on(c.sourceName, "vm", vm.ID, vm.Name).at(vm.Pos).hint("compare its id with the engine's; if it is right: drrun snapshot %s", c.plan.File))
		}
	}
	c.staleRecords()
}

// staleRecords tells of VMs that a snapshot could not read for a long time: the inventory as a whole looks newer than they are.
func (c *checker) staleRecords() {
	if c.inv.Age(c.o.Now) > StaleInventory {
		return // said already
	}
	var names []string
	oldest := c.o.Now
	for _, vm := range c.plan.VMs {
		record, known := c.inv.VM(vm.ID)
		if !known || c.o.Now.Sub(c.inv.SeenAt(record)) <= StaleInventory {
			continue
		}
		names = append(names, vm.Name)
		if seen := c.inv.SeenAt(record); seen.Before(oldest) {
			oldest = seen
		}
	}
	if len(names) > 0 {
		c.add(finding(SeverityWarning, ScopeRun, "vm-record-stale", "the inventory could not be refreshed for %s (%s): the oldest is of %s", countVMs(len(names)), nameList(names, 8), oldest.Format(time.RFC3339)).
			at(c.plan.Pos).hint("see why: drrun snapshot %s", c.plan.File))
	}
}

func ageText(age time.Duration) string {
	if age >= 48*time.Hour {
		return fmt.Sprintf("%d days", int(age/(24*time.Hour)))
	}
	return fmt.Sprintf("%d hours", int(age/time.Hour))
}

func (c *checker) engines() {
	if c.source != nil && c.target != nil && c.source.product.InstanceID != "" && c.source.product.InstanceID == c.target.product.InstanceID {
		c.add(finding(SeverityError, ScopeRun, "sites-same-engine", "both sites are one engine (instance id %s)", c.target.product.InstanceID).
			on(c.targetName, "site", "", c.targetName).at(c.plan.Site(c.targetName).Pos).hint("give the address of the other site's engine"))
	}
	if c.inv != nil {
		for _, v := range []*siteView{c.source, c.target} {
			if v == nil {
				continue
			}
			if was := c.inv.Site(v.name).InstanceID; was != "" && v.product.InstanceID != "" && was != v.product.InstanceID {
				c.add(finding(SeverityWarning, ScopeRun, "engine-replaced", "site %q is not the engine of the inventory (instance id %s, was %s)", v.name, v.product.InstanceID, was).
					on(v.name, "site", "", v.name).at(c.plan.Site(v.name).Pos).hint("if the engine was installed anew, generate the plan again"))
			}
		}
	}
	if c.o.Speed == 0 || c.o.Speed == 1 {
		return
	}
	for _, v := range []*siteView{c.source, c.target} {
		if v != nil && !v.product.Lab {
			c.add(finding(SeverityError, ScopeRun, "speed-not-lab", "DRRUN_SPEED is %g, but site %q is a real engine: every wait and time-out would be too short", c.o.Speed, v.name).
				on(v.name, "site", "", v.name).at(c.plan.Site(v.name).Pos).hint("unset DRRUN_SPEED"))
		}
	}
}

// drift tells what changed at a live source since the plan was written.
func (c *checker) drift() {
	if c.source == nil {
		return
	}
	domainIDs := make([]string, 0, len(c.plan.StorageDomains))
	for _, d := range c.plan.StorageDomains {
		domainIDs = append(domainIDs, d.ID)
		c.typeDrift(d, d.Pos)
		if d.ID != "" && c.source.domain(d.ID) == nil && !c.target.holdsDomain(c.targetName, d.ID).Holds {
			c.add(finding(SeverityWarning, ScopeStorageDomain, "domain-not-at-source", "site %q does not know storage domain %q (%s)", c.sourceName, d.Name, d.ID).
				on(c.sourceName, "storage_domain", d.ID, d.Name).at(d.Pos))
		}
	}
	planned := make(map[string]bool, len(c.plan.VMs))
	for _, vm := range c.plan.VMs {
		planned[vm.ID] = true
	}
	there := make(map[string]bool, len(c.source.vms))
	var fresh []string
	for _, vm := range c.source.vms {
		there[vm.ID] = true
		known := planned[vm.ID]
		if c.inv != nil && !known {
			_, known = c.inv.VM(vm.ID)
		}
		if !known && !isHostedEngine(vm) && hasDiskOn(vm, domainIDs) {
			fresh = append(fresh, vm.Name)
		}
	}
	if len(fresh) > 0 {
		c.add(finding(SeverityWarning, ScopeRun, "vm-new-at-source", "neither in the plan nor in its inventory: %s on the plan's storage domains (%s)", countVMs(len(fresh)), nameList(fresh, 8)).
			on(c.sourceName, "site", "", c.sourceName).at(c.plan.Pos).hint("generate the plan again into another file, and take over what is new"))
	}
	var moved []string
	for _, vm := range c.plan.VMs {
		switch {
		case vm.ID == "" || there[vm.ID]:
		case c.target.holdsVM(c.targetName, vm.ID).Holds:
			moved = append(moved, vm.Name)
		default:
			c.add(finding(SeverityWarning, ScopeVM, "vm-not-at-source", "site %q has no VM %q (%s)", c.sourceName, vm.Name, vm.ID).
				on(c.sourceName, "vm", vm.ID, vm.Name).at(vm.Pos).hint("if it was removed there, take it out of the plan"))
		}
	}
	c.movedVMs(moved)
}

// wayBackHint is how VMs that live at the target come to the source.
func (c *checker) wayBackHint() string {
	if c.source == nil { // it takes nothing back
		return "drrun status " + c.plan.File + " shows where everything is"
	}
	if c.targetName == Secondary {
		return "to bring them home: drrun failback " + c.plan.File
	}
	return "to move them to secondary: drrun failover " + c.plan.File + " --planned"
}

// movedVMs says in one line that VMs of the plan live at the target, and how they come back.
func (c *checker) movedVMs(names []string) {
	if len(names) == 0 {
		return
	}
	f := finding(SeverityWarning, ScopeRun, "vms-at-target", "%d of %s of the plan live at %s, not at %s: %s", len(names), countVMs(len(c.plan.VMs)), c.targetName, c.sourceName, nameList(names, 8))
	hint := "drrun status " + c.plan.File + " shows where everything is"
	if len(names) == len(c.plan.VMs) {
		hint = c.wayBackHint()
		f.Message = fmt.Sprintf("the plan's VMs are at %s, not at %s: %s", c.targetName, c.sourceName, nameList(names, 8))
	}
	c.add(f.at(c.plan.Pos).hint("%s", hint))
}

// clusters checks the cluster map on both sides, and that it covers the VMs.
func (c *checker) clusters() {
	targetDCs := map[string]bool{}
	for _, d := range c.plan.StorageDomains {
		if dc := d.Side(c.targetName).DataCenter; dc != "" {
			targetDCs[dc] = true
		}
	}
	for _, m := range c.plan.Mappings.Clusters {
		from, to := m.Side(c.sourceName), m.Side(c.targetName)
		if from != "" {
			c.knownCluster(m, from)
		}
		if to == "" || c.target == nil {
			continue
		}
		fail := func(code, hint, format string, args ...any) {
			c.add(finding(SeverityError, ScopeRun, code, format, args...).on(c.targetName, "cluster", "", to).at(m.sidePos(c.targetName)).hint("%s", hint))
		}
		cluster := c.target.clusterNamed(to)
		if cluster == nil {
			var names []string
			for _, other := range c.target.clusters {
				names = append(names, other.Name)
			}
			fail("cluster-missing", didYouMean(to, names, "it has: "+nameList(names, 8)), "site %q has no cluster %q", c.targetName, to)
			continue
		}
		if dc := c.target.dataCenterName(cluster.DataCenterID); len(targetDCs) > 0 && !targetDCs[dc] {
			fail("cluster-data-center", "name a cluster of the data center that the storage domains are attached to", "cluster %q of site %q belongs to data center %q, which gets no storage domain of the plan", to, c.targetName, dc)
			continue
		}
		if c.inv != nil {
			if was, ok := c.inv.Site(c.sourceName).Cluster(from); ok && was.Architecture != "" && cluster.Architecture != "" && was.Architecture != cluster.Architecture {
				fail("cluster-architecture", "name a cluster of that architecture", "VMs of cluster %q (%s) cannot run in cluster %q of site %q (%s)", from, was.Architecture, to, c.targetName, cluster.Architecture)
			}
		}
		if !slices.ContainsFunc(c.target.hosts, func(h ovirt.Host) bool { return h.ClusterID == cluster.ID && h.Status == "up" }) {
			fail("no-host-up", "start or repair a host there", "cluster %q of site %q has no host that is up", to, c.targetName)
		}
	}
}

// knownCluster warns about a cluster name that the source does not have.
func (c *checker) knownCluster(m ClusterMapping, name string) {
	names, known := c.sourceClusters()
	if !known || slices.Contains(names, name) {
		return
	}
	c.add(finding(SeverityWarning, ScopeRun, "cluster-missing", "site %q has no cluster %q", c.sourceName, name).on(c.sourceName, "cluster", "", name).
		at(m.sidePos(c.sourceName)).hint("%s", didYouMean(name, names, "it has: "+nameList(names, 8))))
}

// sourceClusters returns the cluster names of the source: live ones, else those of the inventory.
func (c *checker) sourceClusters() (names []string, known bool) {
	switch {
	case c.source != nil:
		for _, cluster := range c.source.clusters {
			names = append(names, cluster.Name)
		}
	case c.inv != nil:
		for _, cluster := range c.inv.Site(c.sourceName).Clusters {
			names = append(names, cluster.Name)
		}
	default:
		return nil, false
	}
	return names, true
}

// profiles checks the vNIC profile map on both sides, and that it covers the VMs' NICs.
func (c *checker) profiles() {
	var target map[ProfileRef]bool
	if c.target != nil {
		target = c.target.profileRefs()
	}
	var source map[ProfileRef]bool
	switch {
	case c.source != nil:
		source = c.source.profileRefs()
	case c.inv != nil:
		source = map[ProfileRef]bool{}
		for _, ref := range c.inv.Site(c.sourceName).Profiles {
			source[ref] = true
		}
	}
	for _, m := range c.plan.Mappings.VNICProfiles {
		from, to := m.Side(c.sourceName), m.Side(c.targetName)
		if from != (ProfileRef{}) && source != nil {
			if _, ok := source[from]; !ok {
				c.add(finding(SeverityWarning, ScopeRun, "profile-missing", "site %q has no vNIC profile %s", c.sourceName, from).on(c.sourceName, "vnic_profile", "", from.String()).
					at(m.sidePos(c.sourceName)).hint("%s", nearProfile(from, source)))
			}
		}
		if to == (ProfileRef{}) || target == nil {
			continue
		}
		f := finding(SeverityError, ScopeRun, "profile-missing", "site %q has no vNIC profile %s", c.targetName, to).on(c.targetName, "vnic_profile", "", to.String()).at(m.sidePos(c.targetName))
		if vm, ok := target[to]; !ok {
			c.add(f.hint("%s", nearProfile(to, target)))
		} else if !vm {
			f.Code, f.Message = "network-not-vm", fmt.Sprintf("network %q of site %q carries no VMs: a NIC cannot use it", to.Network, c.targetName)
			c.add(f.hint("name a profile of a VM network"))
		}
	}
}

func nearProfile(ref ProfileRef, known map[ProfileRef]bool) string {
	var names []string
	for other := range known {
		names = append(names, other.String())
	}
	slices.Sort(names)
	return didYouMean(ref.String(), names, "it has: "+nameList(names, 6))
}

// domains checks the places that the storage domains go to.
func (c *checker) domains() {
	for _, d := range c.plan.StorageDomains {
		side := d.Side(c.targetName)
		add := func(severity, code, hint string, pos lua.Pos, format string, args ...any) {
			c.add(finding(severity, ScopeStorageDomain, code, format, args...).on(c.targetName, "storage_domain", d.ID, d.Name).at(pos).hint("%s", hint))
		}
		dc := c.dataCenter(d, side, add)
		if d.ID == "" {
			continue
		}
		for i := range c.target.domains {
			c.meet(d, side, dc, &c.target.domains[i], add)
		}
	}
}

type addDomainFinding func(severity, code, hint string, pos lua.Pos, format string, args ...any)

// dataCenter checks the target data center of one domain and returns it when it exists.
func (c *checker) dataCenter(d StorageDomain, side DomainSide, add addDomainFinding) *ovirt.DataCenter {
	if side.DataCenter == "" {
		return nil
	}
	dc := c.target.dataCenterNamed(side.DataCenter)
	if dc == nil {
		var names []string
		for _, other := range c.target.dataCenters {
			names = append(names, other.Name)
		}
		add(SeverityError, "data-center-missing", didYouMean(side.DataCenter, names, "it has: "+nameList(names, 8)), side.Pos, "site %q has no data center %q", c.targetName, side.DataCenter)
		return nil
	}
	switch {
	case dc.Local:
		add(SeverityError, "data-center-local", "name one with shared storage", side.Pos, "data center %q of site %q is for local storage", dc.Name, c.targetName)
		return dc
	case dc.Status != "up" && dc.Status != "uninitialized" && !(c.o.cleans() && c.onlyStale(dc.ID)):
		add(SeverityError, "data-center-down", "bring it up in the engine first", side.Pos, "data center %q of site %q is %s: storage domains can be attached only while it is up", dc.Name, c.targetName, dc.Status)
	}
	up := slices.ContainsFunc(c.target.hosts, func(h ovirt.Host) bool {
		cluster := c.target.cluster(h.ClusterID)
		return h.Status == "up" && cluster != nil && cluster.DataCenterID == dc.ID
	})
	if !up {
		add(SeverityError, "no-host-up", "start or repair a host there", side.Pos, "data center %q of site %q has no host that is up: nothing can reach the storage", dc.Name, c.targetName)
	}
	if dc.Status == "up" || dc.Status == "uninitialized" {
		c.formats(d, side, dc, add)
	}
	if d.Type != "" && !fileType(d.Type) {
		c.blockDomain(d, side, dc, add)
	}
	return dc
}

// meet compares a domain of the plan with one that the target has.
func (c *checker) meet(d StorageDomain, side DomainSide, dc *ovirt.DataCenter, there *ovirt.StorageDomain, add addDomainFinding) {
	place := placeOf(*there)
	taken, isTaken := takes(there, side)
	switch {
	case strings.EqualFold(there.ID, d.ID):
		wrong := c.meetBlock(d, side, there)
		switch {
		case wrong != "":
			add(SeverityError, "domain-elsewhere", "remove it there without formatting, or correct the plan", d.Pos, "site %q knows storage domain %q (%s) already, %s", c.targetName, there.Name, there.ID, wrong)
		case side.Place.Path != "" && place.Path != "" && lies(*there, side.Place) == elsewhere:
			add(SeverityError, "domain-elsewhere", "remove it there without formatting, or correct the plan", d.Pos, "site %q knows storage domain %q (%s) already, at %s instead of %s", c.targetName, there.Name, there.ID, place, side.Place)
		case there.DataCenterID != "" && dc != nil && there.DataCenterID != dc.ID:
			add(SeverityError, "domain-in-other-data-center", "detach it there, or correct the plan", d.Pos, "storage domain %q is attached to data center %q of site %q, not to %q", there.Name, c.target.dataCenterName(there.DataCenterID), c.targetName, side.DataCenter)
		case c.o.cleans() && !(there.Status == "active" && c.movedEarlier(c.source.holdsDomain(c.sourceName, d.ID))):
			add(SeverityInfo, "domain-stale", "", d.Pos, "storage domain %q is still known to site %q (%s): what is stale there leaves first, its content stays", there.Name, c.targetName, textOr(there.Status, "unattached"))
		case there.DataCenterID == "":
			add(SeverityInfo, "domain-known", "", d.Pos, "storage domain %q is known to site %q already, unattached: it will be attached as it is", there.Name, c.targetName)
		case there.Status == "active":
			add(SeverityInfo, "domain-active", "", d.Pos, "storage domain %q is active at site %q already: it will not be imported again", there.Name, c.targetName)
		default:
			add(SeverityInfo, "domain-known", "", d.Pos, "storage domain %q is attached at site %q already, %s: it will be activated", there.Name, c.targetName, textOr(there.Status, "in an unknown state"))
		}
	case d.Name != "" && there.Name == d.Name:
		add(SeverityError, "domain-name-in-use", "rename or remove that storage domain at site \""+c.targetName+"\"", d.Pos, "site %q has another storage domain named %q (%s): the import of %s would be refused", c.targetName, there.Name, there.ID, d.ID)
	case isTaken:
		add(SeverityError, "storage-taken", "name the replica of this storage domain", side.Pos, "%s is storage domain %q (%s) at site %q, not %q", taken, there.Name, there.ID, c.targetName, d.Name)
	}
}

// onlyStale tells whether all storage domains of a data center of the target are ones of the plan, which leave before it takes over.
func (c *checker) onlyStale(dataCenterID string) bool {
	return !slices.ContainsFunc(c.target.domains, func(there ovirt.StorageDomain) bool {
		return there.DataCenterID == dataCenterID && !slices.ContainsFunc(c.plan.StorageDomains, func(d StorageDomain) bool { return strings.EqualFold(d.ID, there.ID) })
	})
}

func textOr(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// templates checks that every template that a VM needs is there or comes along.
func (c *checker) templates() {
	byID := map[string]bool{blankTemplate: true}
	byName := map[string]string{}
	for _, t := range c.target.templates {
		byID[t.ID] = true
		byName[t.Name] = t.ID
	}
	coming := map[string]bool{}
	comingNames := map[string]bool{}
	for _, t := range c.plan.Templates {
		coming[t.ID] = true
		comingNames[t.Name] = true
	}
	for _, t := range c.plan.Templates {
		if other := byName[t.Name]; other != "" && !byID[t.ID] && !coming[other] {
			c.add(finding(SeverityError, ScopeRun, "template-name-in-use", "site %q has another template named %q (%s): the registration of %s would be refused", c.targetName, t.Name, other, t.ID).
				on(c.targetName, "template", t.ID, t.Name).at(t.Pos).hint("rename that template at site %q", c.targetName))
		}
		if c.inv != nil && c.sourceName == Primary && !slices.ContainsFunc(c.inv.Sites.Primary.Templates, func(e InventoryEntity) bool { return e.ID == t.ID }) {
			c.add(finding(SeverityWarning, ScopeRun, "template-unknown", "template %q (%s) is not in the inventory", t.Name, t.ID).on(c.sourceName, "template", t.ID, t.Name).at(t.Pos).
				hint("compare its id with the engine's, or generate the plan again"))
		}
	}
	if c.inv == nil {
		return
	}
	for _, vm := range c.plan.VMs {
		record, ok := c.inv.VM(vm.ID)
		if !ok || record.TemplateID == "" || byID[record.TemplateID] || coming[record.TemplateID] {
			continue
		}
		name := record.TemplateID
		for _, t := range c.inv.Sites.Primary.Templates {
			if t.ID == record.TemplateID {
				name = fmt.Sprintf("%s (%s)", t.Name, t.ID)
			}
		}
		c.add(finding(SeverityError, ScopeVM, "template-missing", "VM %q is based on template %s, which is neither at site %q nor in the plan's templates", vm.Name, name, c.targetName).
			on(c.targetName, "vm", vm.ID, vm.Name).at(vm.Pos).hint("add it to templates, or make the VM independent of it at the primary site"))
	}
}

// vms checks that the target has room for the names and addresses of the VMs.
func (c *checker) vms() {
	byID := make(map[string]*ovirt.VM, len(c.target.vms))
	byName := make(map[string][]*ovirt.VM, len(c.target.vms))
	byMAC := map[string]*ovirt.VM{}
	for i := range c.target.vms {
		vm := &c.target.vms[i]
		byID[vm.ID] = vm
		byName[vm.Name] = append(byName[vm.Name], vm)
		for _, nic := range vm.NICs {
			if nic.MAC != "" {
				byMAC[strings.ToLower(nic.MAC)] = vm
			}
		}
	}
	dataCenters := c.targetDataCenters(c.target)
	for _, vm := range c.plan.VMs {
		add := func(severity, code, hint, format string, args ...any) {
			c.add(finding(severity, ScopeVM, code, format, args...).on(c.targetName, "vm", vm.ID, vm.Name).at(vm.Pos).hint("%s", hint))
		}
		if there := byID[vm.ID]; there != nil && vm.ID != "" && c.o.cleans() && !c.movedEarlier(c.source.holdsVM(c.sourceName, vm.ID)) {
			add(SeverityInfo, "vm-stale", "", "VM %q is still registered at site %q and is %s: it leaves with its storage domain first", there.Name, c.targetName, textOr(there.Status, "in an unknown state"))
			continue
		}
		if there := byID[vm.ID]; there != nil && vm.ID != "" {
			add(SeverityInfo, "vm-known", "", "VM %q is registered at site %q already and is %s", there.Name, c.targetName, textOr(there.Status, "in an unknown state"))
			continue // its name and addresses are its own
		}
		for _, there := range byName[vm.Name] {
			// Names are unique in a data center.
			if cluster := c.target.cluster(there.ClusterID); vm.Name != "" && (cluster == nil || slices.Contains(dataCenters, cluster.DataCenterID)) {
				add(SeverityError, "vm-name-in-use", "rename or remove that VM at site \""+c.targetName+"\"", "site %q has another VM named %q (%s): the registration would be refused", c.targetName, there.Name, there.ID)
			}
		}
		if c.inv == nil {
			continue
		}
		record, ok := c.inv.VM(vm.ID)
		if !ok {
			continue
		}
		for _, nic := range record.NICs {
			there := byMAC[nic.MAC]
			if there == nil || nic.MAC == "" {
				continue
			}
			// The pool of a cluster refuses an address that it has given out; with another pool it is merely twice in the world.
			severity, text := SeverityWarning, "two machines with one address disturb each other"
			if placed, _ := c.survey.Place(vm); placed.Cluster != "" && c.target.clusterName(there.ClusterID) == placed.Cluster {
				severity, text = SeverityError, "the registration would be refused"
			}
			add(severity, "mac-in-use", "give one of them another address", "VM %q: the address %s of its %s belongs to VM %q at site %q: %s", vm.Name, nic.MAC, nic.Name, there.Name, c.targetName, text)
		}
	}
}
