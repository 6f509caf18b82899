package runner_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// silence is a person at a terminal who says nothing but what the run cannot do without.
type silence struct {
	env engine.Env
	answers
}

func (s silence) Ask(ctx context.Context, q engine.Question) (string, error) {
	if answer, err := s.answers.Ask(ctx, q); err == nil {
		return answer, nil
	}
	_, err := s.env.Clock.Wait(ctx, -1, nil)
	return "", err
}

// TestPromptTimeouts asks in virtual time while nobody answers.
func TestPromptTimeouts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, prompt string
		exit         int
		waited       time.Duration
		want         string // in the journal or the error
	}{
		{"the default", `{ name = "go", text = "Go?", choices = { "continue", "abort" }, default = "continue", timeout = "5m" }`, 0, 5 * time.Minute,
			"nobody answered go in 5m0s: its default is taken: continue"},
		{"no default", `{ name = "go", text = "Go?", timeout = "5m" }`, 5, 5 * time.Minute, "and it has no default"},
		{"a loss of data", `{ name = "go", text = "Go?", default = "yes", timeout = "5m", danger = "data_loss" }`, 5, 5 * time.Minute, "an answer can lose data"},
		{"a default that is no choice", `{ name = "go", text = "Go?", choices = { "a" }, default = "b" }`, 5, 0, `the default "b" is none of the choices: a`},
		{"a default that lacks a part", `{ name = "go", text = "Go?", needs = { "writable" }, default = "yes" }`, 5, 0, "lacks a part"},
		{"no time at all", `{ name = "go", text = "Go?", timeout = 0 }`, 5, 0, "must be longer than 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 5, lab.TwoSitesOptions{})
			p.edit("return plan\n", `plan:on("before_import", function(ctx) ctx:log("answer: " .. ctx:prompt `+tt.prompt+`.answer) end)
return plan
`)
			p.lose()
			var asked time.Time
			r := p.failover(func(o *runner.Options) {
				o.Asker = silence{o.Env, writable}
				o.CanAnswer = func(string) bool { return true }
				observe := o.Observe
				o.Observe = func(e engine.Event) {
					observe(e)
					if e.Kind == "step" && e.Text == "prompt go: runs" {
						asked = e.Time
					}
				}
			})
			expect(t, r, tt.exit)
			text := p.read(p.journal())
			if r.Error != nil {
				text += r.Error.Message
			}
			if !strings.Contains(text, tt.want) {
				t.Errorf("nothing says %q:\n%s", tt.want, text)
			}
			if tt.waited == 0 {
				return
			}
			var ended time.Time
			for _, e := range p.out {
				if e.Kind == "step" && strings.HasPrefix(e.Text, "prompt go: ") && e.Time.After(asked) {
					ended = e.Time
					break
				}
			}
			if waited := ended.Sub(asked); waited != tt.waited {
				t.Errorf("it waited %s", waited)
			}
			if tt.exit == 5 && (r.Error.Code != "prompt-timeout" || !strings.Contains(r.Error.Hint, "--answer 'go=…'")) {
				t.Errorf("%+v", r.Error)
			}
		})
	}
}

// TestPromptInsideAHook answers later than the time-out of the hook that asks: only the hook's own work counts.
func TestPromptInsideAHook(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		work string
		exit int
	}{
		"a late answer": {"1m", 0}, "too much work": {"3m", 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 5, lab.TwoSitesOptions{})
			p.edit("return plan\n", `plan:on("after_import", function(ctx)
  local ds = ctx:site("secondary"):storage_domain("nfs_ds")
  ds:wait { status = "maintenance", timeout = "30s" }
  ctx:prompt { name = "go", text = "Go?", default = "yes", timeout = "15m" }
  ds:wait { status = "maintenance", timeout = "`+tt.work+`" }
end, { timeout = "2m" })
return plan
`)
			p.lose()
			r := p.failover(func(o *runner.Options) {
				o.Asker, o.CanAnswer = silence{o.Env, writable}, func(string) bool { return true }
			})
			expect(t, r, tt.exit)
			if tt.exit != 0 && !strings.Contains(p.read(p.journal()), "no end after 2m0s") {
				t.Errorf("%+v", r.Error)
			}
		})
	}
}

// TestAwaitedAnswer runs without a terminal and waits for what another process answers.
func TestAwaitedAnswer(t *testing.T) {
	t.Parallel()
	p := newPair(t, 6, lab.TwoSitesOptions{})
	p.lose()
	r := p.failover(func(o *runner.Options) {
		o.Asker, o.CanAnswer, o.WaitForAnswers = answers{}, func(string) bool { return true }, true
		o.ConfirmSourceDown = ""
		env := o.Env
		env.Go(func() {
			for _, text := range []string{"it is dark", "Bob: it is dark", "writable,as_of=unknown"} {
				for {
					_, _ = env.Clock.Wait(context.Background(), time.Minute, nil)
					run, open, err := engine.OpenQuestions(env, "/state", p.runID())
					if errors.Is(err, engine.ErrNotWaiting) || errors.Is(err, engine.ErrNoRun) {
						continue
					}
					if err != nil {
						t.Error(err)
					}
					if err := engine.PostAnswer(env, "/state", run, engine.PostedAnswer{Question: open[0].ID, Answer: text, User: "bob", Host: "desk2"}); err != nil {
						t.Error(err)
					}
					break
				}
			}
		})
	})
	expect(t, r, 0)
	journal := p.read(p.journal())
	for _, want := range []string{
		"the answer of bob on desk2 to confirm_source_down is refused", "bob on desk2 answered confirm_source_down from another terminal: Bob: it is dark",
		"bob on desk2 answered promote_storage:all from another terminal", `"name":"Bob","reason":"it is dark"`,
	} {
		if !strings.Contains(journal, want) {
			t.Errorf("the journal does not say %q", want)
		}
	}
	if violations := p.lab.View().Violations; len(violations) > 0 {
		t.Errorf("violations: %v", violations)
	}
}

// runID returns the id of the only run, "" before it was made.
func (p *pair) runID() string {
	for _, path := range p.disk.Files() {
		if rest, ok := strings.CutPrefix(path, "/state/runs/"); ok {
			id, _, _ := strings.Cut(rest, "/")
			return id
		}
	}
	return ""
}
