package runner_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// A hook of the crash tests has an effect that the journal knows nothing of: it asks the engine for the events of a correlation id, which
// is a read and never recorded, and the test sees that request arrive. The array, the name server and the load balancer of the tests act
// when it does. So each run of each hook is counted outside of drrun, and drrun can be killed when the hook's work is done and its
// outcome not yet recorded.
const counted = "crash."

// actOutside is what such a hook calls.
const actOutside = `
local function act(ctx, key) ctx.target:events { search = "correlation_id=crash." .. key, max = 1 } end
`

// crashHooks puts hooks of each kind into the plan: one cut off in the middle is run again, or a person says whether it was done.
const crashHooks = actOutside + `
plan:on("demote_storage", function(ctx, group) act(ctx, "hook:demote_storage/array/group/" .. group.id) end, { as = "array" })
plan:on("promote_storage", function(ctx, group)
  act(ctx, "hook:promote_storage/array/group/" .. group.id)
  return { writable = true, as_of = ctx.planned and "in_sync" or "unknown" }
end, { as = "array" })
plan:on("reverse_replication", function(ctx, group)
  act(ctx, "hook:reverse_replication/array/group/" .. group.id)
  return { ready = true }
end, { as = "array" })
plan:on("after_stop", function(ctx, vm) act(ctx, "hook:after_stop/monitor/vm/" .. vm.id) end, { as = "monitor", on_cut = "retry" })
plan:on("after_import", function(ctx, domain) act(ctx, "hook:after_import/backup/storage_domain/" .. domain.id) end, { as = "backup", on_cut = "ask" })
plan:on("before_rank", function(ctx, rank) act(ctx, "hook:before_rank/balancer/rank/" .. rank.id) end, { as = "balancer" })
plan:on("after_rank", function(ctx, rank) act(ctx, "hook:after_rank/balancer/rank/" .. rank.id) end, { as = "balancer" })
plan:on("after_start", function(ctx, vm)
  return ctx:step("dns-" .. vm.id, function()
    act(ctx, "step:dns-" .. vm.id)
    return vm.name .. " is known"
  end)
end, { as = "dns" })
return plan
`

// hooksOfVMs leaves the storage to people.
const hooksOfVMs = actOutside + `
for _, point in ipairs { "before_stop", "after_stop", "before_start", "after_start" } do
  plan:on(point, function(ctx, vm) act(ctx, "hook:" .. point .. "/monitor/vm/" .. vm.id) end, { as = "monitor" })
end
return plan
`

// hooksEverywhere puts a hook at every point that a built-in workflow of a planned move has, for one VM where it is about VMs.
const hooksEverywhere = actOutside + `
for _, point in ipairs { "before_stop", "after_stop", "before_register", "after_register", "before_start", "after_start", "verify_vm" } do
  plan:on(point, function(ctx, vm)
    if vm.name == "vm1" then act(ctx, "hook:" .. point .. "/monitor/vm/" .. vm.id) end
  end, { as = "monitor" })
end
for _, point in ipairs { "before_import", "after_import" } do
  plan:on(point, function(ctx, domain) act(ctx, "hook:" .. point .. "/backup/storage_domain/" .. domain.id) end, { as = "backup" })
end
for _, point in ipairs { "before_rank", "after_rank" } do
  plan:on(point, function(ctx, rank) act(ctx, "hook:" .. point .. "/balancer/rank/" .. rank.id) end, { as = "balancer" })
end
for _, point in ipairs { "demote_storage", "promote_storage", "reverse_replication" } do
  plan:on(point, function(ctx, group)
    act(ctx, "hook:" .. point .. "/array/group/" .. group.id)
    return { writable = true, ready = true, as_of = "in_sync" }
  end, { as = "array" })
end
for _, point in ipairs { "before_run", "after_run" } do
  plan:on(point, function(ctx) act(ctx, "hook:" .. point .. "/site/run") end, { as = "site" })
end
return plan
`

