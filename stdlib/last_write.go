package stdlib

import (
	"fmt"
	"strings"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
)

// InSync is what an operator answers for as_of when the array says that the copy holds everything.
const InSync = "in_sync"

// StaleCopyError says that the target's copy of a storage domain does not hold the last write of the source (invariant I6).
type StaleCopyError struct {
	Group  string // consistency group, or storage domain
	Target string
	Why    string
	domain *FactDomain // where it was found out on one
	// Attached says that the copy was found out only when it was attached: it has to leave the target before a better one can come.
	Attached bool
}

// Error names the copy and why it is no good.
func (e *StaleCopyError) Error() string {
	return fmt.Sprintf("the copy of %s on %s does not hold the last write of the source: %s", e.Group, e.Target, e.Why)
}

// Code is the stable code of the error.
func (e *StaleCopyError) Code() string { return "stale-copy" }

// Hint says what to do.
func (e *StaleCopyError) Hint() string {
	if e.Attached {
		return "nothing was registered there. Put the plan's storage domains on " + e.Target + " into maintenance, detach and remove them without formatting; let the array copy what is missing " +
			"and make the copy writable again; or give the missing data up by name: --accept-loss 'YOUR NAME: WHY'"
	}
	return "let the array copy what is missing and make the copy writable again; or undo with drrun rollback while nothing is attached; " +
		"or give the missing data up by name: --accept-loss 'YOUR NAME: WHY'"
}

// lastWrite is when the source can have written last to the domains of a group: when each was seen released. known is false before.
func (s *Session) lastWrite(group string) (at time.Time, known bool) {
	for _, domain := range s.Moving() {
		if domain.Group != group {
			continue
		}
		released := s.releaseOf(domain.ID).At
		if released.IsZero() {
			return time.Time{}, false
		}
		if released.After(at) {
			at = released
		}
	}
	return at, !at.IsZero()
}

// promotion is what was said of the target's copy of a consistency group, and judged in this attempt.
type promotion struct {
	lossAccepted bool // it does not hold the last write, and somebody gave that up by name
}

// judgeCopy judges the answer to the promotion of a group, also one that an earlier attempt recorded: the source may have written since.
// Until it was judged in this attempt nothing of the group is attached in a planned move.
func (s *Session) judgeCopy(group string, answer map[string]any) error {
	if writable, _ := answer["writable"].(bool); !writable {
		return nil // no promotion yet
	}
	err := s.copyHoldsLastWrite(group, answer)
	if err != nil && s.AcceptLoss == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promotions[group] = promotion{lossAccepted: err != nil}
	return nil
}

// promotionArgs is what a promotion of a planned move was asked for: a source that was used again and released anew wants another one.
func (s *Session) promotionArgs(group string) any {
	if !s.Facts.Planned {
		return nil
	}
	at, _ := s.lastWrite(group)
	return map[string]any{"released": at.UTC().Format(time.RFC3339Nano)}
}

// promotionRecorded tells whether an earlier attempt recorded that a group was promoted.
func (s *Session) promotionRecorded(group string) bool {
	return s.Run.Answered("promote_storage:"+group) || s.Run.Began("hook:promote_storage/")
}

// promotedGroup returns how the copy of a group was judged in this attempt.
func (s *Session) promotedGroup(group string) (promotion, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	judged, known := s.promotions[group]
	return judged, known
}

// requirePromotion refuses to attach a storage domain whose copy nobody has spoken for in a planned move (invariant I6).
func (s *Session) requirePromotion(domain *FactDomain) error {
	if !s.Facts.Planned || s.Dry != nil {
		return nil
	}
	if _, judged := s.promotedGroup(domain.Group); judged {
		return nil
	}
	return &StaleCopyError{Group: "group " + domain.Group, Target: s.Target.Name, Why: "nobody has said in this attempt that it is writable and as of when: dr.steps.promote asks, or the hook promote_storage answers"}
}

// copyIsGood is copyHoldsLastWrite where no loss was accepted.
func (s *Session) copyIsGood(group string, answer map[string]any) error {
	if s.AcceptLoss != nil {
		return nil
	}
	return s.copyHoldsLastWrite(group, answer)
}

