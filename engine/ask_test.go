package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

// silent is a person who never types anything.
type silent struct{ env engine.Env }

func (s silent) Ask(ctx context.Context, _ engine.Question) (string, error) {
	_, err := s.env.Clock.Wait(ctx, -1, nil)
	return "", err
}

// desk is a person at a terminal who needs a while for an answer; "" is never given.
type desk struct {
	env      engine.Env
	after    time.Duration
	answer   string
	prepared string
	away     bool
	why      error // why the asking was given up
}

func (d *desk) Ask(ctx context.Context, _ engine.Question) (string, error) {
	wait := d.after
	if d.answer == "" {
		wait = -1
	}
	if _, err := d.env.Clock.Wait(ctx, wait, nil); err != nil {
		d.why = err
		return "", err
	}
	return d.answer, nil
}

func (d *desk) Prepared(engine.Question) (engine.Answer, bool) {
	return engine.Answer{Text: d.prepared, Via: engine.ViaFlag}, d.prepared != ""
}

func (d *desk) Attended() bool { return !d.away }

// answered returns the notes about answers in a journal.
func answered(env engine.Env, r *engine.Run) []engine.Answered {
	var notes []engine.Answered
	for _, record := range must(engine.ReadRun(env, "/state", r.ID())).Records {
		if record.Note == engine.AnswerNote {
			var note engine.Answered
			check(json.Unmarshal(record.Data, &note))
			notes = append(notes, note)
		}
	}
	return notes
}

func TestQuestionsHaveATime(t *testing.T) {
	question := engine.Question{Name: "go", Choices: []string{"continue", "abort"}, Default: "continue", Timeout: 10 * time.Minute}
	tests := []struct {
		name   string
		change func(*engine.Question)
		want   string // "" is ErrPromptTimeout
	}{
		{"the default is taken", func(*engine.Question) {}, "continue"},
		{"no default", func(q *engine.Question) { q.Default = "" }, ""},
		{"evidence has no default", func(q *engine.Question) { q.Evidence = true }, ""},
		{"loss of data has no default", func(q *engine.Question) { q.Danger = engine.DangerDataLoss }, ""},
		{"a secret has no default", func(q *engine.Question) { q.Secret = true }, ""},
	}
	for _, tt := range tests {
		for _, kind := range []string{"person", "desk", "away"} {
			t.Run(tt.name+", "+kind, func(t *testing.T) {
				inWorld(t, 1, func(_ *sim.World, env engine.Env) {
					r := newRun(env)
					q := question
					tt.change(&q)
					switch kind {
					case "person":
						r.SetAsker(silent{env})
					case "desk":
						r.SetAsker(&desk{env: env})
					default:
						if q.Secret {
							return // nobody waits for one: another process must not give it
						}
						r.SetAsker(&desk{env: env, away: true})
						r.WaitForAnswers(true)
					}
					begun := env.Clock.Now()
					got, err := r.Ask(background, q)
					if passed := env.Clock.Now().Sub(begun); passed != 10*time.Minute {
						t.Errorf("it waited %s", passed)
					}
					if got != tt.want || (tt.want == "") != errors.Is(err, engine.ErrPromptTimeout) {
						t.Errorf("got %q, %v", got, err)
					}
					notes := answered(env, r)
					if tt.want == "" && len(notes) != 0 {
						t.Errorf("journaled: %+v", notes)
					}
					if tt.want != "" && (len(notes) != 1 || notes[0].Via != engine.ViaTimeout || !strings.Contains(notes[0].Text, "nobody answered go in 10m0s")) {
						t.Errorf("journaled: %+v", notes)
					}
					check(r.Close())
				})
			})
		}
	}
}

func TestWaitingForAnAnswerEnds(t *testing.T) {
	inWorld(t, 1, func(_ *sim.World, env engine.Env) {
		r := newRun(env)
		r.SetAsker(&desk{env: env})
		interrupted := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(background)
		env.Go(func() { wait(env, time.Hour); cancel(interrupted) })
		_, err := r.Ask(ctx, engine.Question{Name: "go", Default: "now", Timeout: 2 * time.Hour})
		if !errors.Is(err, interrupted) || len(answered(env, r)) != 0 {
			t.Errorf("got %v", err)
		}
		if _, _, err := engine.OpenQuestions(env, "/state", r.ID()); !errors.Is(err, engine.ErrNotWaiting) {
			t.Errorf("the question is still there: %v", err)
		}
		check(r.Close())
	})
}

