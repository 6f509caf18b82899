package runner_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// types runs lines at a console that writes; each is followed by a part of its error, "" for none.
func (p *pair) types(change func(*runner.Options), lines ...[2]string) *runner.Result {
	p.t.Helper()
	var result *runner.Result
	p.do(func(env engine.Env) {
		o := p.options(env, writable)
		if change != nil {
			change(&o)
		}
		result = runner.Console(context.Background(), context.Background(), o, runner.TrialOptions{}, func(trial *runner.Trial) error {
			for i, line := range lines {
				soft, over := context.WithCancel(context.Background()) // each line has its own, which end with it
				_, err := trial.Run(soft, soft, fmt.Sprintf("input %d", i), line[0])
				over()
				if line[1] == "" && err != nil || line[1] != "" && (err == nil || !strings.Contains(err.Error()+codeIn(err), line[1])) {
					p.t.Errorf("%s: %v, want %q", line[0], err, line[1])
				}
			}
			return nil
		})
	})
	return result
}

func codeIn(err error) string {
	var d *lua.Diagnostic
	if errors.As(err, &d) {
		return " [" + d.Code + "]"
	}
	return ""
}

// TestConsoleIsARun types a failover by hand: every change is in the journal of a run of its own, under its locks, and the locks are given back.
func TestConsoleIsARun(t *testing.T) {
	t.Parallel()
	p := newPair(t, 8, lab.TwoSitesOptions{})
	p.lose()
	r := p.types(nil,
		[2]string{"d = ctx.target:import_domain('nfs_ds')"}, [2]string{"d:attach()"},
		[2]string{"for _, template in ipairs(d:unregistered_templates()) do template:register() end"},
		[2]string{"for _, vm in ipairs(d:unregistered_vms()) do vm:register() end"},
		[2]string{"secondary:vm('vm1'):start()"}, [2]string{"x = 'password = \"geheim\"'"},
	)
	expect(t, r, 0)
	if r.Run == "" || r.Action != "console" || len(p.changes()) == 0 || len(p.labels()) > 0 {
		t.Errorf("run %q, action %q, %d changes, labels left %v", r.Run, r.Action, len(p.changes()), p.labels())
	}
	p.do(func(env engine.Env) {
		if wrong := p.audit(env); len(wrong) > 0 { // each changing request has its intent, one to one
			t.Errorf("%v", wrong)
		}
	})
	journal := p.read(p.journal())
	for _, want := range []string{`"op":"vm.start"`, "d:attach()", "(not kept: it seems to hold a password)"} {
		if !strings.Contains(journal, want) {
			t.Errorf("the journal lacks %s", want)
		}
	}
	if strings.Contains(journal, "geheim") {
		t.Error("the journal holds a password")
	}
	if wrong := p.lab.View().Violations; len(wrong) > 0 {
		t.Errorf("violations: %+v", wrong)
	}
	// It has ended: a failover takes over what was done and does the rest.
	expect(t, p.failover(nil), 0)
}

// TestConsoleKeepsTheInvariants types what no run may do (I1, I7): nothing starts without evidence, nothing outside of the plan is touched,
// and nothing is changed at the source of an unplanned one.
func TestConsoleKeepsTheInvariants(t *testing.T) {
	t.Parallel()
	p := newPair(t, 8, lab.TwoSitesOptions{})
	r := p.types(func(o *runner.Options) { o.ConfirmSourceDown, o.Asker, o.CanAnswer = "", answers{}, answers{}.can },
		[2]string{"primary:vm('vm1'):shutdown()", "[wrong-site]"},
		[2]string{"primary:vm('vm1'):start()", "[wrong-site]"},
		[2]string{"secondary:vm('vm1'):start()", "["},
		[2]string{"secondary:vm('stranger')", "[vm-not-in-plan]"},
		[2]string{"secondary:storage_domain('recovery_local')", "[domain-not-in-plan]"},
		[2]string{"ctx:evidence()", "[no-evidence]"},
		[2]string{"pcall(function() secondary:vm('vm1'):start() end)"},
	)
	expect(t, r, 0)
	if changed := p.changes(); len(changed) > 0 {
		t.Errorf("something was changed: %v", changed)
	}
	if len(p.labels()) > 0 {
		t.Errorf("locks are left: %v", p.labels())
	}
}

