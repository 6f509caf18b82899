package engine

import (
	"slices"
	"strings"
)

// PromptKey is the key of a durable step that only asks a person.
func PromptKey(name string) string { return promptPrefix + name }

const promptPrefix = "prompt:"

// Changed tells whether the run, in any attempt, changed something, or may have: a request that an engine accepted or whose
// outcome is open, or a step that ran. A question to a person changes nothing, nor does a look, nor what is beside the plan: locks,
// events; nor what was taken back.
func (r *Run) Changed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	undone := map[*intent]bool{}
	for _, list := range r.objects {
		for _, in := range list {
			if in.Undoes == "" || !in.did() {
				continue
			}
			for _, earlier := range r.of(in.Undoes, in.Subject) {
				if earlier.may() && !undone[earlier] {
					undone[earlier], undone[in] = true, true
					break
				}
			}
		}
	}
	for _, in := range r.intents {
		if !in.Look && !in.Beside && !undone[in] && in.may() {
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

// Changed is Run.Changed for a run on the disk.
func (i RunInfo) Changed() bool {
	r := newRun(Env{}, "", i.ID, nil)
	for k := range i.Records {
		r.apply(&i.Records[k])
	}
	return r.Changed()
}

// did tells whether the request is known to have had its effect.
func (in *intent) did() bool {
	return in.settled && in.reached || !in.settled && in.outcome != nil && in.outcome.OK
}

// may tells whether the request had its effect or may have had it.
func (in *intent) may() bool {
	if in.settled {
		return in.reached
	}
	return in.outcome == nil || in.outcome.OK || in.outcome.Unknown
}

// StepWas returns the key that a step, whose key is given, had under an older name.
func StepWas(key, name string) string {
	return key[:strings.LastIndexByte(key, '/')+1] + escapeKey(name) + key[strings.LastIndexByte(key, '#'):]
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

// Prompts names the questions that were asked so far, in any attempt, sorted.
func (r *Run) Prompts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for key := range r.steps {
		if name, asks := strings.CutPrefix(key, promptPrefix); asks {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
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
