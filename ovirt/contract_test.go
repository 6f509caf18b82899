package ovirt_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"drrun/ovirt"
	"drrun/ovirt/lab"
)

// clock is the clock of a bubble of testing/synctest, for client and lab alike.
type clock struct{}

func (clock) Now() time.Time { return time.Now().UTC() }

func (clock) Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) (bool, error) {
	var after <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-wake:
		return true, nil
	case <-after:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

func (clock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// rig is a lab with a client of each engine.
type rig struct {
	t                  *testing.T
	lab                *lab.Lab
	primary, secondary *ovirt.Site
	mu                 sync.Mutex
	intents            []ovirt.Write
}

func inLab(t *testing.T, o lab.TwoSitesOptions, fn func(r *rig)) {
	t.Helper()
	inWorld(t, lab.TwoSites(o), fn)
}

func inWorld(t *testing.T, world lab.World, fn func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, lab: lab.New(world, clock{}, 1)}
		open := func(name, url, user, password string) *ovirt.Site {
			s, err := ovirt.Open(r.t.Context(), ovirt.Options{Name: name, URL: url, Username: user, Password: password, Transport: r.lab.Transport(), Clock: clock{},
				OnWrite: func(_ context.Context, w *ovirt.Write) (func(ovirt.WriteResult), error) {
					r.mu.Lock()
					defer r.mu.Unlock()
					w.Correlation = fmt.Sprintf("test-%d", len(r.intents)+1)
					r.intents = append(r.intents, *w)
					return nil, nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		r.primary = open("primary", lab.PrimaryURL, lab.PrimaryUsername, lab.PrimaryPassword)
		r.secondary = open("secondary", lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword)
		fn(r)
		if v := r.lab.View().Violations; len(v) > 0 {
			t.Errorf("violations: %+v", v)
		}
		r.accountForWrites()
	})
}

// accountForWrites compares the changing requests that arrived with the intents, by correlation id.
func (r *rig) accountForWrites() {
	seen := map[string]int{}
	for _, entry := range r.lab.Log() {
		if entry.Changing {
			seen[entry.Correlation]++
		}
	}
	for _, w := range r.intents {
		if w.Op == ovirt.OpIsAttached {
			continue // journaled, and no change
		}
		if seen[w.Correlation] != 1 {
			r.t.Errorf("intent %s (%s) arrived %d times", w.Correlation, w.Op, seen[w.Correlation])
		}
		delete(seen, w.Correlation)
	}
	if len(seen) > 0 {
		r.t.Errorf("changing requests without intent: %v", seen)
	}
}

func must[T any](r *rig, value T, err error) T {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	return value
}

// target is what the secondary needs for a failover.
type target struct {
	dc, cluster, host, lan string
	spec                   []ovirt.ImportSpec
	vms                    []ovirt.VM // of the primary, before the disaster
	templates              []ovirt.Template
}

func (r *rig) prepare() (out target) {
	ctx := r.t.Context()
	out.dc = must(r, must2(r.secondary.DataCenters(ctx)), nil)[0].ID
	out.cluster = must2(r.secondary.Clusters(ctx))[0].ID
	out.host = must2(r.secondary.Hosts(ctx))[0].ID
	networks := map[string]string{}
	for _, n := range must2(r.secondary.Networks(ctx)) {
		networks[n.ID] = n.Name
	}
	for _, p := range must2(r.secondary.VNICProfiles(ctx)) {
		if networks[p.NetworkID] == "lan" {
			out.lan = p.ID
		}
	}
	for _, sd := range must2(r.primary.StorageDomains(ctx)) {
		out.spec = append(out.spec, ovirt.ImportSpec{ID: sd.ID, Type: sd.StorageType, Address: sd.Address, Path: sd.Path + "_replica", HostID: out.host})
	}
	out.vms = must2(r.primary.VMs(ctx, ovirt.VMQuery{Details: true}))
	for _, tm := range must2(r.primary.Templates(ctx)) {
		if tm.Name != "Blank" {
			out.templates = append(out.templates, tm)
		}
	}
	return out
}

func must2[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// disaster loses the primary and promotes the replicas.
func (r *rig) disaster(promote bool) {
	r.t.Helper()
	time.Sleep(time.Minute) // virtual: everything is replicated
	if err := r.lab.Disaster("primary"); err != nil {
		r.t.Fatal(err)
	}
	if !promote {
		return
	}
	for _, pair := range r.lab.View().Arrays.Replications {
		if err := r.lab.Promote(pair.Domain); err != nil {
			r.t.Fatal(err)
		}
	}
}

// failover brings all VMs up on the secondary.
func (r *rig) failover(tg target) {
	r.t.Helper()
	ctx := r.t.Context()
	s := r.secondary
	homes := map[string]string{}
	for _, spec := range tg.spec {
		if _, _, err := s.ImportDomain(ctx, spec); err != nil {
			r.t.Fatal(err)
		}
		sd, _, err := s.AttachDomain(ctx, spec.ID, tg.dc, ovirt.AttachOptions{})
		if err != nil || sd.Status != "active" {
			r.t.Fatal(sd, err)
		}
		for _, tm := range must2(s.UnregisteredTemplates(ctx, spec.ID)) {
			if _, _, err := s.RegisterTemplate(ctx, ovirt.RegisterTemplateSpec{TemplateID: tm.ID, Name: tm.Name, StorageDomainID: spec.ID, ClusterID: tg.cluster}); err != nil {
				r.t.Fatal(err)
			}
		}
		for _, vm := range must2(s.UnregisteredVMs(ctx, spec.ID)) {
			homes[vm.ID] = spec.ID
		}
	}
	registered := map[string]bool{}
	for _, vm := range must2(s.VMs(ctx, ovirt.VMQuery{})) {
		registered[vm.ID] = true
	}
	var wg sync.WaitGroup
	for _, vm := range tg.vms {
		wg.Go(func() {
			spec := ovirt.RegisterSpec{VMID: vm.ID, Name: vm.Name, StorageDomainID: homes[vm.ID], ClusterID: tg.cluster,
				Absent: !registered[vm.ID], NICs: []ovirt.NICTarget{{FromNetwork: "lan", FromProfile: "lan", ToProfileID: tg.lan}}}
			now, _, err := s.RegisterVM(ctx, spec)
			if err != nil {
				r.t.Error(err)
				return
			}
			if len(now.NICs) != 1 || now.NICs[0].ProfileID != tg.lan || now.NICs[0].MAC != vm.NICs[0].MAC || len(now.Disks) != len(vm.Disks) || now.HAEnabled != vm.HAEnabled {
				r.t.Errorf("%s is registered as %+v", vm.Name, now)
			}
			started, err := s.StartVM(ctx, vm.ID, ovirt.StartOptions{})
			if err != nil || started.UpAt.IsZero() {
				r.t.Errorf("%+v %v", started, err)
			}
		})
	}
	wg.Wait()
	for _, vm := range r.lab.View().Sites["secondary"].VMs {
		if vm.Status != "up" {
			r.t.Errorf("%s is %s", vm.Name, vm.Status)
		}
	}
	if n := len(r.lab.View().Sites["secondary"].VMs); n != len(tg.vms) {
		r.t.Errorf("%d VMs on the secondary, %d expected", n, len(tg.vms))
	}
}

func TestLabInventory(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
		ctx := r.t.Context()
		p := must2(r.primary.Product(ctx))
		if !p.Lab || p.InstanceID == "" || p.Major != 4 || p.Minor != 5 || p.Time.IsZero() || p.InstanceID == must2(r.secondary.Product(ctx)).InstanceID {
			t.Errorf("%+v", p)
		}
		tg := r.prepare()
		if len(tg.vms) != 3 || len(tg.spec) != 1 || len(tg.templates) != 1 || tg.lan == "" {
			t.Fatalf("%+v", tg)
		}
		for _, vm := range tg.vms {
			if vm.Status != "up" || vm.HostID == "" || vm.ClusterID == "" || len(vm.NICs) != 1 || vm.NICs[0].MAC == "" || vm.NICs[0].ProfileID == "" ||
				len(vm.Disks) != 1 || len(vm.Disks[0].StorageDomainIDs) != 1 || vm.Disks[0].Size == 0 || vm.Memory == 0 {
				t.Errorf("%+v", vm)
			}
			one := must2(r.primary.VM(ctx, vm.ID))
			nics := must2(r.primary.VMNICs(ctx, vm.ID))
			if one.Name != vm.Name || one.HAEnabled != vm.HAEnabled || len(nics) != 1 || !reflect.DeepEqual(nics[0], vm.NICs[0]) {
				t.Errorf("%+v %+v", one, nics)
			}
		}
		dc := must2(r.primary.DataCenters(ctx))[0]
		attached := must2(r.primary.AttachedStorageDomains(ctx, dc.ID))
		if dc.Status != "up" || dc.Version == "" || len(attached) != 1 || attached[0].Status != "active" || !attached[0].Master || attached[0].Address == "" {
			t.Errorf("%+v %+v", dc, attached)
		}
		global := must2(r.primary.StorageDomains(ctx))
		if global[0].Status != "" || global[0].DataCenterID != dc.ID {
			t.Errorf("%+v", global)
		}
		if one := must2(r.primary.AttachedStorageDomain(ctx, dc.ID, attached[0].ID)); one.ID != attached[0].ID || one.Status != "active" {
			t.Errorf("%+v", one)
		}
		host := must2(r.primary.Hosts(ctx))[0]
		if host.Status != "up" || must2(r.primary.HostBootTime(ctx, host.ID)).IsZero() || must2(r.primary.Host(ctx, host.ID)).Name != host.Name {
			t.Errorf("%+v", host)
		}
		if connections := must2(r.primary.StorageConnections(ctx)); len(connections) != 1 || connections[0].Path == "" {
			t.Errorf("%+v", connections)
		}
		if reach := r.primary.Probe(ctx); !reach.Answers || reach.Kind != ovirt.ReachAPI {
			t.Errorf("%+v", reach)
		}
		if found := must2(r.primary.VMs(ctx, ovirt.VMQuery{Search: `name="vm2"`})); len(found) != 1 || found[0].Name != "vm2" {
			t.Errorf("%+v", found)
		}
		if _, err := r.primary.VM(ctx, "00000000-0000-0000-0000-00000000dead"); !ovirt.HasCode(err, ovirt.CodeNotFound) {
			t.Error(err)
		}
		r.primary.Close(ctx)
		must2(r.primary.Hosts(ctx)) // logs in again
	})
}

func TestLabPasswords(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
		for _, user := range []string{"admin@internal", "admin", "admin@ovirt@internal"} {
			_, err := ovirt.Open(r.t.Context(), ovirt.Options{Name: "secondary", URL: lab.SecondaryURL, Username: user, Password: "wrong", Transport: r.lab.Transport(), Clock: clock{}})
			if !ovirt.HasCode(err, ovirt.CodeCredentials) {
				t.Error(user, err)
			}
		}
	})
}

