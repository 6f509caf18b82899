package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How a question came to its answer.
const (
	ViaFlag      = "answer-flag" // --answer
	ViaYes       = "yes-flag"    // --yes
	ViaTerminal  = "terminal"    // the run's own
	ViaElsewhere = "elsewhere"   // drrun answer, in another process
	ViaTimeout   = "time-out"    // nobody answered, and the default was taken
)

// Answer is an answer and where it came from.
type Answer struct {
	Text string
	Via  string // one of the Via constants
	By   string // who gave it, as "user on host"; empty where that is nobody
}

// Desk is an Asker that knows which answers it has without asking, and whether there is somebody to ask. While a desk asks, the
// question is published in the run's folder, so that another process can answer it (PostAnswer); the first valid answer counts.
type Desk interface {
	Asker
	// Prepared returns the answer that nobody has to be asked for, such as one from the command line.
	Prepared(q Question) (Answer, bool)
	// Attended tells whether Ask can reach a person. Ask must return soon when its context is done; the cause is an
	// *AnsweredElsewhere where another process was faster.
	Attended() bool
}

// AnsweredElsewhere is why the asking of a desk is given up when another process gave the answer.
type AnsweredElsewhere struct{ By, Text string }

// Error says who gave the answer.
func (e *AnsweredElsewhere) Error() string {
	return fmt.Sprintf("answered with %q by %s from another terminal", e.Text, e.By)
}

// Answered is the journal's note about an answer, of the kind "answer".
type Answered struct {
	Question string `json:"question,omitempty"` // its id, where it was published
	Name     string `json:"name"`
	Answer   string `json:"answer,omitempty"` // not of a secret
	Via      string `json:"via"`
	By       string `json:"by,omitempty"`
	Text     string `json:"text,omitempty"` // for people, where they have not seen it
	Level    string `json:"level,omitempty"`
}

// AnswerNote is the kind of the notes that hold Answered.
const AnswerNote = "answer"

// QuestionEvent is the kind of the events that tell that a question waits; their Data is an OpenQuestion.
const QuestionEvent = "question"

// answerTick is the pause between two looks for an answer of another process, in model time: a watch may miss it.
const answerTick = 2 * time.Second

// SetAsker says who is asked from now on; nil means nobody.
func (r *Run) SetAsker(a Asker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asker = a
}

// WaitForAnswers makes questions wait for an answer of another process where nobody can be asked here.
func (r *Run) WaitForAnswers(waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits = waits
}

// Ask asks, and journals the answer with who gave it. An answer that is none of the choices is an error. It waits in model time
// and ends with ctx; after q.Timeout it takes the default, or returns ErrPromptTimeout where there is none or none may be taken.
func (r *Run) Ask(ctx context.Context, q Question) (string, error) {
	answer, err := r.answer(ctx, q)
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", q.Name, err)
	}
	return answer.Text, nil
}

func (r *Run) answer(ctx context.Context, q Question) (Answer, error) {
	r.mu.Lock()
	asker, waits := r.asker, r.waits
	r.mu.Unlock()
	desk, isDesk := asker.(Desk)
	if isDesk {
		if prepared, known := desk.Prepared(q); known {
			return r.accept(q, "", prepared)
		}
	}
	attended := asker != nil && (!isDesk || desk.Attended())
	if !attended && !(waits && !q.Secret) {
		return Answer{}, ErrNoAnswer
	}
	limited, cancel := ctx, func() {}
	if q.Timeout > 0 {
		q.Until = r.env.Clock.Now().Add(q.Timeout)
		limited, cancel = r.env.Clock.WithTimeout(ctx, q.Timeout)
	}
	defer cancel()
	if !isDesk && !waits {
		text, err := asker.Ask(limited, q)
		if err != nil {
			return r.unanswered(ctx, limited, q, "", err)
		}
		return r.accept(q, "", Answer{Text: text, Via: ViaTerminal, By: r.by.String()})
	}
	box, err := r.publish(q)
	if err != nil {
		return Answer{}, err
	}
	defer box.close()
	if !attended {
		asker = nil
	}
	return r.race(ctx, limited, q, asker, box)
}

