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

// TestFollowFindsDamage: a changed byte is found at the record behind it, a record that is gone at the next, whether they are decoded or not.
func TestFollowFindsDamage(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(lines []string) []string
		record int64
	}{
		"a changed note":            {func(l []string) []string { l[2] = strings.Replace(l[2], "boot", "bOot", 1); return l }, 4},
		"a changed quiet record":    {func(l []string) []string { l[3] = strings.Replace(l[3], "vm.start", "vm.stopp", 1); return l }, 5},
		"a quiet record is gone":    {func(l []string) []string { return slices.Delete(l, 3, 4) }, 4},
		"a note is gone":            {func(l []string) []string { return slices.Delete(l, 2, 3) }, 3},
		"a quiet record is rubbish": {func(l []string) []string { l[3] = `{"kind":"intent"}`; return l }, 4},
		"two in another order":      {func(l []string) []string { l[2], l[3] = l[3], l[2]; return l }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 4, func(_ *sim.World, env engine.Env) {
				r := newRun(env)
				r.Note("stage", engine.Subject{}, map[string]string{"text": "boot"})
				must(r.Begin(background, engine.Intent{Op: "vm.start"})).Done(engine.Outcome{OK: true})
				r.Note("stage", engine.Subject{}, map[string]string{"text": "verify"})
				check(r.Close())
				lines := strings.SplitAfter(string(must(env.FS.ReadFile(journalOf(r)))), "\n")
				check(env.FS.WriteFile(journalOf(r), []byte(strings.Join(c.damage(lines), "")), 0o600))
				f := must(engine.Follow(env, state, r.ID(), engine.QuietKinds...))
				_, err := f.Next()
				var broken *engine.JournalError
				if !errors.As(err, &broken) || broken.Record != c.record {
					t.Errorf("%v; want it at record %d", err, c.record)
				}
				_, _, decoded := engine.DecodeJournal(must(env.FS.ReadFile(journalOf(r))))
				if !errors.As(decoded, &broken) || broken.Record != c.record {
					t.Errorf("reading it whole: %v", decoded)
				}
			})
		})
	}
}
