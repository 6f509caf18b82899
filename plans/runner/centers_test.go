package runner_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
	"drrun/plans/worlds"
)

// centers is the pair of sites of examples/worlds/two-centers.lua, with the plan that generate made of it and that somebody has filled in:
// two data centers, every kind of storage, 60 VMs, LUNs that are disks.
func centers(t *testing.T, seed uint64) *pair {
	t.Helper()
	world, found := worlds.Read(context.Background(), engine.SystemEnv(1), "../../examples/worlds/two-centers.lua")
	if len(found) > 0 {
		t.Fatal(found)
	}
	p := barePair(t, seed, lab.TwoSitesOptions{}, func(w *lab.World) { *w = world })
	t.Cleanup(p.world.Close)
	p.names = []string{"nfs_web", "nfs_data", "gluster", "ceph", "iscsi", "fcp", "history", "quality"}
	p.generate(0)
	p.fillIn(&world)
	return p
}

// fillIn puts values into the plan where generate could not know them, as the world has them.
func (p *pair) fillIn(world *lab.World) {
	p.t.Helper()
	text := p.read("/site/plan.lua")
	const todo = `dr\.todo "(?:[^"\\]|\\.)*"`
	for _, cluster := range []string{"Web", "Data", "Plant"} {
		text = regexp.MustCompile(`(primary = "`+cluster+`", +secondary = )`+todo).ReplaceAllString(text, `${1}"DR-`+cluster+`"`)
	}
	for network, dc := range map[string]string{"lan": "Office", "control": "Plant"} {
		text = regexp.MustCompile(`(primary += \{ data_center = "`+dc+`", network = "`+network+`", profile = "`+network+`" \},\n +secondary = )`+todo).
			ReplaceAllString(text, fmt.Sprintf(`${1}{ data_center = %q, network = %q, profile = %q }`, dc, "DR-"+network, "DR-"+network))
	}
	for _, set := range world.LUNSets {
		name, copied := strings.CutSuffix(set.Name, "_copy")
		if !copied || name != "history" && name != "quality" {
			continue
		}
		value := fmt.Sprintf("%q", set.LUNs[0].ID)
		for _, target := range world.Targets {
			if target.Name == set.Target {
				value = fmt.Sprintf(`{ id = %q, targets = { { target = %q, username = %q, password = dr.secret "secondary_chap_password" } } }`, set.LUNs[0].ID, target.Portals[0]+"/"+target.Name, target.Username)
			}
		}
		text = regexp.MustCompile(todo).ReplaceAllStringFunc(text, func(left string) string {
			if strings.Contains(left, name+"_data") {
				return value
			}
			return left
		})
	}
	if i := strings.Index(text, "dr.todo"); i >= 0 {
		p.t.Fatalf("left to fill in: %s\n%s", text[i:min(i+300, len(text))], text)
	}
	p.write("/site/plan.lua", text)
}

// loseAll makes the primary vanish and every replica writable.
func (p *pair) loseAll() {
	p.t.Helper()
	p.lab.Disaster("primary")
	for _, name := range p.domains() {
		if err := p.lab.Promote(name); err != nil {
			p.t.Fatal(err)
		}
	}
}

// TestTwoCenters moves the 60 VMs of every kind of storage over and home, unplanned and planned.
func TestTwoCenters(t *testing.T) {
	t.Parallel()
	p := centers(t, 5)
	chap := withSecrets("lab-chap-password")
	p.wait(forLongEnough)
	before := p.described("primary")
	if len(before) != 60 {
		t.Fatalf("%d VMs", len(before))
	}
	p.loseAll()
	expect(t, p.failover(chap), runner.ExitDone)
	p.wait(time.Hour)
	if err := p.lab.Heal("primary"); err != nil {
		t.Fatal(err)
	}
	p.replicate()
	p.wait(10 * time.Minute)
	written := p.counters("secondary")
	expect(t, p.planned(plans.ActionFailback, nil, chap), runner.ExitDone)
	p.grown("primary", written)
	p.sameVMs("primary", before)

	p.replicate()
	written = p.counters("primary")
	expect(t, p.planned(plans.ActionFailover, nil, chap), runner.ExitDone)
	p.grown("secondary", written)
	p.replicate()
	written = p.counters("secondary")
	expect(t, p.planned(plans.ActionFailback, nil, chap), runner.ExitDone)
	p.grown("primary", written)
	p.sameVMs("primary", before)
}

// grown fails on whatever must never happen, and where a disk has lost something of what was written to it.
func (p *pair) grown(site string, before map[string]int64) {
	p.t.Helper()
	for _, v := range p.lab.View().Violations[p.story:] {
		p.t.Errorf("violation: %s: %s", v.Kind, v.Text)
	}
	now := p.counters(site)
	for disk, was := range before {
		if now[disk] < was {
			p.t.Errorf("%s has %d on %s, and had %d before", disk, now[disk], site, was)
		}
	}
}
