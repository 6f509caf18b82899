package engine

import "strings"

// PromptKey is the key of a durable step that only asks a person.
func PromptKey(name string) string { return promptPrefix + name }

const promptPrefix = "prompt:"

// Changed tells whether the run, in any attempt, changed something, or may have: a request that an engine accepted or whose
// outcome is open, or a step that ran. A question to a person changes nothing, nor does a look, nor what is beside the plan: locks, events.
func (r *Run) Changed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range r.intents {
		if in.Look || in.Beside {
			continue
		}
		if in.settled {
			if in.reached {
				return true
			}
			continue
		}
		if in.outcome == nil || in.outcome.OK || in.outcome.Unknown {
			return true
		}
	}
	for key := range r.steps {
		if !strings.HasPrefix(key, promptPrefix) {
			return true
		}
	}
	return false
}

// StepWas returns the key that the step with this key of a task had under an older name.
func (r *Run) StepWas(t *Task, key, name string) string {
	return "step:" + t.Path() + "/" + escapeKey(name) + key[strings.LastIndexByte(key, '#'):]
}

// Began tells whether a durable step whose key begins so was begun, in any attempt, whatever came of it.
func (r *Run) Began(prefix string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.steps {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// Answered tells whether a prompt of that name, or of that name with something behind a colon, has a recorded answer.
func (r *Run) Answered(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, byDigest := range r.steps {
		if key != PromptKey(name) && !strings.HasPrefix(key, PromptKey(name)+":") {
			continue
		}
		for _, s := range byDigest {
			if s.result != nil && s.result.OK {
				return true
			}
		}
	}
	return false
}
