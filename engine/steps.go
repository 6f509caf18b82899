package engine

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// What a journal tells of a durable step.
const (
	StepDone   = "done"   // its result is recorded and is not made again
	StepFailed = "failed" // its failure is recorded; another attempt runs it again
	StepCut    = "cut"    // it was begun and its outcome is not recorded, or is unknown
)

// StepState is a durable step as the journal has it: a hook, a prompt or a step of a plan.
type StepState struct {
	Key     string          `json:"key"`
	Was     []string        `json:"was,omitempty"` // older keys of it
	Digest  string          `json:"digest"`        // of its arguments
	Title   string          `json:"title,omitempty"`
	Subject Subject         `json:"subject,omitzero"`
	Attempt int             `json:"attempt"` // that ran it last
	Begun   time.Time       `json:"begun"`
	Ended   time.Time       `json:"ended,omitzero"` // zero where it was cut
	Outcome string          `json:"outcome"`        // StepDone, StepFailed or StepCut
	OnCut   string          `json:"on_cut,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"` // of one that is done
	Error   string          `json:"error,omitempty"` // of one that is not
	How     string          `json:"how,omitempty"`   // "answered" where a person said that it was done
}

// IsHook tells whether the step is a handler of a hook point, and names both as HookKey got them.
func (s StepState) IsHook() (point, handler string, is bool) {
	rest, is := strings.CutPrefix(s.Key, hookPrefix)
	parts := strings.Split(rest, "/")
	if !is || len(parts) != 4 {
		return "", "", false
	}
	return unescapeKey(parts[0]), unescapeKey(parts[1]), true
}

// IsPrompt tells whether the step only asks a person, and names the question.
func (s StepState) IsPrompt() (name string, is bool) { return strings.CutPrefix(s.Key, promptPrefix) }

// unescapeKey is the reverse of escapeKey.
var unescapeKey = strings.NewReplacer("%25", "%", "%2F", "/", "%0A", "\n").Replace

// Steps lists the durable steps of the run in the order in which they were begun first. A key that was used with other arguments too is
// there once for each.
func (i RunInfo) Steps() []StepState {
	var steps []StepState
	at := map[string]int{} // by key and digest
	attempt := 0
	for k := range i.Records {
		switch rec := &i.Records[k]; rec.Kind {
		case kindAttempt:
			attempt = rec.Attempt
		case kindStep:
			id := rec.Step.Key + "\x00" + rec.Step.Digest
			n, known := at[id]
			if !known {
				n = len(steps)
				at[id] = n
				steps = append(steps, StepState{Key: rec.Step.Key, Digest: rec.Step.Digest})
			}
			s := &steps[n]
			s.Title, s.OnCut, s.Attempt, s.Begun, s.Ended, s.Outcome = rec.Step.Title, rec.Step.OnCut, attempt, rec.Time, time.Time{}, StepCut
			s.Value, s.Error, s.How = nil, "", ""
			if rec.Step.Subject != nil {
				s.Subject = *rec.Step.Subject
			}
		case kindResult:
			n, known := at[rec.Result.Key+"\x00"+rec.Result.Digest]
			if !known {
				continue
			}
			s := &steps[n]
			s.Value, s.Error, s.How = rec.Result.Value, rec.Result.Error, rec.Result.How
			switch {
			case rec.Result.OK:
				s.Outcome, s.Ended = StepDone, rec.Time
			case rec.Result.Unknown:
				s.Outcome = StepCut
			default:
				s.Outcome, s.Ended = StepFailed, rec.Time
			}
		case kindRename:
			for n := range steps {
				if steps[n].Key != rec.Step.Was {
					continue
				}
				delete(at, steps[n].Key+"\x00"+steps[n].Digest)
				steps[n].Was = append(slices.Clone(steps[n].Was), rec.Step.Was)
				if title, ends := strings.CutSuffix(steps[n].Title, nameIn(rec.Step.Was)); ends {
					steps[n].Title = title + nameIn(rec.Step.Key)
				}
				steps[n].Key = rec.Step.Key
				at[steps[n].Key+"\x00"+steps[n].Digest] = n
			}
		}
	}
	return steps
}

// nameIn returns the name of a step from its key.
func nameIn(key string) string {
	name := key[strings.LastIndexByte(key, '/')+1:]
	if i := strings.LastIndexByte(name, '#'); i >= 0 {
		name = name[:i]
	}
	return unescapeKey(name)
}

// NotRedone returns the keys that were given to Redo and that no step of this attempt has used.
func (r *Run) NotRedone() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys []string
	for key := range r.redo {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
