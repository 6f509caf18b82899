package engine_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

func TestMain(m *testing.M) {
	code := m.Run()
	for i := 0; runtime.NumGoroutine() > 2 && i < 1_000_000; i++ {
		runtime.Gosched()
	}
	// The fuzzing engine keeps goroutines of its own.
	if n := runtime.NumGoroutine(); n > 2 && code == 0 && !fuzzing() {
		fmt.Printf("%d goroutines are left\n", n)
		code = 1
	}
	os.Exit(code)
}

func fuzzing() bool {
	for _, a := range os.Args {
		if len(a) > 10 && a[:10] == "-test.fuzz" {
			return true
		}
	}
	return false
}

type contextT = context.Context

var background = context.Background()

const state = "/state"

func wait(env engine.Env, d time.Duration) { _, _ = env.Clock.Wait(background, d, nil) }

// inWorld runs fn in a world of its own.
func inWorld(t *testing.T, seed uint64, fn func(w *sim.World, env engine.Env)) {
	t.Helper()
	w := sim.New(seed)
	t.Cleanup(w.Close)
	w.Run(func() { fn(w, w.Env()) })
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func newRun(env engine.Env) *engine.Run {
	return must(engine.CreateRun(env, state, engine.Head{Plan: "p", Action: "failover", Domains: []string{"d1"}, User: "root", Host: "dr1"}, nil))
}

// reopen closes a run without an end, as a crash does, and opens it again.
func reopen(env engine.Env, r *engine.Run) *engine.Run {
	check(r.Close())
	return must(engine.OpenRun(env, state, r.ID()))
}

func journalOf(r *engine.Run) string { return r.Dir() + "/journal.jsonl" }

// kinds lists the kinds of the records on the disk.
func kinds(env engine.Env, r *engine.Run) []string {
	records, _, err := engine.DecodeJournal(must(env.FS.ReadFile(journalOf(r))))
	check(err)
	var out []string
	for _, rec := range records {
		out = append(out, rec.Kind)
	}
	return out
}
