package runner_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// eject writes a built-in text beside the plan, and makes the plan use it.
func (p *pair) eject(names ...string) {
	p.t.Helper()
	for _, name := range names {
		p.write("/site/"+name+".lua", string(stdlib.Eject(name, name)))
		if name != "steps" {
			p.edit("return plan\n", stdlib.EjectedUse(name, name)+"\nreturn plan\n")
		}
	}
}

var runIDs = regexp.MustCompile(`\d{8}-\d{4}-[0-9a-f]{6}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// requests are the changing requests of a pair, without what differs from run to run.
func (p *pair) requests() []string {
	var list []string
	for _, entry := range p.changes() {
		list = append(list, runIDs.ReplaceAllString(fmt.Sprintf("%s %s %s: %s", entry.Site, entry.Method, entry.Path, entry.Effect), "ID"))
	}
	return list
}

// TestEjectedUnchanged runs what drrun eject writes in place of the built-in workflows: the engines get the same requests, in the same order.
func TestEjectedUnchanged(t *testing.T) {
	t.Parallel()
	stories := map[string]func(p *pair){
		"failover": func(p *pair) {
			p.lose()
			expect(p.t, p.failover(nil), runner.ExitDone)
		},
		"planned failover and failback": func(p *pair) {
			expect(p.t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
			p.replicate()
			expect(p.t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
		},
		"rollback": func(p *pair) { expect(p.t, p.rollback(p.heldOff().Run, nil), runner.ExitDone) },
		"clean": func(p *pair) {
			p.cameBack()
			if err := p.lab.Replicate("nfs_ds"); err != nil {
				p.t.Fatal(err)
			}
			expect(p.t, p.clean("primary", nil), runner.ExitDone)
		},
	}
	ejected := map[string][]string{
		"the workflows": {"failover", "failback", "clean", "rollback"},
		"with stages":   {"failover", "failback", "clean", "rollback", "steps"},
	}
	for story, tell := range stories {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			builtin := newPair(t, 9, lab.TwoSitesOptions{})
			tell(builtin)
			for name, files := range ejected {
				p := newPair(t, 9, lab.TwoSitesOptions{})
				p.eject(files...)
				if slices.Contains(files, "steps") {
					for _, workflow := range []string{"failover", "failback", "clean", "rollback"} {
						file := "/site/" + workflow + ".lua"
						p.write(file, strings.Replace(p.read(file), `require "dr.steps"`, `require "steps"`, 1))
					}
				}
				tell(p)
				if got, want := p.requests(), builtin.requests(); len(want) == 0 || !slices.Equal(got, want) {
					t.Errorf("%s: the requests are\n%s\nthose of the built-in one\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

// TestNoStageIsASafeguard takes each line out of the built-in failover, one after the other and some together: whatever is missing, no VM
// starts at one site while it may run at the other, no copy is attached that lacks the last write, and a run that did less is not done.
func TestNoStageIsASafeguard(t *testing.T) {
	t.Parallel()
	text := string(stdlib.Eject("failover", "failover"))
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, "steps.") && !strings.Contains(line, "stages.with") && !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	if len(lines) < 13 {
		t.Fatalf("the workflow has %d stages only:\n%s", len(lines), text)
	}
	missing := [][]string{}
	for _, line := range lines {
		missing = append(missing, []string{line})
	}
	named := func(names ...string) (found []string) {
		for _, line := range lines {
			if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(line, "steps."+name+"(") }) {
				found = append(found, line)
			}
		}
		return found
	}
	missing = append(missing, named("evidence", "clean", "verify"), named("stop_source", "release_storage", "evidence"), named("preflight", "confirm_replication", "stop_source", "release_storage", "evidence", "promote"))
	for _, situation := range []string{"lost", "alive", "planned"} {
		for _, gone := range missing {
			var names []string
			cut := text
			for _, line := range gone {
				names = append(names, strings.TrimSpace(line))
				cut = strings.Replace(cut, line+"\n", "\n", 1)
			}
			t.Run(situation+" without "+strings.Join(names, " "), func(t *testing.T) {
				t.Parallel()
				p := newPair(t, 9, lab.TwoSitesOptions{})
				p.eject("failover")
				p.write("/site/failover.lua", cut)
				var r *runner.Result
				switch situation {
				case "lost":
					p.lose()
					r = p.failover(nil)
				case "alive":
					r = p.failover(nil)
				case "planned":
					r = p.planned(plans.ActionFailover, nil, nil)
				}
				for _, violation := range p.lab.View().Violations {
					t.Errorf("exit %d: %s: %s", r.Exit, violation.Kind, violation.Text)
				}
				if situation == "alive" && (len(p.started()) > 0 || r.Exit == runner.ExitDone) {
					t.Errorf("exit %d, started %v", r.Exit, p.started())
				}
				for _, vm := range r.VMs {
					if r.Exit == runner.ExitDone && vm.Status != stdlib.StateUp {
						t.Errorf("exit 0, and %s is %s", vm.Name, vm.Status)
					}
				}
			})
		}
	}
}

// TestPastedWorkflow is the other way to use an ejected text: its function stands in the plan.
func TestPastedWorkflow(t *testing.T) {
	t.Parallel()
	p := newPair(t, 9, lab.TwoSitesOptions{})
	text := strings.Replace(string(stdlib.Eject("failover", "failover")), "return function(ctx, changes)", "function plan.failover(ctx, changes)", 1)
	p.edit("return plan\n", text+"\nreturn plan\n")
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitDone)
	if len(r.Findings) > 1 { // the silent source
		t.Errorf("%+v", r.Findings)
	}
}