func TestNobodyToAsk(t *testing.T) {
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		r := newRun(env)
		r.SetAsker(&desk{env: env, away: true})
		if _, err := r.Ask(background, engine.Question{Name: "go", Default: "now", Timeout: time.Hour}); !errors.Is(err, engine.ErrNoAnswer) {
			t.Errorf("got %v", err)
		}
		r.WaitForAnswers(true)
		if _, err := r.Ask(background, engine.Question{Name: "password", Secret: true}); !errors.Is(err, engine.ErrNoAnswer) {
			t.Errorf("a secret: %v", err)
		}
		if slices.ContainsFunc(w.Disk().Files(), func(file string) bool { return strings.Contains(file, "questions") }) {
			t.Error("a question was published that nobody can answer")
		}
		check(r.Close())
	})
}

// post answers the first question of a run that waits.
func post(env engine.Env, run, answer string) (string, error) {
	id, open, err := engine.OpenQuestions(env, "/state", run)
	if err != nil {
		return "", err
	}
	return open[0].ID, engine.PostAnswer(env, "/state", id, engine.PostedAnswer{Question: open[0].ID, Answer: answer, User: "bob", Host: "desk2", At: env.Clock.Now()})
}

func TestAnswersFromElsewhere(t *testing.T) {
	question := engine.Question{Name: "go", Choices: []string{"continue", "abort"}}
	tests := []struct {
		name  string
		desk  desk
		posts []string // one a minute
		want  engine.Answered
	}{
		{"where nobody is at the terminal", desk{away: true}, []string{"abort"}, engine.Answered{Answer: "abort", Via: engine.ViaElsewhere, By: "bob on desk2"}},
		{"while somebody thinks at the terminal", desk{after: time.Hour, answer: "continue"}, []string{"abort"}, engine.Answered{Answer: "abort", Via: engine.ViaElsewhere, By: "bob on desk2"}},
		{"the terminal was faster", desk{after: 30 * time.Second, answer: "continue"}, []string{"abort"}, engine.Answered{Answer: "continue", Via: engine.ViaTerminal}},
		{"one that does not fit is refused", desk{away: true}, []string{"maybe", "continue"}, engine.Answered{Answer: "continue", Via: engine.ViaElsewhere, By: "bob on desk2"}},
		{"nobody is asked for what is prepared", desk{prepared: "continue"}, nil, engine.Answered{Answer: "continue", Via: engine.ViaFlag}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(20) {
				inWorld(t, seed, func(w *sim.World, env engine.Env) {
					r := newRun(env)
					person := tt.desk
					person.env = env
					r.SetAsker(&person)
					r.WaitForAnswers(person.away)
					other := w.Group("other").Env()
					other.Go(func() {
						for _, text := range tt.posts {
							wait(other, time.Minute)
							_, _ = post(other, r.ID(), text) // in one case the run waits no more
						}
					})
					got, err := r.Ask(background, question)
					if err != nil || got != tt.want.Answer {
						t.Errorf("seed=%d: got %q, %v", seed, got, err)
					}
					notes := answered(env, r)
					if len(notes) != 1 || notes[0].Answer != tt.want.Answer || notes[0].Via != tt.want.Via || tt.want.By != "" && notes[0].By != tt.want.By {
						t.Errorf("seed=%d: journaled: %+v", seed, notes)
					}
					var elsewhere *engine.AnsweredElsewhere
					if tt.want.Via == engine.ViaElsewhere && !person.away && (!errors.As(person.why, &elsewhere) || elsewhere.By != "bob on desk2") {
						t.Errorf("seed=%d: the terminal was left with %v", seed, person.why)
					}
					for _, file := range w.Disk().Files() {
						if strings.Contains(file, "/questions/") || strings.Contains(file, "/answers/") && !strings.HasSuffix(file, "/lock") {
							t.Errorf("seed=%d: %s was left behind", seed, file)
						}
					}
					check(r.Close())
				})
			}
		})
	}
}

