package engine

import "strings"

// PromptKey is the key of a durable step that only asks a person.
func PromptKey(name string) string { return promptPrefix + name }

const promptPrefix = "prompt:"

// Changed tells whether the run, in any attempt, changed something, or may have: a request that an engine accepted or whose
// outcome is open, or a step that ran. A question to a person changes nothing, nor does a look.
func (r *Run) Changed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range r.intents {
		if in.Look {
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