// race waits for the first valid answer: of the asker, which may be nil, or of another process.
func (r *Run) race(ctx, limited context.Context, q Question, asker Asker, box *answerBox) (Answer, error) {
	var bell Bell
	if r.env.Watch != nil {
		if stop, err := r.env.Watch(bell.Ring, answersDir(r.dir)); err == nil { // else it is looked for at each tick
			defer stop()
		}
	}
	var text string
	var err error
	asking, hush := context.WithCancelCause(limited)
	defer hush(nil)
	var over chan struct{} // closed when the asker is done; nil without one
	if asker != nil {
		over = make(chan struct{})
		r.env.Go(func() {
			defer func() { close(over); bell.Ring() }()
			text, err = asker.Ask(asking, q)
		})
	}
	// Whoever asks at the terminal must have left it before the run goes on.
	leave := func() {
		if over != nil {
			_, _ = r.env.Clock.Wait(context.Background(), -1, over) // a context that never ends
		}
	}
	for {
		next := bell.Next()
		if answer, found := box.take(q); found {
			hush(&AnsweredElsewhere{By: answer.By, Text: answer.Text})
			leave()
			return r.accept(q, box.id, answer)
		}
		if isClosed(over) {
			over = nil
			if err == nil {
				return r.accept(q, box.id, Answer{Text: text, Via: ViaTerminal, By: r.by.String()})
			}
			r.mu.Lock()
			waits := r.waits && !q.Secret
			r.mu.Unlock()
			if !errors.Is(err, ErrNoAnswer) || !waits {
				return r.unanswered(ctx, limited, q, box.id, err)
			}
		}
		if _, waitErr := r.env.Clock.Wait(limited, answerTick, next); waitErr != nil {
			leave()
			return r.unanswered(ctx, limited, q, box.id, waitErr)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// unanswered takes the default when the time of a question is over.
func (r *Run) unanswered(ctx, limited context.Context, q Question, id string, err error) (Answer, error) {
	if limited.Err() == nil || ctx.Err() != nil {
		return Answer{}, err
	}
	if q.Default == "" || q.OnlyPerson() || q.Secret {
		return Answer{}, fmt.Errorf("%w: %s passed", ErrPromptTimeout, q.Timeout)
	}
	return r.accept(q, id, Answer{Text: q.Default, Via: ViaTimeout})
}

// accept journals an answer that is allowed.
func (r *Run) accept(q Question, id string, answer Answer) (Answer, error) {
	if len(q.Choices) > 0 && !slices.Contains(q.Choices, answer.Text) {
		return Answer{}, fmt.Errorf("%q is none of %s", r.cleanText(answer.Text), strings.Join(q.Choices, ", "))
	}
	note := Answered{Question: id, Name: q.Name, Answer: answer.Text, Via: answer.Via, By: answer.By}
	switch answer.Via {
	case ViaElsewhere:
		note.Text = fmt.Sprintf("%s answered %s from another terminal: %s", answer.By, q.Name, answer.Text)
	case ViaTimeout:
		note.Level = "warn"
		note.Text = fmt.Sprintf("nobody answered %s in %s: its default is taken: %s", q.Name, q.Timeout, answer.Text)
	}
	if q.Secret {
		note.Answer, note.Text = "", ""
	}
	r.Note(AnswerNote, Subject{Kind: "prompt", ID: q.Name, Name: q.Name}, note)
	return answer, nil
}

// String names a person and a machine, "" where both are unknown.
func (b By) String() string {
	switch {
	case b.Host == "":
		return b.User
	case b.User == "":
		return "somebody on " + b.Host
	}
	return b.User + " on " + b.Host
}