func TestLabFailover(t *testing.T) {
	for _, o := range []lab.TwoSitesOptions{{}, {VMs: 40, Domains: 3}, {EmptySecondary: true}} {
		inLab(t, o, func(r *rig) {
			tg := r.prepare()
			r.disaster(true)
			if reach := r.primary.Probe(r.t.Context()); reach.Answers {
				t.Errorf("%+v", reach)
			}
			before := r.secondary.Counters()
			r.failover(tg)
			after := r.secondary.Counters()
			if want := len(tg.spec)*2 + len(tg.templates) + 2*len(tg.vms); after.Writes-before.Writes != want {
				t.Errorf("%d writes, want %d", after.Writes-before.Writes, want)
			}
			// Reads do not grow with the VMs, but for the few that share a request.
			if n, most := after.Reads-before.Reads, 30+12*len(tg.spec)+len(tg.vms)/4; n > most {
				t.Errorf("%d reads for %d VMs on %d domains, at most %d", n, len(tg.vms), len(tg.spec), most)
			}
			if testing.Verbose() {
				fmt.Printf("%d VMs: %+v after %+v\n", len(tg.vms), after, before)
			}
			// All of it again changes nothing.
			r.failover(tg)
			if again := r.secondary.Counters(); again.Writes != after.Writes {
				t.Errorf("%d writes in a second pass", again.Writes-after.Writes)
			}
		})
	}
}

