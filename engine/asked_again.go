package engine

import (
	"slices"
	"strings"
)

// AskedAgain tells whether a later attempt than that of an intent asked for the same, and knows the answer. An operation asks again only
// after it has seen the object without the effect, so the earlier request had none.
func (r *Run) AskedAgain(intentID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.intents[intentID]
	return in != nil && r.repeated(in, func(o *Outcome) bool { return !o.Unknown })
}

// repeated tells whether a later attempt made the same intent with an outcome of that kind. mu is held.
func (r *Run) repeated(in *intent, outcome func(*Outcome) bool) bool {
	return slices.ContainsFunc(r.objects[in.Op+"\x00"+in.Subject.identity()], func(later *intent) bool {
		return later.attempt > in.attempt && later.Site == in.Site && later.outcome != nil && outcome(later.outcome)
	})
}

// SettleRepeated records of each request whose outcome is open, and that a later attempt sent again and was accepted, that it had no
// effect: that attempt was cut before it could say so, and this one finds the goal reached and has no reason to look back. asksForState
// tells of which operations that is true: those that ask for a state of an object, and look at it before.
func (r *Run) SettleRepeated(asksForState func(op string) bool) {
	r.mu.Lock()
	var repeated []string
	for id, in := range r.intents {
		open := in.outcome == nil && in.attempt < r.attempt || in.outcome != nil && in.outcome.Unknown
		if open && !in.settled && asksForState(in.Op) && r.repeated(in, func(o *Outcome) bool { return o.OK }) {
			repeated = append(repeated, id)
		}
	}
	r.mu.Unlock()
	slices.SortFunc(repeated, func(a, b string) int {
		if by := len(a) - len(b); by != 0 {
			return by
		}
		return strings.Compare(a, b)
	})
	for _, id := range repeated {
		r.Settle(id, false, "a later attempt saw that it had no effect, and its request was accepted")
	}
}
