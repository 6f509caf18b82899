package plans

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/engine/sim"
	"drrun/ovirt"
	"drrun/ovirt/lab"
)

// labSites opens both engines of a lab in this process. A site that does not answer is nil, with the reason.
func labSites(t *testing.T, l *lab.Lab, env engine.Env) (sites map[string]*ovirt.Site, reasons map[string]error) {
	t.Helper()
	sites, reasons = map[string]*ovirt.Site{}, map[string]error{}
	for name, o := range map[string]ovirt.Options{
		Primary:   {Name: Primary, URL: lab.PrimaryURL, Username: lab.PrimaryUsername, Password: lab.PrimaryPassword},
		Secondary: {Name: Secondary, URL: lab.SecondaryURL, Username: lab.SecondaryUsername, Password: lab.SecondaryPassword},
	} {
		o.Transport, o.Clock, o.Go = l.Transport(), env.Clock, env.Go
		site, err := ovirt.Open(context.Background(), o)
		if err != nil {
			reasons[name] = err
			continue
		}
		sites[name] = site
	}
	return sites, reasons
}

// The whole way on the lab: generate, load, check while the primary is up, check after the disaster.
func TestOnTheLab(t *testing.T) {
	t.Parallel()
	w := sim.New(1)
	defer w.Close()
	w.Run(func() { onTheLab(t, w.Env()) })
}

func onTheLab(t *testing.T, env engine.Env) {
	l := lab.New(lab.TwoSites(lab.TwoSitesOptions{}), env.Clock, 1)
	sites, reasons := labSites(t, l, env)
	if len(reasons) > 0 {
		t.Fatal(reasons)
	}
	ctx := context.Background()
	dir := t.TempDir()
	file := filepath.Join(dir, "plan.lua")
	o := GenerateOptions{Name: "Plan_Recovery", File: file, Now: env.Clock.Now(), Primary: sites[Primary], Secondary: sites[Secondary],
		PrimarySpec: SiteSpec{URL: lab.PrimaryURL, Username: lab.PrimaryUsername, CAFile: filepath.Join(dir, "primary-ca.pem")}, SecondarySpec: SiteSpec{URL: lab.SecondaryURL, Username: lab.SecondaryUsername, CAFile: filepath.Join(dir, "secondary-ca.pem")},
		PrimaryStorage: "nfs://192.168.122.210:/nfs_ds", SecondaryStorage: "nfs://192.168.122.210:/nfs_ds_replica"}
	g, err := Generate(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "lab.lua", string(g.Plan))
	golden(t, "lab.summary", renderSummary(t, g.Summary))
	again, err := Generate(ctx, o)
	if err != nil || string(again.Plan) != string(g.Plan) {
		t.Errorf("a second generate differs, or fails: %v", err)
	}
	for _, name := range []string{"primary-ca.pem", "secondary-ca.pem"} {
		write(t, filepath.Join(dir, name), "-----BEGIN CERTIFICATE-----\n")
	}
	if err := g.Save(engine.SystemEnv(1).FS, file, false); err != nil {
		t.Fatal(err)
	}
	p, found, text := load(t, file, Options{})
	if len(found) > 0 {
		t.Fatal(text)
	}
	inv, err := ReadInventory(os.ReadFile, file)
	if err != nil {
		t.Fatal(err)
	}
	before := [2]ovirt.Counters{sites[Primary].Counters(), sites[Secondary].Counters()}
	if _, findings := Check(ctx, p, inv, sites[Primary], sites[Secondary], CheckOptions{Now: env.Clock.Now()}); HasErrors(findings) || len(findings) > 0 {
		t.Error(renderFindings(findings))
	}
	reads := sites[Primary].Counters().Reads - before[0].Reads + sites[Secondary].Counters().Reads - before[1].Reads
	if reads > 20 {
		t.Errorf("a check took %d reads", reads)
	}
	if err := l.Disaster(Primary); err != nil {
		t.Fatal(err)
	}
	sites, reasons = labSites(t, l, env)
	_, findings := Check(ctx, p, inv, sites[Primary], sites[Secondary], CheckOptions{Now: env.Clock.Now(), PrimaryErr: reasons[Primary], SecondaryErr: reasons[Secondary]})
	if len(findings) != 1 || findings[0].Severity != SeverityInfo || findings[0].Code != "site-unreachable" {
		t.Error(renderFindings(findings))
	}
	for _, entry := range l.Log() {
		if entry.Changing {
			t.Errorf("a request that changes: %s %s", entry.Method, entry.Path)
		}
	}
}

// Neither generate nor check asks more for more VMs.
func TestReadsDoNotGrow(t *testing.T) {
	t.Parallel()
	var reads []int
	for _, count := range []int{3, 60} {
		w := sim.New(1)
		w.Run(func() { reads = append(reads, readsToGenerate(t, w.Env(), count)) })
		w.Close()
	}
	if reads[0] != reads[1] || reads[0] > 20 {
		t.Errorf("reads: %v", reads)
	}
}

func readsToGenerate(t *testing.T, env engine.Env, count int) int {
	l := lab.New(lab.TwoSites(lab.TwoSitesOptions{VMs: count, Domains: 2}), env.Clock, 1)
	sites, reasons := labSites(t, l, env)
	if len(reasons) > 0 {
		t.Fatal(reasons)
	}
	g, err := Generate(context.Background(), GenerateOptions{Name: "p", File: "p.lua", Now: env.Clock.Now(), Primary: sites[Primary], Secondary: sites[Secondary],
		PrimarySpec: SiteSpec{URL: lab.PrimaryURL}, SecondarySpec: SiteSpec{URL: lab.SecondaryURL},
		PrimaryStorage:   "nfs://192.168.122.210:/nfs_ds;nfs://192.168.122.210:/nfs_ds2",
		SecondaryStorage: "nfs://192.168.122.210:/nfs_ds_replica;nfs://192.168.122.210:/nfs_ds2_replica"})
	if err != nil {
		t.Fatal(err)
	}
	if g.Summary.VMs != count || !slices.Equal(g.Summary.StorageDomains, []string{"nfs_ds", "nfs_ds2"}) || strings.Count(string(g.Plan), "rank = 0") != 2 {
		t.Errorf("%+v\n%s", g.Summary, g.Plan)
	}
	return sites[Primary].Counters().Reads + sites[Secondary].Counters().Reads
}
