package stdlib

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
)

// object returns the Lua value of a site.
func (site *Site) object() *lua.Object { return lua.NewObject(site.session.classes.site, site) }

func siteOf(c *lua.Call) *Site { return c.Self.(*Site) }

// observing marks a task that evaluates a boot condition: such code may look, but not change anything (design: "may only observe").
type observing struct{}

// siteOfSelf returns the site that an object of a session belongs to.
func siteOfSelf(self any) *Site {
	switch v := self.(type) {
	case *Site:
		return v
	case *domainRef:
		return v.site
	case *templateRef:
		return v.site
	case *vmRef:
		return v.site
	case *hostRef:
		return v.site
	}
	panic(fmt.Sprintf("a primitive of a %T, which belongs to no site", self))
}

// changes wraps a primitive that takes over: it is refused inside a boot condition and on the site that is left (the evidence is
// about that site, so it lets nothing start there), and its error tells what the engine said.
func changes(run func(*lua.Call) (any, error)) func(*lua.Call) (any, error) {
	return changesAt(run, func(c *lua.Call, site *Site) error {
		if site == site.session.Target {
			return nil
		}
		return c.Errorf("wrong-site", "", "this run leaves site %q and takes over at %q", site.Name, site.session.Target.Name)
	})
}

// releases wraps a primitive that lets go of something: at the source of a planned move, and at the target where what it has left
// from an earlier time is cleaned away. It proves what it needs itself.
func releases(run func(*lua.Call) (any, error)) func(*lua.Call) (any, error) {
	return changesAt(run, func(c *lua.Call, site *Site) error {
		if site == site.session.Target || site.session.Facts.Planned {
			return nil
		}
		wrong := c.Errorf("wrong-site", "", "this run leaves site %q and changes nothing there: it is not a planned one", site.Name)
		wrong.Hint = "where the source is alive and is to take part: --planned"
		return wrong
	})
}

func changesAt(run func(*lua.Call) (any, error), allowed func(*lua.Call, *Site) error) func(*lua.Call) (any, error) {
	return observes(func(c *lua.Call) (any, error) {
		if c.Task.Local(observing{}) != nil {
			return nil, c.Errorf("condition-changes", "", "a boot condition may only observe; this call changes the engine")
		}
		if err := allowed(c, siteOfSelf(c.Self)); err != nil {
			return nil, err
		}
		// An action of the plan's own need not name any stage, before which the locks are read back otherwise.
		if s := siteOfSelf(c.Self).session; s.Facts.Own && s.Locks != nil {
			if err := s.Locks.Verify(c.Ctx); err != nil {
				return nil, lockFault(c, err)
			}
		}
		return run(c)
	})
}

// observes wraps a primitive that reads an engine.
func observes(run func(*lua.Call) (any, error)) func(*lua.Call) (any, error) {
	return func(c *lua.Call) (any, error) {
		defer func() {
			if value := recover(); value != nil {
				siteOfSelf(c.Self).session.abandon(fmt.Sprintf("internal error: %v", value))
				panic(value)
			}
		}()
		result, err := run(c)
		return result, describe(c, err)
	}
}

// describe turns an engine's fault into a diagnostic at the place of the call, keeping the Go error inside.
func describe(c *lua.Call, err error) error {
	if err == nil {
		return nil
	}
	var already *lua.Diagnostic
	if errors.As(err, &already) {
		return err
	}
	var evidence *EvidenceError
	if errors.As(err, &evidence) {
		return evidenceFault(c, err)
	}
	// What we refused ourselves comes wrapped in the client's error, whose code says only that nothing was sent.
	d := c.Errorf("error", "", "%s", err.Error())
	d.Err = err
	var outside *OutsidePlanError
	var down *WentDownError
	var fault *ovirt.Error
	var coded interface{ Code() string }
	var stale *StaleError
	var copied *StaleCopyError
	var strangers *StrangersError
	var unreachable *StorageUnreachableError
	switch {
	case errors.As(err, &outside):
		d.Code = "outside-plan"
	case errors.As(err, &stale):
		d.Code, d.Hint = stale.Code(), stale.Hint
	case errors.As(err, &copied):
		d.Code, d.Hint = copied.Code(), copied.Hint()
	case errors.As(err, &unreachable):
		d.Code, d.Hint = unreachable.Code(), unreachable.Hint()
	case errors.As(err, &strangers):
		d.Code, d.Hint = "vms-outside-plan", "add them to the plan, or bring their disks to another storage domain"
	case errors.As(err, &down):
		d.Code, d.Hint = "vm-went-down", "look why it stopped (its console, the engine's events), then start it by hand in the engine"
	case errors.Is(err, engine.ErrStopping):
		d.Code = "stopping"
	case errors.As(err, &fault):
		d.Code, d.Hint, d.Retryable = string(fault.Code), fault.Hint, fault.Retryable
	case errors.As(err, &coded):
		d.Code = coded.Code()
	default:
		return err
	}
	return d
}

