package runner_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// settings are those of the storage domains that a site's engine shows, by name.
func (p *pair) settings(site string) map[string]ovirt.DomainSettings {
	p.t.Helper()
	shown := map[string]ovirt.DomainSettings{}
	p.engine(site, func(ctx context.Context, s *ovirt.Site) error {
		all, err := s.StorageDomains(ctx)
		for _, d := range all {
			if strings.HasPrefix(d.Name, "nfs_ds") {
				shown[d.Name] = d.Settings
			}
		}
		return err
	})
	return shown
}

// TestSettingsComeAlong: an import begins with the engine's own settings; those of the source follow, by the live source or the inventory,
// and only where they differ.
func TestSettingsComeAlong(t *testing.T) {
	t.Parallel()
	for _, planned := range []bool{true, false} {
		t.Run(fmt.Sprintf("planned %v", planned), func(t *testing.T) {
			t.Parallel()
			p := barePair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2, Kind: plans.StorageISCSI}, func(*lab.World) {})
			t.Cleanup(p.world.Close)
			p.engine("primary", func(ctx context.Context, s *ovirt.Site) error {
				_, err := s.SetDomainSettings(ctx, p.domainID("nfs_ds"), ovirt.DomainSettings{WipeAfterDelete: true, WarningLowSpace: 25, CriticalSpace: 40})
				return err
			})
			p.generate(0)
			want := p.settings("primary")
			if want["nfs_ds"] == want["nfs_ds2"] {
				t.Fatal(want)
			}
			if planned {
				expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
			} else {
				p.lose()
				expect(t, p.failover(nil), runner.ExitDone)
			}
			if got := p.settings("secondary"); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("settings %v, want %v", got, want)
			}
			updates := 0
			for _, entry := range p.changes() {
				if entry.Site == "secondary" && strings.HasPrefix(entry.Effect, "update storage domain") {
					updates++
				}
			}
			if updates != 1 {
				t.Errorf("%d updates of settings, want that of nfs_ds alone", updates)
			}
			if !planned {
				return
			}
			p.replicate()
			expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
			if got := p.settings("primary"); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("settings at home %v, want %v", got, want)
			}
		})
	}
}

// TestSettingThatTheTargetCannotHave is said, and nothing is kept down for it.
func TestSettingThatTheTargetCannotHave(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{})
	p.inventory(func(inv *plans.Inventory) { inv.Domains[0].Settings.DiscardAfterDelete = true })
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitDone)
	if !warned(r, "nfs_ds", "does not have the settings", "Discard after delete is supported only by block domains") {
		t.Errorf("warnings %q", r.Warnings)
	}
}

// TestMountReachesTheImport: what the plan says of a mount is what the engine mounts with.
func TestMountReachesTheImport(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, add, options, version, vfs string }{
		{plans.StorageNFS, `, nfs_version = "v4_1", mount_options = "soft"`, "soft", "v4_1", ""},
		{plans.StorageGlusterFS, `, mount_options = "backup-volfile-servers=g2"`, "backup-volfile-servers=g2", "", "glusterfs"},
		{plans.StoragePOSIX, `, mount_options = "name=ovirt,secretfile=/etc/ceph/ovirt"`, "name=ovirt,secretfile=/etc/ceph/ovirt", "", "ceph"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 3, lab.TwoSitesOptions{Kind: c.kind})
			text := p.read("/site/plan.lua")
			at := strings.Index(text, "secondary = { data_center")
			end := at + strings.Index(text[at:], " } },")
			p.write("/site/plan.lua", text[:end]+c.add+text[end:])
			p.lose()
			expect(t, p.failover(nil), runner.ExitDone)
			p.engine("secondary", func(ctx context.Context, s *ovirt.Site) error {
				d, err := s.StorageDomain(ctx, p.domainID("nfs_ds"))
				if d.MountOptions != c.options || d.VFSType != c.vfs || c.version != "" && d.NFSVersion != c.version {
					t.Errorf("mounted as %+v", d)
				}
				return err
			})
		})
	}
}

// TestOlderFormatNeedsConsent: an attach would upgrade the domain, and the way back would be closed.
func TestOlderFormatNeedsConsent(t *testing.T) {
	t.Parallel()
	p := newPairOf(t, 3, lab.TwoSitesOptions{Kind: plans.StorageFCP}, func(w *lab.World) {
		primary := &w.Sites[0]
		primary.DataCenters[0].StorageFormat, primary.DataCenters[0].Version, primary.Clusters[0].Version = "v4", "4.2", "4.2"
		for i := range primary.StorageDomains {
			primary.StorageDomains[i].Format = "v4"
		}
	})
	r := p.planned(plans.ActionFailover, nil, nil)
	if i := slices.IndexFunc(r.Findings, func(f plans.Finding) bool { return f.Code == "storage-format-upgrade" }); r.Exit != runner.ExitRefused || i < 0 {
		t.Fatalf("exit %d, %+v", r.Exit, r.Findings)
	}
	p.edit(`type = "fcp",`, `type = "fcp", upgrade_format = true,`)
	r = p.planned(plans.ActionFailover, nil, nil)
	expect(t, r, runner.ExitDone)
	if !slices.ContainsFunc(r.Findings, func(f plans.Finding) bool { return f.Code == "storage-format-one-way" }) {
		t.Errorf("findings %+v", r.Findings)
	}
	p.replicate()
	r = p.planned(plans.ActionFailback, nil, nil)
	if i := slices.IndexFunc(r.Findings, func(f plans.Finding) bool { return f.Code == "storage-format-newer" }); r.Exit != runner.ExitRefused || i < 0 {
		t.Fatalf("exit %d, %+v", r.Exit, r.Findings)
	}
}