// TestConsoleBesideOtherRuns refuses a console beside an unfinished run, and other actions beside a console that was killed, until that is
// closed (I4).
func TestConsoleBesideOtherRuns(t *testing.T) {
	t.Parallel()
	p := newPair(t, 8, lab.TwoSitesOptions{})
	p.lose()
	group := p.world.Group("drrun")
	group.Run(func() {
		env := group.Env()
		runner.Console(context.Background(), context.Background(), p.options(env, writable), runner.TrialOptions{}, func(trial *runner.Trial) error {
			_, _ = trial.Run(context.Background(), context.Background(), "input 1", "ctx.target:import_domain('nfs_ds'):attach()")
			group.Kill()
			return nil
		})
	})
	if r := p.types(nil); r.Exit != 3 || r.Error.Code != "unfinished-run" {
		t.Fatalf("%d %+v", r.Exit, r.Error)
	}
	id := p.runs()[0].ID
	if r := p.resume(id, nil); r.Exit != 3 || r.Error.Code != "console-run" || !strings.Contains(r.Error.Hint, "drrun abort "+id) {
		t.Fatalf("%d %+v", r.Exit, r.Error)
	}
	p.do(func(env engine.Env) {
		expect(t, runner.Abort(context.Background(), context.Background(), p.options(env, writable), id), 0)
	})
	if len(p.labels()) > 0 {
		t.Errorf("locks are left: %v", p.labels())
	}
	expect(t, p.types(nil, [2]string{"secondary:storage_domain('nfs_ds'):status()"}), 0)
	expect(t, p.failover(nil), 0)
}

// TestConsoleLosesItsLock takes the lock away between two lines: nothing is changed any more (I4).
func TestConsoleLosesItsLock(t *testing.T) {
	t.Parallel()
	p := newPair(t, 8, lab.TwoSitesOptions{})
	p.lose()
	changed := 0
	var result *runner.Result
	p.do(func(env engine.Env) {
		result = runner.Console(context.Background(), context.Background(), p.options(env, writable), runner.TrialOptions{}, func(trial *runner.Trial) error {
			run := func(text string) error {
				_, err := trial.Run(context.Background(), context.Background(), text, text)
				return err
			}
			if err := run("d = ctx.target:import_domain('nfs_ds')"); err != nil {
				t.Error(err)
			}
			thief := p.open(env, "secondary", lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword)
			labels, err := thief.AffinityLabels(context.Background())
			if err != nil || len(labels) != 1 {
				t.Fatalf("%v %v", labels, err)
			}
			if err := thief.DeleteLabel(context.Background(), labels[0].ID); err != nil {
				t.Error(err)
			}
			changed = len(p.changes())
			pause(env)
			for _, text := range []string{"d:attach()", "pcall(function() d:attach() end)", "d:attach({})"} {
				if err := run(text); err == nil || codeIn(err) != " [lock-lost]" {
					t.Errorf("%s: %v", text, err)
				}
			}
			return nil
		})
	})
	expect(t, result, 5)
	if now := len(p.changes()); now != changed || result.Error.Code != "lock-lost" || !strings.Contains(result.Error.Hint, "drrun abort") {
		t.Errorf("%d changes after the lock was lost: %+v", now-changed, result.Error)
	}
}

// TestConsoleSaysWhatFailed ends with 4 where a VM failed, and where an input failed that nobody saw.
func TestConsoleSaysWhatFailed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line       string
		unattended bool
		exit       int
		words      string
	}{
		{"ctx:mark(secondary:vm('vm1'), 'failed', 'no boot disk')", false, 4, "VM vm1 is failed"},
		{"secondary:vm('vm1'):start()", true, 4, "1 of 1 inputs failed"},
		{"secondary:vm('vm1'):start()", false, 0, ""},
		{"secondary:vm('vm1'):status()", true, 0, ""},
	} {
		p := newPair(t, 8, lab.TwoSitesOptions{})
		p.lose()
		var r *runner.Result
		p.do(func(env engine.Env) {
			r = runner.Console(t.Context(), t.Context(), p.options(env, writable), runner.TrialOptions{Unattended: c.unattended}, func(trial *runner.Trial) error {
				_, _ = trial.Run(t.Context(), t.Context(), "input 1", c.line)
				return nil
			})
		})
		expect(t, r, c.exit)
		if c.words != "" && !strings.Contains(r.Error.Message, c.words) {
			t.Errorf("%s: %+v", c.line, r.Error)
		}
	}
}

// pause lets the age pass for which a look at the locks counts.
func pause(env engine.Env) { _, _ = env.Clock.Wait(context.Background(), time.Minute, nil) }
