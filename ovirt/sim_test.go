package ovirt_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine/sim"
	"drrun/ovirt"
	"drrun/ovirt/lab"
)

// simulate does a failover of 12 VMs, all at once, in a seeded world, with an engine that restarts in the middle. It returns
// what the secondary was asked, in order, and the trace of the world.
func simulate(t *testing.T, seed uint64) (requests, trace []string) {
	t.Helper()
	w := sim.New(seed)
	defer w.Close()
	l := lab.New(lab.TwoSites(lab.TwoSitesOptions{VMs: 12}), w.Clock(), seed)
	if err := l.Fail(lab.Fault{Site: "secondary", Method: "POST", Path: "/start$", Nth: 4, Restart: true}); err != nil {
		t.Fatal(err)
	}
	env := w.Env()
	w.Run(func() {
		ctx := context.Background()
		open := func(name, url, user, password string) *ovirt.Site {
			return must2(ovirt.Open(ctx, ovirt.Options{Name: name, URL: url, Username: user, Password: password, Transport: l.Transport(), Clock: w.Clock(), Go: env.Go}))
		}
		primary := open("primary", lab.PrimaryURL, lab.PrimaryUsername, lab.PrimaryPassword)
		s := open("secondary", lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword)
		vms := must2(primary.VMs(ctx, ovirt.VMQuery{Details: true}))
		home := must2(primary.StorageDomains(ctx))[0]
		if _, err := w.Clock().Wait(ctx, time.Minute, nil); err != nil {
			t.Error(err)
		}
		if err := l.Disaster("primary"); err != nil {
			t.Error(err)
		}
		if err := l.Promote("nfs_ds"); err != nil {
			t.Error(err)
		}
		host := must2(s.Hosts(ctx))[0].ID
		dc, cluster := must2(s.DataCenters(ctx))[0].ID, must2(s.Clusters(ctx))[0].ID
		if _, _, err := s.ImportDomain(ctx, ovirt.ImportSpec{ID: home.ID, Type: "nfs", Address: home.Address, Path: home.Path + "_replica", HostID: host}); err != nil {
			t.Error(err)
		}
		if _, _, err := s.AttachDomain(ctx, home.ID, dc, ovirt.AttachOptions{}); err != nil {
			t.Error(err)
		}
		for _, tm := range must2(s.UnregisteredTemplates(ctx, home.ID)) {
			if _, _, err := s.RegisterTemplate(ctx, ovirt.RegisterTemplateSpec{TemplateID: tm.ID, StorageDomainID: home.ID, ClusterID: cluster}); err != nil {
				t.Error(err)
			}
		}
		for _, vm := range vms {
			env.Go(func() {
				if _, _, err := s.RegisterVM(ctx, ovirt.RegisterSpec{VMID: vm.ID, Name: vm.Name, StorageDomainID: home.ID, ClusterID: cluster, Absent: true}); err != nil {
					t.Error(err)
					return
				}
				if _, err := s.StartVM(ctx, vm.ID, ovirt.StartOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
	})
	view := l.View()
	for _, vm := range view.Sites["secondary"].VMs {
		if vm.Status != "up" {
			t.Errorf("seed=%d: %s is %s", seed, vm.Name, vm.Status)
		}
	}
	if len(view.Sites["secondary"].VMs) != 12 || len(view.Violations) > 0 {
		t.Errorf("seed=%d: %+v", seed, view)
	}
	for _, entry := range l.Log() {
		requests = append(requests, fmt.Sprint(entry.Time.Format(time.RFC3339Nano), entry.Method, entry.Path, entry.Query, entry.Status))
	}
	return requests, w.Trace()
}

func TestSimOneSeedOneTrace(t *testing.T) {
	first, trace := simulate(t, 7)
	for range 4 {
		again, traceAgain := simulate(t, 7)
		if !slices.Equal(first, again) || !slices.Equal(trace, traceAgain) {
			t.Fatalf("seed=7 gives another trace:\n%s\n---\n%s", strings.Join(first, "\n"), strings.Join(again, "\n"))
		}
	}
	different := 0
	for seed := range uint64(20) {
		if other, _ := simulate(t, seed+100); !slices.Equal(first, other) {
			different++
		}
	}
	if different < 15 {
		t.Errorf("only %d of 20 seeds take another way", different)
	}
}
