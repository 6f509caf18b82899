package main

import (
	"os"
	"strings"
	"testing"

	"drrun/plans"
	"drrun/stdlib"
)

const hooksPage = "../../docs/090-hooks-and-contexts.md"

// TestHooksPage puts the hooks of docs/090-hooks-and-contexts.md into one plan and moves the VMs with it.
func TestHooksPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(hooksPage)
	if err != nil {
		t.Fatal(err)
	}
	var hooks []string
	for _, match := range luaBlock.FindAllStringSubmatch(string(page), -1) {
		hooks = append(hooks, match[1])
	}
	if len(hooks) < 10 {
		t.Fatalf("found %d hooks only", len(hooks))
	}
	tour := newTour(t, t.TempDir())
	tour.script.WriteString(startLab("drrun lab --speed 60") + "\nsource ./lab.env\ndrrun " + strings.Join(labGenerate("primary-ca.pem", "secondary-ca.pem"), " ") + "\n")
	tour.script.WriteString("sed -i '/^return plan$/d' plan.lua\ncat >> plan.lua <<'END'\n" + strings.Join(hooks, "") + "return plan\nEND\n")
	tour.add(string(page))
	out := tour.run() + "\n"
	for _, want := range []string{
		"sound (the sites were not asked)", "the hook promote_storage (array) for group", "rank 0 is up at secondary", "vm1 is down at primary",
		"failover: done, 3 of 3 VMs are up", "3 VMs were looked at", "begun at 20", "failover of Plan_Recovery: done",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the page did not show %q", want)
		}
	}
	for _, other := range []string{"this is no drill", "tell the team"} {
		if strings.Contains(out, other) {
			t.Errorf("the page showed %q, which belongs to another run", other)
		}
	}
	if started, err := os.ReadFile(tour.dir + "/started.txt"); err != nil || strings.Count(string(started), "\n") != 3 {
		t.Errorf("started.txt: %v\n%s", err, started)
	}
	worlds := tour.worlds()
	if end := worlds[len(worlds)-1]; len(end.Violations) > 0 || len(end.Sites[plans.Secondary].VMs) != 3 {
		t.Errorf("at the end: %+v, violations %+v", end.Sites[plans.Secondary].VMs, end.Violations)
	}
	if t.Failed() {
		t.Log(out)
	}
}

// TestHooksPageHasEveryPoint holds the points of the page, and what becomes of each after a kill, against those that there are.
func TestHooksPageHasEveryPoint(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(hooksPage)
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]string{}
	for _, part := range strings.Split(string(page), "\n### ")[1:] {
		name, says, _ := strings.Cut(part, "\n")
		says, _, _ = strings.Cut(says, "\n## ")
		explained[name] = strings.Join(strings.Fields(says), " ")
	}
	cut := map[string]string{"ask": "a person is asked", "retry": "it is called again"}
	for _, point := range stdlib.HookPoints {
		switch says, there := explained[point.Name]; {
		case !there:
			t.Errorf("the page does not have %s", point.Name)
		case point.Name == "on_error", strings.Contains(says, "a kill: as "), strings.Contains(says, "and kill: as "): // is none, or as the point before
		case !strings.Contains(says, "Cut by a kill: "+cut[point.OnCut]):
			t.Errorf("%s: the page does not say what becomes of it after a kill (%s): %s", point.Name, cut[point.OnCut], says)
		}
		delete(explained, point.Name)
	}
	for name := range explained {
		t.Errorf("the page has %s, which is no hook point", name)
	}
}
