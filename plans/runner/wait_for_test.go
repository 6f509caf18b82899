package runner_test

import (
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestWaitFor waits in a hook for what another hook would have to wait for at an array.
func TestWaitFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, wait string
		exit       int
		said       string        // the last thing logged
		words      string        // in the error
		least      time.Duration // of model time
	}{
		{name: "seen at the third look", wait: `ctx:wait_for("the job", function() looks = looks + 1 return looks == 3 and { id = "7" } end, { every = "20s" }).id`,
			exit: 0, said: "7 after 3", least: 40 * time.Second},
		{name: "seen at the first look", wait: `ctx:wait_for("the job", function() looks = looks + 1 return "there" end)`, exit: 0, said: "there after 1"},
		{name: "seen by the last look, when the time is over", wait: `ctx:wait_for("the job", function() looks = looks + 1 return looks == 2 end, { timeout = "7s", every = "1h" })`,
			exit: 0, said: "true after 2", least: 7 * time.Second},
		{name: "never seen", wait: `ctx:wait_for("the job", function() looks = looks + 1 end, { timeout = "1m", every = "20s" })`, exit: 5, words: "waited 1m0s for the job", least: time.Minute},
		{name: "what it raises", wait: `ctx:wait_for("the job", function() error "the array is gone" end)`, exit: 5, words: "the array is gone"},
		{name: "a look that changes something", wait: `ctx:wait_for("the job", function() return require "exec".run { argv = { "true" } } end)`, exit: 5, words: "may only observe"},
		{name: "no pause", wait: `ctx:wait_for("the job", function() end, { every = "0s" })`, exit: 5, words: "must be longer than 0s"},
		{name: "the hook's time-out", wait: `ctx:wait_for("the job", function() end, { timeout = "1h" })`, exit: 5, words: "no end after 10m0s", least: 10 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			p.hook(`plan:on("before_run", function(ctx)
  local looks = 0
  local seen = ` + c.wait + `
  ctx:log(": " .. tostring(seen) .. " after " .. looks)
end)`)
			p.lose()
			begun := p.world.Clock().Now()
			r := p.failover(nil)
			if r.Exit == runner.ExitRefused {
				r.Exit = runner.ExitStopped // nothing was changed yet
			}
			expect(t, r, c.exit)
			if c.words != "" && !strings.Contains(r.Error.Message, c.words) {
				t.Errorf("error %q, want %q in it", r.Error.Message, c.words)
			}
			if logged := p.logged(); c.said != "" && (len(logged) != 1 || logged[0] != c.said) {
				t.Errorf("logged %q, want %q", logged, c.said)
			}
			if took := p.world.Clock().Now().Sub(begun); took < c.least {
				t.Errorf("it took %s, want at least %s", took, c.least)
			}
		})
	}
}
