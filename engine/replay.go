package engine

import "encoding/json"

// Replay gives fn what the records of a run tell, as the events that its observers saw, in order, each with its record. Of a
// record that causes no event only the record is given, with a zero Kind.
func (i RunInfo) Replay(fn func(Record, Event)) {
	r := NewReplayer(i.ID)
	for k := range i.Records {
		fn(i.Records[k], r.Event(i.Records[k]))
	}
}

// Replayer turns the records of a run, given to it in order, into the events that its observers saw.
type Replayer struct {
	run    string
	board  *Run             // for its board only
	titles map[string]Event // of steps, by key
}

// NewReplayer begins with the first record of a run.
func NewReplayer(run string) *Replayer {
	return &Replayer{run: run, board: &Run{board: map[string]*Status{}}, titles: map[string]Event{}}
}

// Event is what observers saw of the next record; its Kind is empty where that is nothing.
func (r *Replayer) Event(rec Record) Event {
	e := Event{}
	switch rec.Kind {
	case kindNote, kindConfirm:
		e = noteEvent(rec)
	case kindMark:
		status, _ := r.board.merge(*rec.Mark)
		e = Event{Kind: kindMark, Text: status.State, Subject: status.Subject, Data: status}
		if rec.Mark.Error != "" && rec.Mark.Error != None {
			e.Level = "error"
		}
	case kindStep:
		title := rec.Step.Title
		if title == "" {
			title = rec.Step.Key
		}
		e = Event{Kind: kindStep, Task: rec.Step.Task, Text: title}
		if rec.Step.Subject != nil {
			e.Subject = *rec.Step.Subject
		}
		r.titles[rec.Step.Key] = e
		e.Text += ": runs"
	case kindResult:
		e = r.titles[rec.Result.Key]
		e.Kind = kindStep
		switch {
		case rec.Result.OK:
			e.Text += ": done"
		default:
			e.Level, e.Text = "error", e.Text+": "+rec.Result.Error
		}
	case kindStop:
		e = Event{Kind: kindStop, Level: "error", Text: "stopping: " + rec.Reason, Subject: Subject{Kind: "run", ID: r.run}}
	}
	e.Time = rec.Time
	return e
}

// noteEvent is the event of a note.
func noteEvent(rec Record) Event {
	e := Event{Kind: rec.Note}
	if rec.Subject != nil {
		e.Subject = *rec.Subject
	}
	if rec.Data != nil {
		e.Data = rec.Data
		var said struct{ Text, Level string }
		if json.Unmarshal(rec.Data, &said) == nil {
			e.Text, e.Level = said.Text, said.Level
		}
	}
	return e
}
