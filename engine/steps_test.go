package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

// TestSteps reads from a journal what became of its durable steps, and which texts its attempts worked with.
func TestSteps(t *testing.T) {
	inWorld(t, 3, func(_ *sim.World, env engine.Env) {
		r := must(engine.CreateRun(env, state, engine.Head{Plan: "p", Action: "failover", API: 7}, map[string][]byte{"plan.lua": []byte("first")}))
		do := func(d engine.Durable, err error) {
			_, got := r.Durable(background, d, func(context.Context, bool) (any, error) {
				wait(env, time.Minute)
				return "x", err
			})
			if !errors.Is(got, err) {
				panic(got)
			}
		}
		hook := engine.Durable{Key: engine.HookKey("after/start", "a%b", engine.Subject{Kind: "vm", ID: "1"}), Title: "hook", Subject: engine.Subject{Kind: "vm", ID: "1"}}
		do(hook, nil)
		do(engine.Durable{Key: engine.PromptKey("who")}, errors.New("nobody"))
		do(engine.Durable{Key: "step:main/old#1", Args: 1}, nil)
		do(engine.Durable{Key: "step:main/old#1", Args: 2}, nil)
		r = cutStep(env, r, engine.Durable{Key: "cut", OnCut: engine.OnCutAsk})
		check(r.SetSnapshot(map[string][]byte{"plan.lua": []byte("second")}))
		do(engine.Durable{Key: "step:main/new#1", Was: "step:main/old#1", Args: 1}, nil)
		r.Redo("never", hook.Key)
		do(hook, nil)
		if left := r.NotRedone(); !slices.Equal(left, []string{"never"}) {
			t.Errorf("not redone: %v", left)
		}
		r = reopen(env, r)
		check(r.Close())

		info := must(engine.ReadRun(env, state, r.ID()))
		var got []string
		for _, s := range info.Steps() {
			_, _, isHook := s.IsHook()
			_, isPrompt := s.IsPrompt()
			got = append(got, fmt.Sprintf("%s %s attempt %d %s hook %v prompt %v was %v %q", s.Key, s.Outcome, s.Attempt, s.Ended.Sub(s.Begun), isHook, isPrompt, s.Was, s.Error))
		}
		cut := info.Steps()[4]
		want := []string{
			`hook:after%2Fstart/a%25b/vm/1 done attempt 2 1m0s hook true prompt false was [] ""`,
			`prompt:who failed attempt 1 1m0s hook false prompt true was [] "nobody"`,
			`step:main/new#1 done attempt 1 1m0s hook false prompt false was [step:main/old#1] ""`,
			`step:main/new#1 done attempt 1 1m0s hook false prompt false was [step:main/old#1] ""`,
			fmt.Sprintf(`cut cut attempt 1 %s hook false prompt false was [] "context canceled"`, cut.Ended.Sub(cut.Begun)),
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%q\nwant\n%q", got, want)
		}
		if point, handler, _ := info.Steps()[0].IsHook(); point != "after/start" || handler != "a%b" {
			t.Errorf("hook %s of %s", point, handler)
		}
		for attempt, text := range map[int]string{1: "first", 2: "second", 3: "second"} {
			files, err := engine.ReadSnapshot(env, state, info, info.SnapshotIn(attempt))
			if err != nil || string(files["plan.lua"]) != text {
				t.Errorf("attempt %d worked with %q, %v", attempt, files["plan.lua"], err)
			}
		}
		if info.Head.API != 7 {
			t.Errorf("API %d", info.Head.API)
		}
	})
}