// An answer to a question that waits no more answers none of the later ones, also not one of the same name.
func TestAnswersDoNotOutliveTheirQuestion(t *testing.T) {
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		r := newRun(env)
		r.SetAsker(&desk{env: env, away: true})
		r.WaitForAnswers(true)
		ask := func() (string, error) {
			return r.Ask(background, engine.Question{Name: "go", Timeout: time.Hour})
		}
		first := ""
		env.Go(func() {
			wait(env, time.Minute)
			id, err := post(env, r.ID(), "now")
			first = id
			check(err)
		})
		if got, err := ask(); got != "now" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
		late := engine.PostedAnswer{Question: first, Answer: "late", User: "bob"}
		if err := engine.PostAnswer(env, "/state", r.ID(), late); !errors.Is(err, engine.ErrAnswered) {
			t.Errorf("a late answer: %v", err)
		}
		// One that was on its way while the question ended.
		text := must(json.Marshal(late))
		check(env.FS.WriteFile(r.Dir()+"/answers/"+first+".json", text, 0o600))
		check(env.FS.WriteFile(r.Dir()+"/answers/1-2.json", text, 0o600)) // even under the name of the next
		if got, err := ask(); !errors.Is(err, engine.ErrPromptTimeout) {
			t.Errorf("the next question got %q, %v", got, err)
		}
		check(r.Close())
	})
}

func TestOpenQuestions(t *testing.T) {
	world := sim.New(1)
	defer world.Close()
	var id string
	asking := engine.Question{Name: "go", Text: "Shall it?", Choices: []string{"continue", "abort"}, Default: "abort", Timeout: 24 * time.Hour, Danger: engine.DangerDataLoss}
	group := world.Group("drrun")
	group.Run(func() {
		env := group.Env()
		r := newRun(env)
		id = r.ID()
		r.SetAsker(&desk{env: env, away: true})
		r.WaitForAnswers(true)
		env.Go(func() { _, _ = r.Ask(background, asking); check(r.Close()) })
		wait(env, time.Minute)
		other := world.Group("other")
		_, open, err := engine.OpenQuestions(other.Env(), "/state", id[:8])
		if err != nil || len(open) != 1 || open[0].Name != "go" || open[0].Text != "Shall it?" || open[0].Danger != engine.DangerDataLoss ||
			open[0].Until.Sub(open[0].Asked) != 24*time.Hour || !engine.QuestionWaits(env, "/state", id, open[0].ID) {
			t.Errorf("open: %+v, %v", open, err)
		}
		if mode := world.Disk().Perm(r.Dir() + "/questions/" + open[0].ID + ".json"); mode != fs.FileMode(0o600) {
			t.Errorf("mode %v", mode)
		}
		answer := engine.PostedAnswer{Question: open[0].ID, Answer: "continue", User: "bob", Host: "desk2"}
		if err := engine.PostAnswer(env, "/state", id, answer); err != nil {
			t.Error(err)
		}
		if err := engine.PostAnswer(env, "/state", id, answer); !errors.Is(err, engine.ErrAnswered) {
			t.Errorf("a second answer at once: %v", err)
		}
	})
	world.Group("again").Run(func() {
		env := world.Group("again").Env()
		r := must(engine.OpenRun(env, "/state", id))
		r.SetAsker(&desk{env: env, away: true})
		r.WaitForAnswers(true)
		env.Go(func() { _, _ = r.Ask(background, asking); check(r.Close()) })
		wait(env, time.Minute)
		world.Group("again").Kill()
	})
	world.Group("third").Run(func() {
		env := world.Group("third").Env()
		if _, _, err := engine.OpenQuestions(env, "/state", id); !errors.Is(err, engine.ErrNotWaiting) {
			t.Errorf("nobody works on the run: %v", err)
		}
		if _, _, err := engine.OpenQuestions(env, "/state", "1999"); !errors.Is(err, engine.ErrNoRun) {
			t.Errorf("no run: %v", err)
		}
	})
}
