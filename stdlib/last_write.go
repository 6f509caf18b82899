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
}

// Error names the copy and why it is no good.
func (e *StaleCopyError) Error() string {
	return fmt.Sprintf("the copy of %s on %s does not hold the last write of the source: %s", e.Group, e.Target, e.Why)
}

// Code is the stable code of the error.
func (e *StaleCopyError) Code() string { return "stale-copy" }

// Hint says what to do.
func (e *StaleCopyError) Hint() string {
	return "let the array copy what is missing and make the copy writable again; or undo with drrun rollback while nothing is attached; " +
		"or give the missing data up by name: --accept-loss 'YOUR NAME: WHY'"
}

// lastWrite is when the source can have written last to the domains of a group: when each was seen released. known is false before.
func (s *Session) lastWrite(group string) (at time.Time, known bool) {
	for _, domain := range s.Facts.Domains {
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

// copyIsGood says what is wrong with the answer to the promotion of a group in a planned move: its as_of must not be before the
// source's last write, or say that the copy is in sync. In an unplanned failover every answer is good: as_of is the data loss then.
func (s *Session) copyIsGood(group string, answer map[string]any) error {
	if !s.Facts.Planned || s.AcceptLoss != nil || s.Dry != nil {
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
	// The answer has whole seconds.
	if at.Before(last.Truncate(time.Second)) && !sabotage.On(sabotage.AsOfNotCompared) {
		return stale("it is as of %s, and the source was released at %s", at.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))
	}
	return nil
}

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

// storeProof compares what the target's OVF stores show with what the source wrote there after the last stop. Where the write was seen
// (event 199), a VM of the facts that does not read down, or is not there, proves that the copy is older than that. present holds the
// statuses of the unregistered VMs by id, and "" for those that are registered already.
func (s *Session) storeProof(present map[string]string) error {
	if !s.Facts.Planned || s.AcceptLoss != nil || s.Dry != nil || sabotage.On(sabotage.StoreProofSkipped) {
		return nil
	}
	for i := range s.Facts.VMs {
		vm := &s.Facts.VMs[i]
		proved := len(vm.Domains) > 0
		for _, id := range vm.Domains {
			_, planned := s.Facts.Domain(id)
			proved = proved && (!planned || s.releaseOf(id).Written)
		}
		if !proved {
			continue
		}
		domain, _ := s.Facts.Domain(vm.Domains[0])
		if domain == nil {
			continue
		}
		status, there := present[vm.ID]
		switch {
		case !there:
			return &StaleCopyError{Group: "storage domain " + domain.Name, Target: s.Target.Name,
				Why: fmt.Sprintf("VM %s was written to its OVF store after the last stop and is not in it", vm.Name)}
		case status != "" && status != "down":
			return &StaleCopyError{Group: "storage domain " + domain.Name, Target: s.Target.Name,
				Why: fmt.Sprintf("VM %s reads %s in its OVF store, and it was down when the source wrote that", vm.Name, status)}
		}
	}
	return nil
}
