package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/engine/sim"
)

// tail is a file system that says from where a file was read.
type tail struct {
	engine.FS
	offsets *[]int64
}

func (t tail) ReadFrom(path string, offset int64) ([]byte, error) {
	*t.offsets = append(*t.offsets, offset)
	text, err := t.ReadFile(path)
	return text[min(offset, int64(len(text))):], err
}

// TestFollow reads a journal while it is written: each record once, without those of quiet kinds, and a line only when it is whole.
func TestFollow(t *testing.T) {
	for _, canSeek := range []bool{false, true} {
		t.Run(fmt.Sprintf("a file system that reads from the middle %v", canSeek), func(t *testing.T) {
			inWorld(t, 4, func(_ *sim.World, env engine.Env) {
				r := newRun(env)
				var offsets []int64
				reader := env
				if canSeek {
					reader.FS = tail{env.FS, &offsets}
				}
				f := must(engine.Follow(reader, state, r.ID()[:6], engine.QuietKinds...))
				next := func() (kinds []string) {
					for _, rec := range must(f.Next()) {
						kinds = append(kinds, rec.Kind)
					}
					return kinds
				}
				if got := next(); f.Run() != r.ID() || f.Dir() != r.Dir() || !slices.Equal(got, []string{"head", "attempt"}) {
					t.Errorf("%s in %s: %v", f.Run(), f.Dir(), got)
				}
				if got := next(); len(got) > 0 {
					t.Errorf("nothing new is %v", got)
				}
				must(r.Begin(background, engine.Intent{Op: "vm.start"})).Done(engine.Outcome{OK: true})
				r.Note("stage", engine.Subject{}, map[string]string{"text": "boot"})
				must(r.Begin(background, engine.Intent{Op: "vm.start"})).Done(engine.Outcome{OK: true})
				if got := next(); !slices.Equal(got, []string{"note", "outcome"}) { // the last record tells when something happened last
					t.Errorf("new are %v", got)
				}
				before := must(env.FS.ReadFile(journalOf(r)))
				r.Note("stage", engine.Subject{}, map[string]string{"text": "verify"})
				whole := must(env.FS.ReadFile(journalOf(r)))
				check(r.Close())
				check(env.FS.WriteFile(journalOf(r), whole[:len(whole)-5], 0o600))
				if got := next(); len(got) > 0 {
					t.Errorf("a torn line is %v", got)
				}
				check(env.FS.WriteFile(journalOf(r), whole, 0o600))
				if got := next(); !slices.Equal(got, []string{"note"}) {
					t.Errorf("the whole line is %v", got)
				}
				if canSeek && offsets[len(offsets)-1] != int64(len(before)) {
					t.Errorf("it was read from %d, and %d bytes were known", offsets[len(offsets)-1], len(before))
				}
				check(env.FS.WriteFile(journalOf(r), append(whole, "{}\n"...), 0o600))
				_, err := f.Next()
				var broken *engine.JournalError
				if !errors.As(err, &broken) || broken.Record != 9 || !strings.Contains(err.Error(), "record 9") {
					t.Errorf("a broken line is %v", err)
				}
				if _, err := engine.Follow(env, state, "nothing"); !errors.Is(err, engine.ErrNoRun) {
					t.Errorf("no run is %v", err)
				}
			})
		})
	}
}