// list declares a read of a whole collection.
func list[T any](name, doc, returns string, read func(context.Context, *ovirt.Site) ([]T, error), convert func(T) map[string]any) lua.Func {
	return lua.Func{
		Name: name, Doc: doc, Effect: lua.Observes, Returns: returns,
		Run: observes(func(c *lua.Call) (any, error) {
			entries, err := read(c.Ctx, siteOf(c).Engine)
			if err != nil {
				return nil, err
			}
			return tables(entries, convert), nil
		}),
	}
}

func tables[T any](entries []T, convert func(T) map[string]any) []any {
	out := make([]any, len(entries))
	for i, entry := range entries {
		out[i] = convert(entry)
	}
	return out
}

// timeText is how times reach Lua: RFC 3339 in UTC, nil when unknown.
func timeText(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

func dataCenterTable(d ovirt.DataCenter) map[string]any {
	return map[string]any{"id": d.ID, "name": d.Name, "status": d.Status, "version": d.Version, "storage_format": d.StorageFormat, "local": d.Local}
}

func clusterTable(c ovirt.Cluster) map[string]any {
	return map[string]any{"id": c.ID, "name": c.Name, "data_center_id": c.DataCenterID, "version": c.Version, "architecture": c.Architecture, "bios_type": c.BIOSType}
}

func hostTable(h ovirt.Host) map[string]any {
	return map[string]any{"id": h.ID, "name": h.Name, "address": h.Address, "status": h.Status, "cluster_id": h.ClusterID, "spm": h.SPM, "power_management": h.PowerManagement}
}

func domainTable(d ovirt.StorageDomain) map[string]any {
	return map[string]any{"id": d.ID, "name": d.Name, "type": d.StorageType, "status": d.Status, "master": d.Master, "data_center_id": d.DataCenterID,
		"address": d.Address, "path": d.Path, "available": float64(d.Available), "used": float64(d.Used)}
}

func vmTable(v ovirt.VM) map[string]any {
	return map[string]any{"id": v.ID, "name": v.Name, "status": v.Status, "cluster_id": v.ClusterID, "host_id": v.HostID, "template_id": v.TemplateID,
		"ha": v.HAEnabled, "ha_priority": float64(v.HAPriority), "lease": v.LeaseDomainID, "delete_protected": v.DeleteProtected, "comment": v.Comment, "fqdn": v.FQDN, "started_at": timeText(v.StartTime), "stopped_at": timeText(v.StopTime)}
}

func templateTable(t ovirt.Template) map[string]any {
	return map[string]any{"id": t.ID, "name": t.Name, "status": t.Status, "cluster_id": t.ClusterID, "base_id": t.BaseID, "version": float64(t.VersionNumber)}
}

func networkTable(n ovirt.Network) map[string]any {
	return map[string]any{"id": n.ID, "name": n.Name, "data_center_id": n.DataCenterID, "vm": n.VM}
}

func profileTable(p ovirt.VNICProfile) map[string]any {
	return map[string]any{"id": p.ID, "name": p.Name, "network_id": p.NetworkID}
}

func eventTable(e ovirt.Event) map[string]any {
	return map[string]any{"id": float64(e.ID), "code": float64(e.Code), "severity": e.Severity, "description": e.Description, "time": timeText(e.Time),
		"correlation_id": e.CorrelationID, "vm_id": e.VMID, "host_id": e.HostID, "storage_domain_id": e.StorageDomainID}
}

// siteClass declares the objects ctx.source and ctx.target.
func siteClass() *lua.Class {
	return &lua.Class{
		Name: "site",
		Doc:  "One of the two sites, with its engine.",
		Fields: []lua.Field{
			{Name: "name", Doc: "primary or secondary.", Type: siteNames, Get: func(self any) any { return self.(*Site).Name }},
		},
		String:  func(self any) string { return "site " + self.(*Site).Name },
		Methods: siteMethods(),
	}
}

func siteMethods() []lua.Func {
	name := func(what string, known ...string) lua.Param {
		return lua.Param{Name: "name", Type: lua.Called(lua.String, cmp.Or(strings.Join(known, "|"), "string")), Positional: true, Doc: "Name or id of the " + what + "."}
	}
	return []lua.Func{
		{
			Name: "version", Doc: "Reads the engine's product name and version.", Effect: lua.Observes, Returns: "product",
			Run: observes(func(c *lua.Call) (any, error) {
				product, err := siteOf(c).Engine.Product(c.Ctx)
				if err != nil {
					return nil, err
				}
				return map[string]any{"name": product.Name, "vendor": product.Vendor, "version": product.Version}, nil
			}),
		},
		list("data_centers", "Lists the data centers.", "site_data_center[]", func(ctx context.Context, s *ovirt.Site) ([]ovirt.DataCenter, error) { return s.DataCenters(ctx) }, dataCenterTable),
		list("clusters", "Lists the clusters.", "site_cluster[]", func(ctx context.Context, s *ovirt.Site) ([]ovirt.Cluster, error) { return s.Clusters(ctx) }, clusterTable),
		list("hosts", "Lists the hosts.", "site_host[]", func(ctx context.Context, s *ovirt.Site) ([]ovirt.Host, error) { return s.Hosts(ctx) }, hostTable),
		list("storage_domains", "Lists all storage domains that the engine knows. The status is known only for unattached ones.", "site_storage_domain[]", func(ctx context.Context, s *ovirt.Site) ([]ovirt.StorageDomain, error) { return s.StorageDomains(ctx) }, domainTable),
		list("templates", "Lists the templates.", "site_template[]", func(ctx context.Context, s *ovirt.Site) ([]ovirt.Template, error) { return s.Templates(ctx) }, templateTable),
		list("networks", "Lists the networks.", "site_network[]", func(ctx context.Context, s *ovirt.Site) ([]ovirt.Network, error) { return s.Networks(ctx) }, networkTable),
		list("vnic_profiles", "Lists the vNIC profiles.", "site_vnic_profile[]", func(ctx context.Context, s *ovirt.Site) ([]ovirt.VNICProfile, error) { return s.VNICProfiles(ctx) }, profileTable),
		{
			Name: "vms", Doc: "Lists VMs. A search that the engine cannot parse gives an empty list, as the engine does.", Effect: lua.Observes, Returns: "site_vm[]",
			Params: []lua.Param{{Name: "search", Type: lua.String, Optional: true, Doc: "A search expression of the engine, such as \"status=up\"."}},
			Run: observes(func(c *lua.Call) (any, error) {
				query := ovirt.VMQuery{}
				if c.Has("search") {
					query.Search = c.String("search")
				}
				vms, err := siteOf(c).Engine.VMs(c.Ctx, query)
				if err != nil {
					return nil, err
				}
				if site := siteOf(c); query.Search == "" && site == site.session.Target {
					site.session.sawList(vms)
				}
				siteOf(c).showAsPlanned(vms)
				return tables(vms, vmTable), nil
			}),
		},
		{
			Name: "events", Doc: "Lists events, newest first.", Effect: lua.Observes, Returns: "site_event[]",
			Params: []lua.Param{
				{Name: "search", Type: lua.String, Optional: true, Doc: "A search expression of the engine."},
				{Name: "from", Type: lua.Integer, Optional: true, Doc: "Only events with a higher id."},
				{Name: "max", Type: lua.Integer, Default: 100.0, Doc: "At most so many."},
			},
			Run: observes(func(c *lua.Call) (any, error) {
				query := ovirt.EventQuery{Max: c.Int("max")}
				if c.Has("search") {
					query.Search = c.String("search")
				}
				if c.Has("from") {
					query.From = c.Int("from")
				}
				events, err := siteOf(c).Engine.Events(c.Ctx, query)
				if err != nil {
					return nil, err
				}
				return tables(events, eventTable), nil
			}),
		},
		{
			Name: "data_center", Doc: "Reads one data center.", Effect: lua.Observes, Returns: "site_data_center", Params: []lua.Param{name("data center", DataCenterName)},
			Run: observes(func(c *lua.Call) (any, error) {
				all, err := siteOf(c).Engine.DataCenters(c.Ctx)
				if err != nil {
					return nil, err
				}
				for _, one := range all {
					if one.ID == c.String("name") || one.Name == c.String("name") {
						return dataCenterTable(one), nil
					}
				}
				missing := c.Errorf("not-found", "name", "site %q has no data center %q", siteOf(c).Name, c.String("name"))
				names := make([]string, len(all))
				for i, one := range all {
					names[i] = one.Name
				}
				missing.Hint = lua.DidYouMean(c.String("name"), names)
				return nil, missing
			}),
		},
		{
			Name: "vm", Doc: "Returns a VM of the plan on this site. It reads nothing yet.", Effect: lua.Pure, Returns: "vm", Params: []lua.Param{name("VM", VMName, VMID)},
			Run: func(c *lua.Call) (any, error) {
				site := siteOf(c)
				facts := site.session.Facts
				if vm, known := facts.VM(c.String("name")); known {
					return site.vmObject(vm, ""), nil
				}
				names := make([]string, len(facts.VMs))
				for i := range facts.VMs {
					names[i] = facts.VMs[i].Name
				}
				missing := c.Errorf("vm-not-in-plan", "name", "the run has no VM %q", c.String("name"))
				missing.Hint = lua.DidYouMean(c.String("name"), names)
				return nil, missing
			},
		},
		{
			Name: "storage_domain", Doc: "Returns a storage domain of the plan on this site. It reads nothing yet.", Effect: lua.Pure, Returns: "storage_domain",
			Params: []lua.Param{name("storage domain", StorageDomainName, StorageDomainID)},
			Run: func(c *lua.Call) (any, error) {
				domain, err := siteOf(c).planDomain(c, c.String("name"))
				if err != nil {
					return nil, err
				}
				return siteOf(c).domainObject(domain), nil
			},
		},
		hostNamed(name("host")),
		{
			Name: "plan_storage_domains", Effect: lua.Observes, Returns: "site_storage_domain[]",
			Doc: "Lists the storage domains of the plan that the engine knows, with their status, those that are master in their data center last: the order in which they can be let go.",
			Run: observes(func(c *lua.Call) (any, error) { return siteOf(c).planDomains(c.Ctx) }),
		},
		refreshHostsMethod(),
		loginISCSIMethod(),
		requireLUNsMethod(),
		hostsSeeMethod(),
		{
			Name: "import_domain", Effect: lua.Changes, Returns: "storage_domain",
			Doc: "Imports a storage domain of the plan from its place on this site. The expected id is sent and no name, so the engine can neither create an empty domain " +
				"nor take another one (ovirt-engine BackendStorageDomainsResource). A block domain is imported from what the host sees, and taken out again when it lies on other LUNs than " +
				"the plan says, or on those of the other site. Does nothing when the engine knows it already.",
			Params: []lua.Param{
				name("storage domain", StorageDomainName, StorageDomainID),
				{Name: "host", Type: lua.String, Optional: true, Doc: "Name of the host that looks at the storage. Default: the first host that is up in the data center, and of block storage that reaches it."},
			},
			Run: changes(func(c *lua.Call) (any, error) {
				site := siteOf(c)
				domain, err := site.planDomain(c, c.String("name"))
				if err != nil {
					return nil, err
				}
				wanted := ""
				if c.Has("host") {
					wanted = c.String("host")
				}
				if err := site.importDomain(c.Ctx, domain, wanted); err != nil {
					return nil, err
				}
				return site.domainObject(domain), nil
			}),
		},
	}
}

func (site *Site) planDomain(c *lua.Call, idOrName string) (*FactDomain, error) {
	facts := site.session.Facts
	if domain, known := facts.Domain(idOrName); known {
		return domain, nil
	}
	names := make([]string, len(facts.Domains))
	for i := range facts.Domains {
		names[i] = facts.Domains[i].Name
	}
	missing := c.Errorf("domain-not-in-plan", "name", "the run has no storage domain %q", idOrName)
	missing.Hint = lua.DidYouMean(idOrName, names)
	return nil, missing
}

// importDomain imports a storage domain through the wanted host, or through the first host that is up in its data center.
func (site *Site) importDomain(ctx context.Context, domain *FactDomain, wanted string) error {
	s := site.session
	hosts, err := site.upHosts(ctx, domain.Target.DataCenterID)
	if err != nil {
		return err
	}
	host := site.importer(domain, hosts)
	if wanted != "" {
		i := slices.IndexFunc(hosts, func(h ovirt.Host) bool { return h.Name == wanted || h.ID == wanted })
		if i < 0 {
			return fmt.Errorf("import storage domain %q on %s: host %q is not up in data center %q", domain.Name, site.Name, wanted, domain.Target.DataCenter)
		}
		host = hosts[i]
	}
	if s.Dry != nil {
		return site.wouldImport(ctx, domain)
	}
	if err := s.mayMove(domain.ID, domain.Name); err != nil {
		return err
	}
	s.importing(1)
	defer s.importing(-1)
	cut := s.cut(ovirt.OpImportDomain, site.domainSubject(domain))
	_, changed, err := site.Engine.ImportDomain(ctx, ovirt.ImportSpec{
		ID: domain.ID, Name: domain.Name, Type: domain.Type, HostID: host.ID,
		Address: domain.Target.Address, Path: domain.Target.Path, VFSType: domain.Target.VFSType, NFSVersion: domain.Target.NFSVersion, MountOptions: domain.Target.MountOptions,
		LUNs: domain.Target.LUNs, OtherLUNs: domain.Source.LUNs,
	})
	if err != nil {
		return err
	}
	site.settleImports(ctx, cut, changed)
	status, marked := s.Run.Status(site.domainSubject(domain))
	if !marked || status.State != StateActive {
		s.Run.Mark(engine.Status{Subject: site.domainSubject(domain), State: StateImported})
	}
	return nil
}

// settleImports closes cut imports of a storage domain that is there now. An import goes on in the engine when its client is gone, so it
// may have been any of them, whatever this attempt asked for: the engine's events tell which. Where they do not, the state decides.
func (site *Site) settleImports(ctx context.Context, cut []engine.Intent, changed bool) {
	s := site.session
	for i, intent := range cut {
		if reached, err := site.Engine.ImportReached(ctx, intent.ID); err == nil && reached {
			s.Run.Settle(intent.ID, true, "the engine's events carry its correlation id")
			s.settleByState(slices.Delete(slices.Clone(cut), i, i+1), true)
			return
		}
	}
	s.settleByState(cut, changed)
}

// hostsAndClusters is what the engine says about its hosts, in one moment.
type hostsAndClusters struct {
	hosts    []ovirt.Host
	clusters []ovirt.Cluster
}

// upHosts returns the hosts that are up in a data center, by name. None is an error: nothing can look at the storage.
func (site *Site) upHosts(ctx context.Context, dataCenterID string) ([]ovirt.Host, error) {
	seen, err := site.readHosts(ctx, hostsAge)
	if err != nil {
		return nil, err
	}
	up := seen.in(map[string]bool{dataCenterID: true})
	up = slices.DeleteFunc(up, func(h ovirt.Host) bool { return h.Status != "up" })
	if len(up) == 0 {
		return nil, fmt.Errorf("no host is up in the data center with id %s on %s: bring one up, then run drrun resume", dataCenterID, site.Name)
	}
	return up, nil
}

// hostsAge is how old the list of hosts may be for choosing who looks at the storage: one that has gone since fails that look.
const hostsAge = 30 * time.Second

func (site *Site) readHosts(ctx context.Context, age time.Duration) (hostsAndClusters, error) {
	return site.hosts.get(ctx, site.session.Env.Clock, age, func(ctx context.Context) (seen hostsAndClusters, err error) {
		if seen.clusters, err = site.Engine.Clusters(ctx); err == nil {
			seen.hosts, err = site.Engine.Hosts(ctx)
		}
		return seen, err
	})
}

// hostsIn returns the hosts of some data centers, by id, whatever their status.
func (site *Site) hostsIn(ctx context.Context, dataCenters map[string]bool) ([]ovirt.Host, error) {
	seen, err := site.readHosts(ctx, site.session.Tick)
	return seen.in(dataCenters), err
}

// in returns the hosts of some data centers, by name.
func (seen hostsAndClusters) in(dataCenters map[string]bool) []ovirt.Host {
	inside := map[string]bool{}
	for _, cluster := range seen.clusters {
		inside[cluster.ID] = dataCenters[cluster.DataCenterID]
	}
	var hosts []ovirt.Host
	for _, host := range seen.hosts {
		if inside[host.ClusterID] {
			hosts = append(hosts, host)
		}
	}
	slices.SortFunc(hosts, func(a, b ovirt.Host) int { return cmp.Compare(a.Name, b.Name) })
	return hosts
}

func (site *Site) domainSubject(domain *FactDomain) engine.Subject {
	return engine.Subject{Kind: "storage_domain", Site: site.Name, ID: domain.ID, Name: domain.Name}
}

func (site *Site) vmSubject(vm *FactVM) engine.Subject {
	return engine.Subject{Kind: "vm", Site: site.Name, ID: vm.ID, Name: vm.Name}
}