// hookRuns counts what the hooks did outside of drrun.
type hookRuns struct {
	ran      map[string]int    // by key, over all attempts
	recorded map[string]int    // by key: how often it had run when a kill found its outcome recorded
	asks     map[string]bool   // by key: a person is to be asked when it is cut
	cut      map[string]int    // by key: kills that found it begun, and its outcome not recorded
	answered map[string]string // by key: the last answer of a person about its being cut
	redone   map[string]int    // by key: answers to do it again
	silent   bool              // nobody answers when a hook was cut
	wrong    []string
}

func newHookRuns() *hookRuns {
	return &hookRuns{ran: map[string]int{}, recorded: map[string]int{}, asks: map[string]bool{}, cut: map[string]int{}, answered: map[string]string{}, redone: map[string]int{}}
}

// act is called with a request of a hook when it arrives.
func (h *hookRuns) act(key string) {
	h.ran[key]++
	before, recorded := h.recorded[key]
	switch {
	case recorded:
		h.wrong = append(h.wrong, fmt.Sprintf("%s is recorded after %d and ran again", key, before))
	case h.cut[key] > 0 && h.asks[key] && h.ran[key] > 1+h.redone[key]:
		h.wrong = append(h.wrong, fmt.Sprintf("%s was cut, ran %d times, and a person said %d times that it is to be done again", key, h.ran[key], h.redone[key]))
	case h.cut[key] > 0 && h.asks[key] && h.answered[key] == "":
		h.wrong = append(h.wrong, fmt.Sprintf("%s was cut and ran again, and nobody was asked", key))
	case h.ran[key] > 1+h.cut[key]:
		h.wrong = append(h.wrong, fmt.Sprintf("%s ran %d times and was cut %d times", key, h.ran[key], h.cut[key]))
	}
}

// killed reads, after a kill, what the journal of the newest run says of each hook: what it says of one that is recorded holds from now on.
func (h *hookRuns) killed(records []engine.Record) (cutAndAsked []string) {
	state := map[string]string{}
	for _, record := range records {
		switch {
		case record.Step != nil && record.Step.Digest != "":
			key := hookKey(record.Step.Key)
			state[key], h.asks[key] = "begun", record.Step.OnCut == engine.OnCutAsk
		case record.Result != nil && record.Result.OK:
			state[hookKey(record.Result.Key)] = "recorded"
		}
	}
	for key, now := range state {
		if now == "recorded" {
			h.recorded[key] = h.ran[key]
			continue
		}
		h.cut[key]++
		delete(h.answered, key)
		if h.asks[key] {
			cutAndAsked = append(cutAndAsked, key)
		}
	}
	return cutAndAsked
}

// hookKey is a journaled key without what differs between two worlds or a hook cannot know: the id of the run, the path of the task.
func hookKey(journaled string) string {
	if key, _, ofRun := strings.Cut(journaled, "/run/"); ofRun && strings.HasPrefix(journaled, "hook:") {
		return key + "/run"
	}
	path, isStep := strings.CutPrefix(journaled, "step:")
	if !isStep {
		return journaled
	}
	name, _, _ := strings.Cut(path[strings.LastIndex(path, "/")+1:], "#")
	return "step:" + name
}

// answer is what a person says who can see whether the hook of the question had its effect.
func (h *hookRuns) answer(question string) (string, error) {
	key := hookKey(strings.TrimPrefix(question, engine.CutQuestion))
	if h.silent {
		return "", engine.ErrNoAnswer
	}
	if h.cut[key] == 0 {
		h.wrong = append(h.wrong, fmt.Sprintf("a person was asked about %s, which was not cut", key))
	}
	h.answered[key] = engine.CutDone
	if h.ran[key] == 0 || h.ran[key]%2 == 1 && strings.Contains(key, "backup") { // of a backup nobody can tell
		h.answered[key] = engine.CutRedo
		h.redone[key]++
	}
	return h.answered[key], nil
}

// attendant is a storage administrator who can also tell whether a hook that was cut had its effect.
type attendant struct {
	storageAdmin
	hooks *hookRuns
}