// copyHoldsLastWrite says what is wrong with the answer to the promotion of a group in a planned move: its as_of must not be before the
// source's last write, or say that the copy is in sync. In an unplanned failover every answer is good: as_of is the data loss then.
func (s *Session) copyHoldsLastWrite(group string, answer map[string]any) error {
	if !s.Facts.Planned || s.Dry != nil {
		return nil
	}
	stale := func(format string, args ...any) error {
		return &StaleCopyError{Group: "group " + group, Target: s.Target.Name, Why: fmt.Sprintf(format, args...)}
	}
	last, released := s.lastWrite(group)
	if !released {
		return stale("the source has not released it yet")
	}
	if answer[InSync] == true {
		return nil
	}
	text, _ := answer["as_of"].(string)
	switch strings.TrimSpace(text) {
	case InSync:
		return nil
	case "", "unknown":
		return stale("how old it is is not known: answer as_of=TIME, the time of its last write (not before %s), or as_of=%s when the array says that it is in sync", last.UTC().Format(time.RFC3339), InSync)
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
	if err != nil {
		return stale("as_of %q is no time: write it like %s", text, last.UTC().Format(time.RFC3339))
	}
	if now := s.Env.Clock.Now(); at.After(now.Add(clockSkew)) {
		return stale("as_of %s lies in the future: it is %s", at.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	// The answer has whole seconds.
	if at.Before(last.Truncate(time.Second)) && !sabotage.On(sabotage.AsOfNotCompared) {
		return stale("it is as of %s, and the source was released at %s", at.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))
	}
	return nil
}

// clockSkew is how far the clocks of an array and of this machine may be apart.
const clockSkew = 5 * time.Minute

// promotionOf tells whether a question or hook is about the promotion of a group, and of which.
func promotionOf(name string) (group string, ok bool) {
	return strings.CutPrefix(name, "promote_storage:")
}

// unfitAnswer says what is wrong with an answer: a part that the question needs is missing, or the copy that it speaks of is too old.
func (s *Session) unfitAnswer(question engine.Question, answer string) error {
	if err := missingPart(question, answer); err != nil {
		return err
	}
	if group, ok := promotionOf(question.Name); ok {
		return s.copyIsGood(group, ParseAnswer(answer))
	}
	return nil
}

// missingPart says which part that the question needs is missing from an answer.
func missingPart(question engine.Question, answer string) error {
	parts := ParseAnswer(answer)
	for _, needed := range question.Fields {
		if parts[needed] == nil {
			return &AnswerError{Question: question.Name, Missing: needed}
		}
	}
	return nil
}

// unfitResult says what is wrong with the result of a hook: a promotion that brings an old copy is no promotion, so that it is not
// recorded as done.
func (s *Session) unfitResult(point string, subject engine.Subject, result any) error {
	if point != "promote_storage" {
		return nil
	}
	answer, _ := result.(map[string]any)
	if answer == nil {
		return nil // a handler that leaves the answer to another one, or to the operator
	}
	return s.copyIsGood(subject.ID, answer)
}

// marked remembers that a VM carries the mark of this run: its id in the comment.
func (s *Session) marked(vm *FactVM, comment string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range vm.Domains {
		if delete(s.marks, id); strings.Contains(comment, s.Run.ID()) {
			s.marks[id] = vm.ID
		}
	}
}

func (s *Session) markedOn(domainID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marks[domainID]
}

// sawComment records the comment that a VM has in the OVF store of a storage domain on the target.
func (s *Session) sawComment(domainID, vmID, comment string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comments[domainID+"/"+vmID] = comment
}

// markOn tells whether the target's copy of a storage domain has the mark that the source wrote into its OVF store after the last stop.
// known is false where none was written, or its VM cannot be looked at any more because it is registered.
func (s *Session) markOn(domainID string) (there, known bool) {
	vm := s.releaseOf(domainID).Marked
	s.mu.Lock()
	defer s.mu.Unlock()
	comment, listed := s.comments[domainID+"/"+vm]
	return strings.Contains(comment, s.Run.ID()), listed && vm != ""
}

// storeProof compares what the target's OVF stores show with what the source wrote there after the last stop. Where the write was seen
// (event 199), the mark in the comment of one of its VMs tells whether the copy holds it: an older copy can look the same otherwise,
// with the same VMs, all of them down. Where the mark cannot be looked at, a VM of the facts that is not there proves that the copy is
// older, and so does everywhere one that does not read down. present holds the statuses of the unregistered VMs by id, and "" for those
// that are registered already.
func (s *Session) storeProof(present map[string]string) error {
	if !s.Facts.Planned || s.Dry != nil || sabotage.On(sabotage.StoreProofSkipped) {
		return nil
	}
	stale := func(domain *FactDomain, format string, args ...any) error {
		return &StaleCopyError{domain: domain, Group: "storage domain " + domain.Name, Target: s.Target.Name, Why: fmt.Sprintf(format, args...), Attached: true}
	}
	shown := s.factsShown()
	fresh := map[string]bool{}
	for i := range shown.Domains {
		domain := &shown.Domains[i]
		there, known := s.markOn(domain.ID)
		if known && !there {
			return stale(domain, "its OVF store lacks the mark of this run, which was written to it after the last stop")
		}
		fresh[domain.ID] = known
	}
	for i := range shown.VMs {
		vm := &shown.VMs[i]
		var domain *FactDomain // the first of its storage domains in the plan
		proved, marked := true, true
		for _, id := range vm.Domains {
			planned, known := s.Facts.Domain(id)
			if !known {
				continue
			}
			if domain == nil {
				domain = planned
			}
			proved = proved && s.releaseOf(id).Written
			marked = marked && fresh[id]
		}
		if domain == nil || !proved {
			continue
		}
		status, there := present[vm.ID]
		switch {
		case !there && !marked:
			return stale(domain, "VM %s was written to its OVF store after the last stop and is not in it", vm.Name)
		case there && status != "" && status != "down":
			return stale(domain, "VM %s reads %s in its OVF store, and it was down when the source wrote that", vm.Name, status)
		}
	}
	return nil
}
