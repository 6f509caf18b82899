package ovirt

import (
	"context"
	"errors"
	"slices"
	"time"
)

// HeldLabels reads all affinity labels like AffinityLabels, for a caller whose work hangs on the answer: an engine that restarts is
// waited for, as long as ctx allows and 5 minutes at most.
func (s *Site) HeldLabels(ctx context.Context) ([]AffinityLabel, error) {
	return s.AffinityLabels(patiently(ctx))
}

// CreateLabels makes several affinity labels one after the other, in the order given, for a caller who has just read a list in which
// none of the names is taken: that saves the two reads that CreateLabel makes for each. It ends at the first that cannot be made. It
// returns the engine's labels as they are after that: the ids in there, and no answer to a request, say whose a name is. The error is
// that of the request that failed, already-exists where somebody else has the name; the list comes with it unless it cannot be read.
func (s *Site) CreateLabels(ctx context.Context, labels []AffinityLabel) ([]AffinityLabel, error) {
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	var failed error
	for _, label := range labels {
		if failed = s.createListed(ctx, label); failed != nil {
			break
		}
	}
	now, err := s.AffinityLabels(ctx)
	if err != nil && failed == nil {
		failed = err
	}
	return now, failed
}

// createListed makes a label whose name a list lacked. Nothing is read where the engine accepts it: the caller reads back.
func (s *Site) createListed(ctx context.Context, label AffinityLabel) error {
	subject := Subject{Kind: KindAffinityLabel, ID: label.ID, Name: label.Name}
	if problem := unfitLabel(label.Name, label.ID); problem != nil {
		return s.fail(OpCreateLabel, subject, CodeBadRequest, problem)
	}
	_, err := s.ensure(ctx, listed(s.labelEnsurance(label.Name, label.ID)))
	return err
}

// listed spares an operation its first look, because the caller has just read a list in which the goal does not hold, and its last,
// because the caller reads one list for several. What becomes of a request that the engine does not accept is read all the same.
func listed(e *ensurance) *ensurance {
	look, first := e.look, true
	e.look = func(ctx context.Context, sent bool) (bool, error) {
		if sent || !first {
			return sent, nil
		}
		first = false
		return false, nil
	}
	e.reached = func(ctx context.Context) (bool, error) { return look(ctx, false) }
	return e
}

// How long one label may take to go, and how often those that stayed are asked again: an answer that never comes, or an error that is over,
// must leave no lock, and an engine that restarts is back by then.
const (
	labelTimeout = 90 * time.Second
	labelRounds  = 3
)

// DeleteLabels removes affinity labels by id, for a caller who has just seen them: each is asked to go, one list is read at the end, and
// those that it still shows are asked again. It returns the ids that the engine still has, and the last error. Ids that it does not have
// are fine. The engine refuses to remove a label that somebody has put on a VM or a host (ovirt-engine RemoveLabelCommand.java).
func (s *Site) DeleteLabels(ctx context.Context, ids []string) (left []string, err error) {
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	left = ids
	for range labelRounds {
		err = s.deleteEach(ctx, left)
		now, listErr := s.AffinityLabels(ctx)
		if listErr != nil {
			return left, errors.Join(err, listErr)
		}
		left = slices.DeleteFunc(slices.Clone(left), func(id string) bool {
			return !slices.ContainsFunc(now, func(label AffinityLabel) bool { return label.ID == id })
		})
		if len(left) == 0 {
			return nil, nil
		}
		if failure, ok := asError(err); ok && failure.Status >= 400 && failure.Status < 500 {
			break // it says no
		}
	}
	if err == nil {
		err = s.fail(OpDeleteLabel, Subject{Kind: KindAffinityLabel, ID: left[0]}, CodeEngineError, errors.New("the engine said that it was deleted, and still has it"))
	}
	return left, err
}

// deleteEach asks each label to go, and returns the first error.
func (s *Site) deleteEach(ctx context.Context, ids []string) (err error) {
	for _, id := range ids {
		bounded, cancel := s.o.Clock.WithTimeout(ctx, labelTimeout)
		_, failed := s.ensure(bounded, listed(s.unlabelEnsurance(id)))
		cancel()
		if err == nil {
			err = failed
		}
		if HasCode(failed, CodeUnreachable) || ctx.Err() != nil {
			break // the list decides, or says so too
		}
	}
	return err
}

func unfitLabel(name, id string) error {
	if name == "" || id == "" || len(name) > 50 || !plainName(name) {
		return errors.New("a label needs an id, and a name of up to 50 letters, digits, '.', '_' and '-'")
	}
	return nil
}