func TestLabReplicaNotPromoted(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
		tg := r.prepare()
		r.disaster(false)
		connections := len(must2(r.secondary.StorageConnections(r.t.Context())))
		_, changed, err := r.secondary.ImportDomain(r.t.Context(), tg.spec[0])
		var e *ovirt.Error
		if changed || !errors.As(err, &e) || e.Code != ovirt.CodeNotWritable || !strings.Contains(e.Hint, "promoted, and exported read-write to the hosts of secondary") {
			t.Fatalf("%v %v", changed, err)
		}
		if now := len(must2(r.secondary.StorageConnections(r.t.Context()))); now != connections {
			t.Errorf("%d connections are left behind", now-connections)
		}
		// Promoted after all, the same call succeeds.
		for _, pair := range r.lab.View().Arrays.Replications {
			if err := r.lab.Promote(pair.Domain); err != nil {
				t.Fatal(err)
			}
		}
		r.failover(tg)
	})
}

func TestLabWrongDomainAtThePlace(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{Domains: 2, VMs: 2}, func(r *rig) {
		tg := r.prepare()
		r.disaster(true)
		wrong := tg.spec[0]
		wrong.Path = tg.spec[1].Path
		_, _, err := r.secondary.ImportDomain(r.t.Context(), wrong)
		if err == nil {
			t.Fatal("no error")
		}
		if n := len(must2(r.secondary.StorageDomains(r.t.Context()))); n != 1 {
			t.Errorf("%d storage domains", n)
		}
		r.failover(tg)
		// The engine knows the domain, and not at the place that the plan names.
		if _, _, err := r.secondary.ImportDomain(r.t.Context(), wrong); !ovirt.HasCode(err, ovirt.CodeConflict) {
			t.Error(err)
		}
	})
}

