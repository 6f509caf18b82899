package runner_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// storageAdmin answers as somebody who makes the copy writable when asked, once it holds everything.
type storageAdmin struct {
	p     *pair
	clock engine.Clock
	asked []string
	// asOf is what is answered for the copy; "" is in_sync. Without promote nothing is done at the array.
	asOf    string
	idle    bool
	refuses bool // replication is not running
}

func (s *storageAdmin) Ask(ctx context.Context, q engine.Question) (string, error) {
	s.asked = append(s.asked, q.Name)
	switch name, group, _ := strings.Cut(q.Name, ":"); name {
	case "replication":
		if s.refuses {
			return "no", nil
		}
		return "yes", nil
	case "promote_storage":
		if _, err := s.clock.Wait(ctx, time.Minute, nil); err != nil { // the lag of the replication
			return "", err
		}
		if !s.idle {
			for _, name := range s.p.domains() {
				if group != "all" && group != name { // pair.groups gives each its own
					continue
				}
				if err := s.p.lab.Promote(name); err != nil {
					return "", err
				}
			}
		}
		if s.asOf != "" {
			return "writable,as_of=" + s.asOf, nil
		}
		return "writable,in_sync", nil
	case "cut":
		return "redo", nil
	}
	return "", engine.ErrNoAnswer
}

// domains names the replicated storage domains of the pair.
func (p *pair) domains() []string {
	names := slices.Clone(p.names)
	if names != nil {
		return names
	}
	for i := range max(p.size.Domains, 1) {
		names = append(names, lab.DomainName(i))
	}
	return names
}

// planned runs a planned action with a storage administrator at hand.
func (p *pair) planned(action string, admin *storageAdmin, change func(*runner.Options)) *runner.Result {
	p.t.Helper()
	return p.failover(func(o *runner.Options) {
		p.byAdmin(admin, o)
		o.Action, o.Planned = action, true
		if change != nil {
			change(o)
		}
	})
}

func (p *pair) byAdmin(admin *storageAdmin, o *runner.Options) {
	if admin == nil {
		admin = &storageAdmin{}
	}
	admin.p, admin.clock = p, o.Env.Clock
	o.Asker, o.CanAnswer, o.ConfirmSourceDown = admin, func(string) bool { return true }, ""
}

// counters returns what the guests had written to each disk on a site.
func (p *pair) counters(site string) map[string]int64 {
	counters := map[string]int64{}
	for _, disk := range p.lab.View().Disks {
		if disk.Site == site {
			counters[disk.ID] = disk.Counter
		}
	}
	return counters
}

// sound fails on whatever must never happen, and where the VMs that ran are not up at the site with at least the data that they had.
func (p *pair) sound(site string, before map[string]int64) {
	p.t.Helper()
	view := p.lab.View()
	for _, v := range view.Violations[p.story:] {
		p.t.Errorf("violation: %s: %s", v.Kind, v.Text)
	}
	for _, vm := range view.Sites[site].VMs {
		if vm.Status != "up" {
			p.t.Errorf("%s is %s on %s", vm.Name, vm.Status, site)
		}
	}
	now := p.counters(site)
	for disk, was := range before {
		if now[disk] < was {
			p.t.Errorf("%s has %d on %s, and had %d at its shutdown", disk, now[disk], site, was)
		}
	}
}

// TestPlannedFailoverAndBack moves the VMs over and home again, twice.
func TestPlannedFailoverAndBack(t *testing.T) {
	t.Parallel()
	for _, size := range []lab.TwoSitesOptions{{}, {VMs: 6, Domains: 3}} {
		p := newPair(t, 1, size)
		before := p.counters("primary")
		if len(before) == 0 {
			t.Fatal("no counters")
		}
		for range 2 {
			r := p.planned(plans.ActionFailover, nil, nil)
			expect(t, r, runner.ExitDone)
			p.sound("secondary", before)
			before = p.counters("secondary")
			if left := p.lab.View().Sites["primary"]; len(left.VMs) > 0 || len(left.StorageDomains) > 0 {
				t.Errorf("left at the primary: %+v %+v", left.VMs, left.StorageDomains)
			}
			p.replicate()
			r = p.planned(plans.ActionFailback, nil, nil)
			expect(t, r, runner.ExitDone)
			p.sound("primary", before)
			before = p.counters("primary")
			p.replicate()
		}
	}
}

// replicate starts the replication in the other direction.
func (p *pair) replicate() {
	p.t.Helper()
	for _, name := range p.domains() {
		if err := p.lab.Replicate(name); err != nil {
			p.t.Fatal(err)
		}
	}
}

// TestPlannedWithoutATerminalNamesTheWait: a run without a terminal can wait for an answer from another one, and the hint says how.
func TestPlannedWithoutATerminalNamesTheWait(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	said := answers{"replication": "yes"}
	r := p.planned(plans.ActionFailover, nil, func(o *runner.Options) { o.Asker, o.CanAnswer = said, said.can })
	expect(t, r, runner.ExitRefused)
	if r.Error.Code != "needs-answer" || !strings.Contains(r.Error.Hint, "--wait-for-answers") {
		t.Errorf("%+v", r.Error)
	}
}

// TestNoThatAHookWouldNotHear: a "no" on the command line is never passed over because a hook speaks for the group.
func TestNoThatAHookWouldNotHear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hook, point, answer string
		exit                int
	}{
		{"a hook promotes", "promote_storage", "no", runner.ExitRefused},
		{"a hook looks at the replication", "ensure_replication", "no", runner.ExitRefused},
		{"the word agrees with the hook", "ensure_replication", "yes", runner.ExitDone},
	} {
		t.Run(c.hook, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			p.hook("plan:on(\"" + c.point + "\", function() return { writable = true, in_sync = true } end, { as = \"array\", on_cut = \"retry\" })")
			for _, dry := range []bool{true, c.exit == runner.ExitDone} { // what is not refused is only looked at
				was := p.fingerprint()
				r := p.planned(plans.ActionFailover, nil, func(o *runner.Options) {
					o.DryRun, o.PreparedAnswer = dry, func(name string) (string, bool) { return c.answer, name == "replication:all" }
				})
				expect(t, r, c.exit)
				if c.exit != runner.ExitRefused {
					continue
				}
				if r.Error.Code != "answer-unheard" || !strings.Contains(r.Error.Message, c.point) {
					t.Errorf("%+v", r.Error)
				}
				if p.fingerprint() != was {
					t.Error("the sites are not as they were")
				}
			}
		})
	}
}
