package runner

import (
	"context"
	"fmt"
	"sync"
	"time"

	"drrun/engine"
)

// markLimit bounds one mark, in model time. It is long enough for an engine that restarts, since nobody waits for it.
const markLimit = 2 * time.Minute

// mark makes one thing in an engine that people or programs read, and that no work depends on.
type mark func(ctx context.Context) error

// markStream makes the marks of one kind in one engine: in order, beside the work, on a goroutine of its own. The first that fails is the
// last one that is tried.
type markStream struct {
	clock engine.Clock
	// worth tells, without asking the engine, whether it is worth asking. While that is not known, marks wait; those of an engine that does
	// not answer are dropped.
	worth  func() (answers, known bool)
	failed func(error) // told once why no more marks are made

	bell engine.Bell
	done chan struct{} // closed when nothing more is made

	mu      sync.Mutex
	marks   []mark
	bulk    []mark // made while there are no marks
	last    mark   // made when the stream is closed, also after a failure; nil for nothing
	closing bool
	off     bool
}

func newMarkStream(clock engine.Clock, worth func() (answers, known bool), failed func(error)) *markStream {
	return &markStream{clock: clock, worth: worth, failed: failed, done: make(chan struct{})}
}

// run makes marks until the stream is closed and everything is made, or ctx is done.
func (s *markStream) run(ctx context.Context) {
	defer close(s.done)
	for {
		wake := s.bell.Next()
		next, over := s.next()
		switch {
		case over:
			return
		case next != nil:
			limit, cancel := s.clock.WithTimeout(ctx, markLimit)
			err := next(limit)
			if err != nil && limit.Err() != nil && ctx.Err() == nil {
				err = fmt.Errorf("given up after %s: %w", markLimit, err)
			}
			cancel()
			s.judge(err)
		default:
			if _, err := s.clock.Wait(ctx, -1, wake); err != nil {
				return
			}
		}
	}
}

// next takes the next mark. over tells that there will be none.
func (s *markStream) next() (next mark, over bool) {
	answers, known := s.worth()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.off || known && !answers {
		s.marks, s.bulk = nil, nil
	}
	switch {
	case known && len(s.marks) > 0:
		next, s.marks = s.marks[0], s.marks[1:]
	case known && len(s.bulk) > 0:
		next, s.bulk = s.bulk[0], s.bulk[1:]
	case s.closing && known && answers && s.last != nil:
		next, s.last = s.last, nil
	default:
		over = s.closing
	}
	return next, over
}

// judge ends the stream with the first mark that failed.
func (s *markStream) judge(err error) {
	s.mu.Lock()
	first := err != nil && !s.off
	s.off = s.off || err != nil
	s.mu.Unlock()
	if first {
		s.failed(err)
	}
}

// add queues marks.
func (s *markStream) add(marks ...mark) {
	s.mu.Lock()
	s.marks = append(s.marks, marks...)
	s.mu.Unlock()
	s.bell.Ring()
}

// addBulk queues marks that let all others go first.
func (s *markStream) addBulk(marks []mark) {
	s.mu.Lock()
	s.bulk = append(s.bulk, marks...)
	s.mu.Unlock()
	s.bell.Ring()
}

// close lets the stream end when everything is made, with a last mark that is tried even where an earlier one failed; nil for none.
func (s *markStream) close(last mark) {
	s.mu.Lock()
	s.last, s.closing = last, true
	s.mu.Unlock()
	s.bell.Ring()
}