// TestLabFaults meets each changing request of a failover with each kind of trouble: the world ends as without.
func TestLabFaults(t *testing.T) {
	requests := map[string]string{
		"import": `/storagedomains$`, "attach": `/datacenters/[^/]+/storagedomains$`, "register": `/register$`, "start": `/start$`,
	}
	troubles := map[string]lab.Fault{
		"reset before":  {Reset: "before"},
		"reset after":   {Reset: "after"},
		"truncated":     {Truncate: true},
		"html after":    {HTML: true},
		"html 500":      {HTML: true, Status: 500},
		"empty":         {Empty: true},
		"503":           {Status: 503, HTML: true},
		"locked":        {Status: 409, Reason: "Operation Failed", Detail: "[Cannot do this. Related operation is currently in progress. Please try again later.]", Times: 2},
		"engine resets": {Restart: true},
	}
	for what, path := range requests {
		for name, trouble := range troubles {
			t.Run(what+"/"+name, func(t *testing.T) {
				inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
					tg := r.prepare()
					r.disaster(true)
					trouble.Site, trouble.Method, trouble.Path = "secondary", http.MethodPost, path
					if err := r.lab.Fail(trouble); err != nil {
						t.Fatal(err)
					}
					r.failover(tg)
					for _, w := range r.intents {
						for _, other := range r.intents {
							if w.Correlation != other.Correlation && w.Op == other.Op && w.Subject.ID == other.Subject.ID && w.Retry == "" && other.Retry == "" {
								t.Errorf("%s of %s was repeated without a reason", w.Op, w.Subject.ID)
							}
						}
					}
				})
			})
		}
	}
}