// withHostedEngine makes the engine's own VM of vm3, on a storage domain of the plan by accident.
func withHostedEngine(w *lab.World) {
	for i := range w.Sites[0].VMs {
		if w.Sites[0].VMs[i].Name == "vm3" {
			w.Sites[0].VMs[i].Name = "HostedEngine"
		}
	}
}

// TestHostedEngineIsLeftAlone: it is in no plan, a plan that names it is refused, and no action touches it although its disk lies on a
// storage domain of the plan.
func TestHostedEngineIsLeftAlone(t *testing.T) {
	t.Parallel()
	p := newPairOf(t, 3, lab.TwoSitesOptions{}, withHostedEngine)
	if strings.Contains(p.read("/site/plan.lua"), "HostedEngine") {
		t.Fatal("generate took it")
	}
	refused := func(r *runner.Result, what string) {
		t.Helper()
		if i := slices.IndexFunc(r.Findings, func(f plans.Finding) bool { return f.Code == "vm-hosted-engine" && f.Severity == plans.SeverityError }); r.Exit != runner.ExitRefused || i < 0 {
			t.Errorf("%s: exit %d, %+v", what, r.Exit, r.Findings)
		}
	}
	refused(p.planned(plans.ActionFailover, nil, nil), "a planned move of its storage domain")
	plan := p.read("/site/plan.lua")
	p.edit("  vms = {", fmt.Sprintf("  vms = {\n    { name = \"HostedEngine\", id = %q, rank = 1 },", p.vmID("HostedEngine")))
	refused(p.planned(plans.ActionFailover, nil, nil), "a plan that names it")
	p.write("/site/plan.lua", plan)

	p.lose()
	expect(t, p.failover(nil), runner.ExitDone)
	if vms := p.lab.View().Sites["secondary"].VMs; len(vms) != 2 {
		t.Errorf("VMs at the secondary: %+v", vms)
	}
	p.wait(time.Hour)
	if err := p.lab.Heal("primary"); err != nil {
		t.Fatal(err)
	}
	p.replicate()
	p.wait(10 * time.Minute)
	r := p.clean("primary", nil)
	if r.Exit == runner.ExitDone || !strings.Contains(r.Error.Message, "HostedEngine") {
		t.Errorf("clean: exit %d, %+v", r.Exit, r.Error)
	}
	for _, entry := range p.changes() {
		if strings.Contains(entry.Effect, "HostedEngine") {
			t.Errorf("touched: %s", entry.Effect)
		}
	}
}

// TestFirstDomainOfAnEmptyDataCenterIsAttachedAlone: it becomes the master, and the others follow at once when it is active.
func TestFirstDomainOfAnEmptyDataCenterIsAttachedAlone(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{plans.StorageNFS, plans.StorageFCP} {
		p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 3, Kind: kind, EmptySecondary: true})
		p.lose()
		expect(t, p.failover(nil), runner.ExitDone)
		var attached []string
		for _, entry := range p.changes() {
			if strings.HasPrefix(entry.Effect, "attach storage domain ") {
				attached = append(attached, strings.TrimPrefix(entry.Effect, "attach storage domain "))
			}
		}
		if len(attached) != 3 || attached[0] != "nfs_ds" {
			t.Errorf("%s: attached %v, want nfs_ds first", kind, attached)
		}
		begun := p.attachTimes()
		if len(begun) != 3 || !begun["nfs_ds2"].After(begun["nfs_ds"].Add(10*time.Second)) || begun["nfs_ds3"].Sub(begun["nfs_ds2"]).Abs() > 5*time.Second {
			t.Errorf("%s: attaches began %v", kind, begun)
		}
		p.engine("secondary", func(ctx context.Context, s *ovirt.Site) error {
			all, err := s.DataCenters(ctx)
			if err != nil {
				return err
			}
			master, err := s.MasterDomain(ctx, all[0].ID)
			if master.Name != "nfs_ds" {
				t.Errorf("%s: master is %q", kind, master.Name)
			}
			return err
		})
	}
}

// attachTimes is when the run asked for each attach, by its journal.
func (p *pair) attachTimes() map[string]time.Time {
	begun := map[string]time.Time{}
	p.do(func(env engine.Env) {
		runs, err := engine.ListRuns(env, p.state())
		if err != nil || len(runs) == 0 {
			p.t.Fatal(runs, err)
		}
		info, err := engine.ReadRun(env, p.state(), runs[len(runs)-1].ID)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, record := range info.Records {
			if record.Intent != nil && record.Intent.Op == ovirt.OpAttachDomain {
				begun[record.Intent.Subject.Name] = record.Time
			}
		}
	})
	return begun
}

// TestLooseDisksAreToldOf: disks that no VM of the plan has stay behind in the storage, and the report says so.
func TestLooseDisksAreToldOf(t *testing.T) {
	t.Parallel()
	p := newPairOf(t, 3, lab.TwoSitesOptions{}, func(w *lab.World) {
		primary := &w.Sites[0]
		primary.FloatingDisks = []lab.Disk{{ID: "0b7e5a0c-44a5-4c3a-9d53-5d8c2f4d6e70", Alias: "archive", StorageDomainID: primary.StorageDomains[0].ID, Size: 1 << 33}}
	})
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitDone)
	if !warned(r, "nfs_ds holds a disk that no VM of the plan has", "0b7e5a0c-44a5-4c3a-9d53-5d8c2f4d6e70", "Disk Import") {
		t.Errorf("warnings %q", r.Warnings)
	}
}
