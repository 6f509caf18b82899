package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Questions that wait, and the answers that other processes give:
//
//	runs/<id>/questions/<question id>.json   an OpenQuestion, there while the question waits
//	runs/<id>/answers/<question id>.json     a PostedAnswer, until the run has taken or refused it
//	runs/<id>/answers/lock                   held while an answer is posted
//
// A question id is made of the attempt and a number and is never used again, so an answer that came late answers nothing.

func questionsDir(runDir string) string { return filepath.Join(runDir, "questions") }
func answersDir(runDir string) string   { return filepath.Join(runDir, "answers") }

// OpenQuestion is a question that waits, as other processes see it.
type OpenQuestion struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Text     string    `json:"text"`
	Fields   []string  `json:"fields,omitempty"`
	Choices  []string  `json:"choices,omitempty"`
	Default  string    `json:"default,omitempty"`
	Secret   bool      `json:"secret,omitempty"`
	Evidence bool      `json:"evidence,omitempty"`
	Danger   string    `json:"danger,omitempty"`
	Asked    time.Time `json:"asked"`
	Until    time.Time `json:"until,omitzero"` // when its time is over
}

// PostedAnswer is an answer that another process gives.
type PostedAnswer struct {
	Question string    `json:"question"` // id
	Answer   string    `json:"answer"`
	User     string    `json:"user"`
	Host     string    `json:"host"`
	At       time.Time `json:"at"`
}

// RefusedAnswerNote is the kind of the journal's notes that hold a RefusedAnswer.
const RefusedAnswerNote = "answer-refused"

// RefusedAnswer tells why an answer of another process does not do. The question still waits.
type RefusedAnswer struct {
	Question string `json:"question"` // id
	By       string `json:"by"`
	Text     string `json:"text"`
	Level    string `json:"level"`
}

// RefusedAnswers returns the answers to a question that a run has refused so far.
func (i RunInfo) RefusedAnswers(question string) []RefusedAnswer {
	var found []RefusedAnswer
	for _, record := range i.Records {
		var note RefusedAnswer
		if record.Note == RefusedAnswerNote && json.Unmarshal(record.Data, &note) == nil && note.Question == question {
			found = append(found, note)
		}
	}
	return found
}

// Errors of those who answer from another process.
var (
	// ErrNotWaiting is matched when a run does not wait for answers.
	ErrNotWaiting = errors.New("the run does not wait for an answer")
	// ErrAnswered is matched when a question has an answer already, or waits no more.
	ErrAnswered = errors.New("the question is answered already")
)

// answerBox is a published question.
type answerBox struct {
	run      *Run
	id       string
	question string // path
	answer   string // path
}