// TestLabReadFaults cuts and spoils reads all through a failover.
func TestLabReadFaults(t *testing.T) {
	for name, trouble := range map[string]lab.Fault{
		"reset":     {Reset: "before", Nth: 2, Times: 3},
		"truncated": {Truncate: true, Nth: 3, Times: 2, Path: "/vms"},
		"503":       {Status: 503, HTML: true, Nth: 4, Times: 5},
		"restart":   {Restart: true, Nth: 11},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
				tg := r.prepare()
				r.disaster(true)
				trouble.Site, trouble.Method = "secondary", http.MethodGet
				if err := r.lab.Fail(trouble); err != nil {
					t.Fatal(err)
				}
				r.failover(tg)
			})
		})
	}
}

func TestLabTokensExpire(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
		tg := r.prepare()
		r.disaster(true)
		must(r, struct{}{}, func() error {
			_, _, err := r.secondary.ImportDomain(r.t.Context(), tg.spec[0])
			return err
		}())
		r.lab.ExpireTokens("secondary")
		r.failover(tg)
	})
}

func TestLabVMThatDoesNotStart(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
		tg := r.prepare()
		r.disaster(true)
		ctx := r.t.Context()
		for _, spec := range tg.spec {
			must2(r.secondary.DataCenters(ctx))
			if _, _, err := r.secondary.ImportDomain(ctx, spec); err != nil {
				t.Fatal(err)
			}
			if _, _, err := r.secondary.AttachDomain(ctx, spec.ID, tg.dc, ovirt.AttachOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		vm := tg.vms[1]
		for _, tm := range tg.templates {
			if _, _, err := r.secondary.RegisterTemplate(ctx, ovirt.RegisterTemplateSpec{TemplateID: tm.ID, StorageDomainID: tg.spec[0].ID, ClusterID: tg.cluster}); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := r.secondary.RegisterVM(ctx, ovirt.RegisterSpec{VMID: vm.ID, Name: vm.Name, StorageDomainID: tg.spec[0].ID, ClusterID: tg.cluster}); err != nil {
			t.Fatal(err)
		}
		if err := r.lab.Fail(lab.Fault{Kind: lab.FaultVMBoot, Subject: vm.Name, Times: -1}); err != nil {
			t.Fatal(err)
		}
		result, err := r.secondary.StartVM(ctx, vm.ID, ovirt.StartOptions{})
		var e *ovirt.Error
		if !errors.As(err, &e) || e.Code != ovirt.CodeEngineError || e.State != "down" || !result.Requested || !strings.Contains(err.Error(), vm.Name) {
			t.Fatal(result, err)
		}
		t.Log(err)
		for _, w := range r.intents {
			if w.Op == ovirt.OpStartVM {
				if reached, err := r.secondary.StartReached(ctx, w.Correlation); err != nil || !reached {
					t.Error(reached, err)
				}
			}
		}
		if reached, err := r.secondary.StartReached(ctx, "test-999"); err != nil || reached {
			t.Error(reached, err)
		}
	})
}

func TestLabUpdateNICAndRefresh(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
		tg := r.prepare()
		r.disaster(true)
		r.failover(tg)
		ctx := r.t.Context()
		nic := must2(r.secondary.VMNICs(ctx, tg.vms[0].ID))[0]
		if changed, err := r.secondary.UpdateNIC(ctx, tg.vms[0].ID, nic.ID, ""); err != nil || !changed {
			t.Fatal(changed, err)
		}
		if changed, err := r.secondary.UpdateNIC(ctx, tg.vms[0].ID, nic.ID, tg.lan); err != nil || !changed {
			t.Fatal(changed, err)
		}
		if changed, err := r.secondary.UpdateNIC(ctx, tg.vms[0].ID, nic.ID, tg.lan); err != nil || changed {
			t.Fatal(changed, err)
		}
		if err := r.secondary.RefreshHost(ctx, tg.host); err != nil {
			t.Fatal(err)
		}
		if sd, changed, err := r.secondary.ActivateDomain(ctx, tg.dc, tg.spec[0].ID, 0); err != nil || changed || sd.Status != "active" {
			t.Fatal(sd, changed, err)
		}
	})
}

