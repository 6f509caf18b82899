package engine

import (
	"cmp"
	"slices"
	"time"
)

// None as Error or Detail of a Mark takes the old one away.
const None = "-"

// Mark brings news about a subject onto the board; zero fields keep their old value. The
// record rides with the next sync; news that change nothing are not recorded.
func (r *Run) Mark(s Status) {
	s.StartedAt, s.UpAt = utc(s.StartedAt), utc(s.UpAt)
	r.mu.Lock()
	merged, changed := r.merge(s)
	r.mu.Unlock()
	if !changed {
		return
	}
	r.journal.ride(Record{Kind: kindMark, Mark: &s})
	level := "info"
	if s.Error != "" && s.Error != None {
		level = "error"
	}
	r.Emit(Event{Kind: kindMark, Level: level, Text: merged.State, Subject: merged.Subject, Data: merged})
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func boardKey(s Subject) string { return s.Site + "\x00" + s.identity() }

// merge is called with mu held.
func (r *Run) merge(s Status) (merged Status, changed bool) {
	old := r.board[boardKey(s.Subject)]
	if old == nil {
		s.Error, s.Detail = news(s.Error, ""), news(s.Detail, "")
		r.board[boardKey(s.Subject)] = &s
		return s, true
	}
	now := *old
	if s.Subject.Name != "" {
		now.Subject.Name = s.Subject.Name
	}
	now.State = cmp.Or(s.State, now.State)
	now.Error = news(s.Error, now.Error)
	now.Detail = news(s.Detail, now.Detail)
	if s.Rank != nil && (now.Rank == nil || *now.Rank != *s.Rank) {
		now.Rank = s.Rank
	}
	if s.StartedAt != nil && (now.StartedAt == nil || !now.StartedAt.Equal(*s.StartedAt)) {
		now.StartedAt = s.StartedAt
	}
	if s.UpAt != nil && (now.UpAt == nil || !now.UpAt.Equal(*s.UpAt)) {
		now.UpAt = s.UpAt
	}
	changed = now != *old
	*old = now
	return now, changed
}

func news(s, old string) string {
	switch s {
	case "":
		return old
	case None:
		return ""
	}
	return s
}

// Status returns the row of a subject.
func (r *Run) Status(s Subject) (Status, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	row := r.board[boardKey(s)]
	if row == nil {
		return Status{}, false
	}
	return *row, true
}

// Board returns all rows, sorted by kind, rank (none last), name, id and site.
func (r *Run) Board() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sortedBoard(r.board)
}

func sortedBoard(board map[string]*Status) []Status {
	out := make([]Status, 0, len(board))
	for _, row := range board {
		out = append(out, *row)
	}
	slices.SortFunc(out, func(a, b Status) int {
		return cmp.Or(
			cmp.Compare(a.Subject.Kind, b.Subject.Kind),
			compareRank(a.Rank, b.Rank),
			cmp.Compare(a.Subject.Name, b.Subject.Name),
			cmp.Compare(a.Subject.ID, b.Subject.ID),
			cmp.Compare(a.Subject.Site, b.Subject.Site))
	})
	return out
}

func compareRank(a, b *int) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return cmp.Compare(*a, *b)
}