// publish shows a question to other processes.
func (r *Run) publish(q Question) (*answerBox, error) {
	r.mu.Lock()
	r.asked++
	id := fmt.Sprintf("%d-%d", r.attempt, r.asked)
	r.mu.Unlock()
	open := OpenQuestion{
		ID: id, Name: q.Name, Text: r.cleanText(q.Text), Fields: q.Fields, Choices: q.Choices, Default: r.cleanText(q.Default),
		Secret: q.Secret, Evidence: q.Evidence, Danger: q.Danger, Asked: r.env.Clock.Now().UTC(), Until: q.Until,
	}
	text, err := marshal(open)
	if err != nil {
		return nil, fmt.Errorf("publish the question: %w", err)
	}
	box := &answerBox{run: r, id: id, question: filepath.Join(questionsDir(r.dir), id+".json"), answer: filepath.Join(answersDir(r.dir), id+".json")}
	for _, dir := range []string{questionsDir(r.dir), answersDir(r.dir)} {
		if err := r.env.FS.MkdirAll(dir); err != nil {
			return nil, fmt.Errorf("publish the question: %w", err)
		}
	}
	if err := r.env.FS.WriteFile(box.question, append(indent(text), '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("publish the question: %w", err)
	}
	r.Emit(Event{Kind: QuestionEvent, Subject: Subject{Kind: "prompt", ID: q.Name, Name: q.Name}, Data: open})
	return box, nil
}

// take returns the answer that another process gave. One that does not fit is noted and taken away: the question still waits.
func (b *answerBox) take(q Question) (Answer, bool) {
	if q.Secret {
		return Answer{}, false
	}
	text, err := b.run.env.FS.ReadFile(b.answer)
	if err != nil {
		return Answer{}, false // none yet; what cannot be read now is looked at again
	}
	var posted PostedAnswer
	err = json.Unmarshal(text, &posted)
	by := By{User: posted.User, Host: posted.Host}.String()
	switch {
	case err != nil:
	case posted.Question != b.id:
		err = fmt.Errorf("it is for the question %s", posted.Question)
	case posted.Answer == "":
		err = errors.New("it is empty")
	case len(q.Choices) > 0 && !slices.Contains(q.Choices, posted.Answer):
		err = fmt.Errorf("%q is none of %s", posted.Answer, strings.Join(q.Choices, ", "))
	case q.Check != nil:
		err = q.Check(posted.Answer)
	}
	if err != nil {
		_ = b.run.env.FS.Remove(b.answer) // if it stays, it is refused once more
		// Synced, so that the process that gave it can read at once why. A journal that cannot be written has stopped the run.
		_ = b.run.NoteSynced(RefusedAnswerNote, Subject{Kind: "prompt", ID: q.Name, Name: q.Name}, RefusedAnswer{
			Question: b.id, By: by, Level: "warn", Text: fmt.Sprintf("the answer of %s to %s is refused: %v", by, q.Name, err),
		})
		return Answer{}, false
	}
	return Answer{Text: posted.Answer, Via: ViaElsewhere, By: by}, true
}

// close takes the question back. What cannot be removed belongs to no question that waits, and is passed over.
func (b *answerBox) close() {
	for _, path := range []string{b.question, b.answer} {
		_ = b.run.env.FS.Remove(path)
	}
}

// OpenQuestions returns the full id of a run and the questions that it waits for, in the order in which they were asked. id may
// be a unique prefix. Errors match ErrNoRun or, where a process does not work on the run or nothing is asked, ErrNotWaiting.
func OpenQuestions(env Env, stateDir, id string) (run string, open []OpenQuestion, err error) {
	if run, err = resolve(env, stateDir, id); err != nil {
		return "", nil, err
	}
	dir := filepath.Join(runsDir(stateDir), run)
	list, err := env.FS.ReadDir(questionsDir(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return run, nil, fmt.Errorf("read the questions of run %s: %w", run, err)
	}
	for _, entry := range list {
		text, err := env.FS.ReadFile(filepath.Join(questionsDir(dir), entry.Name))
		if errors.Is(err, fs.ErrNotExist) || !strings.HasSuffix(entry.Name, ".json") {
			continue // answered meanwhile, or being written
		}
		var q OpenQuestion
		if err == nil {
			err = json.Unmarshal(text, &q)
		}
		if err != nil {
			return run, nil, fmt.Errorf("read the question %s of run %s: %w", entry.Name, run, err)
		}
		open = append(open, q)
	}
	// Questions of a process that was killed are still there.
	if len(open) > 0 {
		if _, held, err := Holder(env, stateDir, run); err != nil || !held {
			return run, nil, errors.Join(fmt.Errorf("run %s: %w", run, ErrNotWaiting), err)
		}
	}
	// So are those of an earlier attempt, while a later one works on the run. What can be read of the journal is enough.
	if info, _ := ReadRun(env, stateDir, run); info != nil {
		open = slices.DeleteFunc(open, func(q OpenQuestion) bool { return attemptOf(q.ID) != info.Attempts })
	}
	if len(open) == 0 {
		return run, nil, fmt.Errorf("run %s: %w", run, ErrNotWaiting)
	}
	slices.SortFunc(open, func(a, b OpenQuestion) int { return cmp.Or(a.Asked.Compare(b.Asked), cmp.Compare(a.ID, b.ID)) })
	return run, open, nil
}

func attemptOf(questionID string) int {
	text, _, _ := strings.Cut(questionID, "-")
	n, _ := strconv.Atoi(text) // 0 is no attempt
	return n
}

// PostAnswer gives an answer to a question of a run (its full id) that waits. The error matches ErrAnswered where somebody was
// faster. Whether the answer fits is for the caller to see before, and for the run to decide.
func PostAnswer(env Env, stateDir, run string, answer PostedAnswer) error {
	dir := filepath.Join(runsDir(stateDir), run)
	unlock, _, err := env.FS.Lock(filepath.Join(answersDir(dir), "lock"), []byte(answer.User))
	if errors.Is(err, ErrLocked) {
		return fmt.Errorf("answer run %s: %w: somebody else is at it", run, ErrAnswered)
	}
	if err != nil {
		return fmt.Errorf("answer run %s: %w", run, err)
	}
	path := filepath.Join(answersDir(dir), answer.Question+".json")
	_, gone := env.FS.Stat(filepath.Join(questionsDir(dir), answer.Question+".json"))
	_, none := env.FS.Stat(path)
	switch {
	case gone != nil || none == nil:
		err = ErrAnswered
	default:
		var text []byte
		if text, err = marshal(answer); err == nil {
			err = env.FS.WriteFile(path, append(indent(text), '\n'), 0o600)
		}
	}
	if err = errors.Join(err, unlock()); err != nil {
		return fmt.Errorf("answer run %s: %w", run, err)
	}
	return nil
}

// QuestionWaits tells whether a question of a run (both by their full ids) still waits.
func QuestionWaits(env Env, stateDir, run, question string) bool {
	_, err := env.FS.Stat(filepath.Join(questionsDir(filepath.Join(runsDir(stateDir), run)), question+".json"))
	return err == nil
}
