package engine

import "slices"

// AskedAgain tells whether a later attempt than that of an intent asked for the same, and knows the answer. An operation asks again only
// after it has seen the object without the effect, so the earlier request had none.
func (r *Run) AskedAgain(intentID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.intents[intentID]
	if in == nil {
		return false
	}
	return slices.ContainsFunc(r.objects[in.Op+"\x00"+in.Subject.identity()], func(later *intent) bool {
		return later.attempt > in.attempt && later.Site == in.Site && later.outcome != nil && !later.outcome.Unknown
	})
}
