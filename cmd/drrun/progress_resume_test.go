package main

import (
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// TestProgressOfAResume begins with what the run had reached, and counts an object that this attempt marks once.
func TestProgressOfAResume(t *testing.T) {
	env, _, stderr := testEnv(strings.NewReader(""))
	env.IsTerminal = func(any) bool { return true }
	env.Width = func(any) int { return 200 }
	machine := env.wall()
	machine.Clock = &frozen{now: time.Date(2026, 11, 20, 3, 12, 0, 0, time.UTC)}
	p := newProgress(newScreen(env), machine, 1)
	row := func(kind, id, state string) engine.Status {
		return engine.Status{Subject: engine.Subject{Kind: kind, Site: "secondary", ID: id, Name: id}, State: state}
	}
	p.began("20261120-0312-3f9a2c", runner.Totals{StorageDomains: 1, VMs: 3, Board: []engine.Status{
		row("storage_domain", "nfs", stdlib.StateActive), row("vm", "vm1", stdlib.StateUp), row("vm", "vm2", stdlib.StateRegistered), row("vm", "vm3", stdlib.StateRegistered),
	}})
	p.observe(engine.Event{Kind: "stage", Text: "preflight"})
	starting := row("vm", "vm2", stdlib.StateStarting)
	p.observe(engine.Event{Kind: "mark", Subject: starting.Subject, Text: starting.State, Data: starting})
	p.end()
	before, after, _ := strings.Cut(stderr.String(), "vm2: start")
	for text, want := range map[string]string{before: "storage domains 1/1 active · 3 VMs: 2 registered, 1 up", after: "storage domains 1/1 active · 3 VMs: 1 registered, 1 starting, 1 up"} {
		if !strings.Contains(text, want) || strings.Contains(text, "none reached yet") {
			t.Errorf("it does not show %q:\n%q", want, text)
		}
	}
}
