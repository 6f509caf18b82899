package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// TestLeaving says what a planned run waits for at the source, and what stays on the screen of it.
func TestLeaving(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 3, 12, 0, 0, time.UTC)
	env, _, stderr := testEnv(strings.NewReader(""))
	machine := env.wall()
	clock := &frozen{now: start}
	machine.Clock = clock
	p := newProgress(newScreen(env), machine, 1)
	defer p.end()
	p.began("20261120-0312-3f9a2c", runner.Totals{StorageDomains: 1, VMs: 2})
	subject := func(kind, site, name string) engine.Subject {
		return engine.Subject{Kind: kind, Site: site, ID: "id-" + name, Name: name}
	}
	note := func(kind, text string, data any) engine.Event {
		raw, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		return engine.Event{Kind: kind, Text: text, Data: json.RawMessage(raw)}
	}
	asks := func(op, kind, name string) engine.Event {
		return engine.Event{Kind: "intent", Text: op, Subject: subject(kind, "primary", name)}
	}
	// The rows of the board are those of the target.
	mark := func(kind, name, state string) engine.Event {
		s := engine.Status{Subject: subject(kind, "secondary", name), State: state, Detail: "why"}
		return engine.Event{Kind: "mark", Subject: s.Subject, Text: state, Data: s}
	}
	for i, step := range []struct {
		event engine.Event
		waits string
	}{
		{note("stage", "stop rank 1", nil), ""},
		{asks(ovirt.OpShutdownVM, "vm", "vm2"), "vm2 to shut down"},
		{asks(ovirt.OpShutdownVM, "vm", "vm1"), "vm1, vm2 to shut down"},
		{mark("vm", "vm1", stdlib.StateStopped), "vm2 to shut down"},
		{asks(ovirt.OpStopVM, "vm", "vm2"), "vm2 to shut down; vm2 to be switched off"},
		{mark("vm", "vm2", stdlib.StateStopped), ""},
		{note("stage", "release primary", nil), ""},
		{asks(ovirt.OpDeactivateDomain, "storage_domain", "nfs_ds"), "nfs_ds to be in maintenance"},
		{mark("storage_domain", "nfs_ds", stdlib.StateReleased), ""},
		{note("stage", "import", nil), ""},
		{mark("storage_domain", "nfs_ds", stdlib.StateImported), "nfs_ds to be active"},
		{note("log", "waiting", map[string]any{"until": start.Add(90 * time.Second), "what": "the leases of primary's hosts to expire"}),
			"the leases of primary's hosts to expire (1m30s left); nfs_ds to be active"},
		{mark("storage_domain", "nfs_ds", stdlib.StateLeft), "the leases of primary's hosts to expire (1m30s left)"},
		{mark("vm", "vm1", stdlib.StateLeft), "the leases of primary's hosts to expire (1m30s left)"},
		{mark("vm", "vm2", stdlib.StateQuarantined), "the leases of primary's hosts to expire (1m30s left)"},
	} {
		step.event.Time = start
		p.observe(step.event)
		p.mu.Lock()
		if got := p.waits(); got != step.waits {
			t.Errorf("step %d: waits for %q, want %q", i, got, step.waits)
		}
		p.mu.Unlock()
	}
	clock.now = start.Add(2 * time.Minute)
	if got := p.waits(); got != "" {
		t.Errorf("waits for %q when all is over", got)
	}
	const want = `+00:00  run 20261120-0312-3f9a2c: 1 storage domain, 2 VMs
+00:00  stage: stop rank 1
+00:00  vm1: shut down on primary
+00:00  vm2: shut down on primary
+00:00  stage: release primary
+00:00  storage domain nfs_ds: in maintenance on primary, released
+00:00  stage: import
+00:00  storage domain nfs_ds: imported on secondary
+00:00  waiting
+00:00  vm1: no longer on secondary
+00:00  warning: vm2: stays on primary: why
`
	if stderr.String() != want {
		t.Errorf("shown:\n%s\nwant:\n%s", stderr.String(), want)
	}
}
