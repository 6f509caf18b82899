package runner

import (
	"encoding/json"
	"slices"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/stdlib"
)

// lastMove is where the newest ended run that knows took a storage domain, or left it.
type lastMove struct {
	run  string
	site string
	seen time.Time // when the run saw it there
	// left is when the VMs had left the other site: when that let go of the domain, else when the run had it on the target, on evidence
	// that the other site was down.
	left time.Time
}

// lastMoves tells by the ended runs where each storage domain of the plan was last taken, by id. Only a run that reached an import
// moved anything; a domain that such a run left in quarantine is where it came from.
func lastMoves(runs []*engine.RunInfo) map[string]lastMove {
	moves := map[string]lastMove{}
	for _, run := range runs {
		if !slices.Contains([]string{StatusDone, StatusPartial, StatusAborted}, run.Status) {
			continue
		}
		for id, move := range movesOf(run) {
			if known, found := moves[id]; !found || move.seen.After(known.seen) {
				moves[id] = move
			}
		}
	}
	return moves
}

// movesOf returns what one run did with each storage domain, by id; nothing when it reached no import.
func movesOf(info *engine.RunInfo) map[string]lastMove {
	moves := map[string]lastMove{}
	released := map[string]time.Time{}
	imported := false
	for _, record := range info.Records {
		if record.Note == stdlib.NoteReleased && record.Subject != nil {
			var data stdlib.Released
			if json.Unmarshal(record.Data, &data) == nil {
				released[record.Subject.ID] = data.At
			}
		}
		if record.Mark == nil || record.Mark.Subject.Kind != ovirt.KindStorageDomain || record.Mark.Subject.Site != info.Head.Target {
			continue
		}
		id := record.Mark.Subject.ID
		switch record.Mark.State {
		case stdlib.StateImported, stdlib.StateActive:
			imported = true
			left := record.Time
			if earlier, known := moves[id]; known && earlier.site == info.Head.Target {
				left = earlier.left
			}
			moves[id] = lastMove{run: info.ID, site: info.Head.Target, seen: record.Time, left: left}
		case stdlib.StateQuarantined:
			moves[id] = lastMove{run: info.ID, site: info.Head.Source, seen: record.Time, left: info.Ended}
		}
	}
	if !imported {
		return nil
	}
	for id, move := range moves {
		if at := released[id]; !at.IsZero() && move.site == info.Head.Target {
			move.left = at
			moves[id] = move
		}
	}
	return moves
}

// recallMoves puts into the facts what the state folder knows of earlier moves: what they took from VMs and did not give back, which storage domains came to the target and have not
// left it since, and when the VMs of the others had left it. Where nothing is known, that is when the first of them started at the source.
func (a *attempt) recallMoves(facts *stdlib.Facts, survey *plans.Survey) error {
	runs, err := a.endedRuns()
	if err != nil {
		return err
	}
	if err := a.inherit(facts, runs); err != nil {
		return err
	}
	moves := lastMoves(runs)
	for i := range facts.Domains {
		domain := &facts.Domains[i]
		move, known := moves[domain.ID]
		switch {
		case !known:
			domain.Unrecorded = true
		case move.site == facts.Target:
			domain.CameBy = move.run
		case move.left.After(facts.MovedAt):
			facts.MovedAt = move.left
		}
	}
	if facts.MovedAt.IsZero() {
		facts.MovedAt = survey.FirstStart()
	}
	if facts.Planned {
		survey.FindArrived(facts)
	}
	return nil
}

// takeStaleConfirmation journals the word of a person that what the target still has is stale, and gives it to the session. It counts
// for this attempt.
func (a *attempt) takeStaleConfirmation(s *stdlib.Session) error {
	if a.ConfirmStale == "" {
		return nil
	}
	confirmed, err := stdlib.ParseConfirmation(a.ConfirmStale, a.Env.Clock.Now())
	if err != nil {
		return invalid("confirm-stale", "--confirm-stale 'YOUR NAME: HOW YOU KNOW'", err)
	}
	if err := a.run.NoteSynced("confirm_stale", engine.Subject{Kind: "run", ID: a.run.ID()}, confirmed); err != nil {
		return err
	}
	s.ConfirmStale = confirmed
	return nil
}
