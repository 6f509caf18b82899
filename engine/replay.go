package engine

import "encoding/json"

// Replay gives fn what the records of a run tell, as the events that its observers saw, in order, each with its record. Of a
// record that causes no event only the record is given, with a zero Kind.
func (i RunInfo) Replay(fn func(Record, Event)) {
	r := Run{board: map[string]*Status{}}
	titles := map[string]Event{} // of steps, by key
	for k := range i.Records {
		rec := i.Records[k]
		e := Event{}
		switch rec.Kind {
		case kindNote, kindConfirm:
			e = noteEvent(rec)
		case kindMark:
			status, _ := r.merge(*rec.Mark)
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
			titles[rec.Step.Key] = e
			e.Text += ": runs"
		case kindResult:
			e = titles[rec.Result.Key]
			e.Kind = kindStep
			switch {
			case rec.Result.OK:
				e.Text += ": done"
			default:
				e.Level, e.Text = "error", e.Text+": "+rec.Result.Error
			}
		case kindStop:
			e = Event{Kind: kindStop, Level: "error", Text: "stopping: " + rec.Reason, Subject: Subject{Kind: "run", ID: i.ID}}
		}
		e.Time = rec.Time
		fn(rec, e)
	}
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