func (o *attendant) Ask(ctx context.Context, q engine.Question) (string, error) {
	if strings.HasPrefix(q.Name, engine.CutQuestion) {
		return o.hooks.answer(q.Name)
	}
	if !o.p.plannedStory && strings.HasPrefix(q.Name, "promote_storage") { // lose has promoted it
		return "writable,as_of=unknown", nil
	}
	return o.storageAdmin.Ask(ctx, q)
}

// atHand lets an attendant answer.
func (p *pair) atHand(o *runner.Options) {
	admin := &attendant{hooks: p.hooks}
	admin.p, admin.clock = p, o.Env.Clock
	o.Asker, o.CanAnswer = admin, func(string) bool { return true }
	if p.plannedStory {
		o.ConfirmSourceDown = ""
	}
}

// hookRequest returns the key of the hook whose request this is.
func hookRequest(request *http.Request) (key string, ok bool) {
	_, key, ok = strings.Cut(request.URL.Query().Get("search"), "correlation_id="+counted)
	return key, ok
}

// arrayActs lets the array do what the hook of a planned move asks it for.
func (p *pair) arrayActs(request *http.Request, key string) {
	if !p.plannedStory || !strings.HasPrefix(key, "hook:promote_storage/") {
		return
	}
	if _, err := p.world.Clock().Wait(request.Context(), 2*lab.DefaultLag, nil); err != nil { // the lag of the replication
		return
	}
	for _, name := range p.domains() {
		if err := p.lab.Promote(name); err != nil {
			p.t.Error(err)
		}
	}
}

// TestHookRuns: the oracle of the crash matrix sees what it is there for.
func TestHookRuns(t *testing.T) {
	t.Parallel()
	const retried, asked = "hook:after_stop/monitor/vm/1", "hook:promote_storage/array/group/all"
	begun := func(key, onCut string) engine.Record {
		return engine.Record{Step: &engine.StepRecord{Key: key, Digest: "d", OnCut: onCut}}
	}
	done := func(key string) engine.Record { return engine.Record{Result: &engine.ResultRecord{Key: key, OK: true}} }
	for _, c := range []struct {
		name, want string
		story      func(h *hookRuns)
	}{
		{"a recorded hook runs again", "is recorded after 1 and ran again", func(h *hookRuns) {
			h.act(retried)
			h.killed([]engine.Record{begun(retried, "retry"), done(retried)})
			h.act(retried)
		}},
		{"a hook runs twice between two kills", "ran 2 times and was cut 0 times", func(h *hookRuns) { h.act(retried); h.act(retried) }},
		{"a cut hook is run once more", "", func(h *hookRuns) {
			h.act(retried)
			h.killed([]engine.Record{begun(retried, "retry")})
			h.act(retried)
		}},
		{"a cut hook is run twice more", "ran 3 times and was cut 1 times", func(h *hookRuns) {
			h.act(retried)
			h.killed([]engine.Record{begun(retried, "retry")})
			h.act(retried)
			h.act(retried)
		}},
		{"a cut hook of which a person is to be asked, and is not", "ran 2 times, and a person said 0 times", func(h *hookRuns) {
			h.act(asked)
			h.killed([]engine.Record{begun(asked, "ask")})
			h.act(asked)
		}},
		{"one that had not begun its work, and nobody is asked", "nobody was asked", func(h *hookRuns) {
			h.killed([]engine.Record{begun(asked, "ask")})
			h.act(asked)
		}},
		{"a person is asked about a hook that was not cut", "which was not cut", func(h *hookRuns) { _, _ = h.answer("cut:" + asked) }},
		{"a person says that it was not done", "", func(h *hookRuns) {
			h.killed([]engine.Record{begun(asked, "ask")})
			if answer, err := h.answer("cut:" + asked); answer != engine.CutRedo || err != nil {
				t.Errorf("answered %q, %v", answer, err)
			}
			h.act(asked)
		}},
		{"a step of a task", "", func(h *hookRuns) {
			h.act("step:dns-1")
			h.killed([]engine.Record{begun("step:failover/1/dns-1#1", "retry")})
			h.act("step:dns-1")
		}},
	} {
		h := newHookRuns()
		c.story(h)
		if got := strings.Join(h.wrong, "; "); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
