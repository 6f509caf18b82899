package runner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// asking logs what a plan can learn about the hosts of both sites.
const asking = `
plan:on("before_run", function(ctx)
  for _, name in ipairs { "host2a", "host2b", "host2c" } do
    local host = ctx.target:host(name)
    local power = host:power_status()
    ctx:log(": " .. host.name .. " " .. host:status() .. " " .. power.power .. " " .. tostring(power.why) .. " " .. tostring(host:boot_time()))
  end
  local ok, err = pcall(function() return ctx.target:host("host2x") end)
  ctx:log(": " .. err.code .. " " .. err.message .. " " .. tostring(err.hint))
  ok, err = pcall(function() return ctx.source:host("host1a") end)
  ctx:log(": " .. err.code)
end)`

// A plan asks about hosts on both sites. That is journaled like what leaves for an engine, and is nothing that changed something.
func TestHosts(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{Hosts: 4, PowerManagement: true})
	p.hook(asking)
	p.lose()
	for kind, host := range map[string]string{lab.FaultHostIsolated: "host2b", lab.FaultHostBMC: "host2c"} {
		if err := p.lab.Fail(lab.Fault{Kind: kind, Subject: host}); err != nil {
			t.Fatal(err)
		}
	}
	p.do(func(env engine.Env) { _, _ = env.Clock.Wait(t.Context(), 2*time.Minute, nil) })
	const booted = "2026-10-21T14:30:00Z"
	want := []string{
		"host2a up on nil " + booted,
		"host2b non_responsive on nil " + booted,
		"host2c up unreadable Connection timed out. Unable to connect/login to fencing device " + booted,
		`not-found site "secondary" has no host "host2x" did you mean "host2a"?`,
		"unreachable",
	}
	dry := p.failover(func(o *runner.Options) { o.DryRun = true })
	if dry.Exit != 0 || len(p.changes()) != 0 {
		t.Errorf("dry run: %d, %+v", dry.Exit, p.changes())
	}
	r := p.failover(nil)
	expect(t, r, 0)
	got := p.logged()
	for i := range got {
		if at := strings.LastIndexByte(got[i], ' '); i < 3 && at > 0 { // the lab's start decides the time
			if _, err := time.Parse(time.RFC3339, got[i][at+1:]); err != nil {
				t.Error(err)
			}
			got[i] = got[i][:at+1] + booted
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	p.do(func(env engine.Env) {
		info, err := engine.ReadRun(env, "/state", r.Run)
		if err != nil {
			t.Error(err)
		}
		asked := 0
		for _, record := range info.Records {
			if record.Intent != nil && record.Intent.Op == ovirt.OpPowerStatus {
				asked++
				if !record.Intent.Look || record.Intent.Subject.Kind != ovirt.KindHost {
					t.Errorf("%+v", record.Intent)
				}
			}
		}
		if asked != 3 {
			t.Errorf("%d questions are journaled", asked)
		}
	})
}