// TestLabLies meets answers of the engine that promise more than is true.
func TestLabLies(t *testing.T) {
	attach := func(r *rig, tg target) (ovirt.StorageDomain, error) {
		if _, _, err := r.secondary.ImportDomain(r.t.Context(), tg.spec[0]); err != nil {
			r.t.Fatal(err)
		}
		sd, _, err := r.secondary.AttachDomain(r.t.Context(), tg.spec[0].ID, tg.dc, ovirt.AttachOptions{})
		return sd, err
	}
	lie := func(r *rig, kind, subject string) target {
		tg := r.prepare()
		r.disaster(true)
		if err := r.lab.Fail(lab.Fault{Kind: kind, Subject: subject}); err != nil {
			r.t.Fatal(err)
		}
		return tg
	}
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) { // attached, and left in maintenance: activated
		tg := lie(r, lab.FaultActivation, "nfs_ds")
		if sd, err := attach(r, tg); err != nil || sd.Status != "active" {
			r.t.Fatal(sd, err)
		}
		r.failover(tg)
	})
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) { // active, and no VMs on it
		tg := lie(r, lab.FaultOVFRead, "nfs_ds")
		if sd, err := attach(r, tg); !ovirt.HasCode(err, ovirt.CodeEngineError) || sd.Status != "active" || !strings.Contains(err.Error(), "OVF store") {
			r.t.Fatal(sd, err)
		}
	})
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) { // registered, and gone again
		tg := lie(r, lab.FaultRegisterLost, "vm2")
		if _, err := attach(r, tg); err != nil {
			r.t.Fatal(err)
		}
		for _, tm := range tg.templates {
			if _, _, err := r.secondary.RegisterTemplate(r.t.Context(), ovirt.RegisterTemplateSpec{TemplateID: tm.ID, StorageDomainID: tg.spec[0].ID, ClusterID: tg.cluster}); err != nil {
				r.t.Fatal(err)
			}
		}
		_, changed, err := r.secondary.RegisterVM(r.t.Context(), ovirt.RegisterSpec{VMID: tg.vms[1].ID, Name: "vm2", StorageDomainID: tg.spec[0].ID, ClusterID: tg.cluster})
		if !changed || !ovirt.HasCode(err, ovirt.CodeEngineError) {
			r.t.Fatal(changed, err)
		}
		r.t.Log(err)
	})
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) { // the import fails and leaves its connection behind
		tg := r.prepare()
		r.disaster(true)
		if err := r.lab.Fail(lab.Fault{Kind: lab.FaultListing, Subject: tg.spec[0].Address + ":" + tg.spec[0].Path}); err != nil {
			r.t.Fatal(err)
		}
		before := len(must2(r.secondary.StorageConnections(r.t.Context())))
		if _, _, err := r.secondary.ImportDomain(r.t.Context(), tg.spec[0]); !ovirt.HasCode(err, ovirt.CodeBadRequest) {
			r.t.Fatal(err)
		}
		if after := len(must2(r.secondary.StorageConnections(r.t.Context()))); after != before {
			r.t.Errorf("%d connections left", after-before)
		}
		r.failover(tg)
	})
}
