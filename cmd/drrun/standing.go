package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"drrun/engine"
	"drrun/plans/report"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// standing is where a run stands now, by its journal alone. Its exported fields are extra.standing of drrun status RUN --json.
type standing struct {
	Run      string    `json:"run"`
	Action   string    `json:"action"`
	Plan     string    `json:"plan"`
	PlanFile string    `json:"plan_file"`
	Source   string    `json:"source"`
	Target   string    `json:"target"`
	Planned  bool      `json:"planned,omitempty"`
	Attempt  int       `json:"attempt"`
	Began    time.Time `json:"began"` // of the attempt
	By       string    `json:"by"`    // who began the attempt
	Running  bool      `json:"running"`
	Holder   string    `json:"holder,omitempty"` // what the process that works on it says about itself
	Status   string    `json:"status,omitempty"` // how the attempt ended; "" while it has not
	Exit     *int      `json:"exit,omitempty"`
	Ended    time.Time `json:"ended,omitzero"`
	Now      time.Time `json:"now"`
	Elapsed  float64   `json:"elapsed_seconds"` // of the attempt, in model time

	Stage      string                `json:"stage,omitempty"`
	StageSince time.Time             `json:"stage_since,omitzero"`
	Domains    stateCounts           `json:"storage_domains"`
	Ranks      []rankStanding        `json:"ranks"`
	Waiting    []objectStanding      `json:"waiting"`  // VMs that are up, and what they do not meet yet of their boot condition
	Troubled   []objectStanding      `json:"troubled"` // what is not as it should be
	Evidence   *stdlib.Verdict       `json:"evidence,omitempty"`
	Last       string                `json:"last,omitempty"` // what happened last that a person would want to know of
	LastAt     time.Time             `json:"last_at,omitzero"`
	Activity   time.Time             `json:"activity"` // time of the last record
	Errors     int                   `json:"errors"`   // of this attempt
	Warnings   int                   `json:"warnings"`
	Reason     *report.Failure       `json:"reason,omitempty"` // why the attempt ended otherwise than done
	Verdicts   []string              `json:"verdicts,omitempty"`
	LastError  string                `json:"last_error,omitempty"`
	Questions  []engine.OpenQuestion `json:"questions"`
	Broken     string                `json:"broken,omitempty"` // why the journal cannot be read on
	Next       string                `json:"next"`

	facts  *stdlib.Facts
	states map[string]engine.Status // by id
	waits  map[string]string        // what VMs do not meet yet of their boot condition, by id
	learnt runner.Outlook
	ending report.Ending // of the attempt
	trust  report.Reliance
	left   string // the site that the run leaves: the source, or where it is undone the target
	words  *progress
	replay *engine.Replayer
}

// stateCounts says how many objects there are in all and in each state.
type stateCounts struct {
	All    int            `json:"all"`
	States map[string]int `json:"states"`
}

type rankStanding struct {
	Rank int `json:"rank"`
	stateCounts
}

type objectStanding struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Why   string `json:"why,omitempty"`
}

func newStanding(run string) *standing {
	return &standing{Run: run, states: map[string]engine.Status{}, waits: map[string]string{}, words: newWords(), replay: engine.NewReplayer(run), Questions: []engine.OpenQuestion{}}
}

// observe takes the next record up, and returns what a person would be told of it, "" for nothing.
func (s *standing) observe(rec engine.Record) string {
	e := s.replay.Event(rec)
	s.Activity = rec.Time
	s.learnt.Learn(&rec)
	s.trust.Learn(&rec)
	switch rec.Kind {
	case "head":
		s.Action, s.Plan, s.PlanFile, s.Source, s.Target = rec.Head.Action, rec.Head.Plan, rec.Head.PlanFile, rec.Head.Source, rec.Head.Target
		s.left = s.Source
		return ""
	case "facts":
		facts := &stdlib.Facts{}
		if json.Unmarshal(rec.Data, facts) == nil {
			s.facts, s.Planned, s.words.totals.Own = facts, facts.Planned, facts.Own
		}
		return ""
	case "attempt":
		s.Attempt, s.Began, s.By, s.words = rec.Attempt, rec.Time, report.Person(rec.User, rec.Host), newWords()
		s.Status, s.Exit, s.Ended, s.Stage, s.Errors, s.Warnings, s.LastError, s.Evidence = "", nil, time.Time{}, "", 0, 0, "", nil
		s.words.totals.Own = s.facts != nil && s.facts.Own
		s.ending = report.Ending{}
		clear(s.waits)
		return s.tell(rec.Time, fmt.Sprintf("attempt %d by %s", s.Attempt, s.By))
	case "end":
		s.Status, s.Exit, s.Ended = rec.Status, rec.Exit, rec.Time
		return s.tell(rec.Time, outcomeWords(rec.Status, *rec.Exit))
	}
	switch e.Kind {
	case "rollback":
		s.left = s.Target
	case report.EndingNote:
		s.ending, _ = report.EndingOf(&rec)
		return ""
	case "stage":
		s.Stage, s.StageSince = e.Text, rec.Time
	case "evidence":
		var verdict stdlib.Verdict
		if decode(e.Data, &verdict) {
			s.Evidence = &verdict
		}
	case stdlib.WaitNote:
		s.waits[e.Subject.ID] = e.Text
	case "boot_condition":
		delete(s.waits, e.Subject.ID)
	case "mark":
		var status engine.Status
		if decode(e.Data, &status) {
			s.states[status.Subject.ID] = status
			delete(s.waits, status.Subject.ID)
		}
	}
	text := eventWords(s.words, e)
	switch {
	case e.Level == "error":
		s.Errors++
		s.LastError = strings.TrimPrefix(oneLine(cmp.Or(text, e.Text)), "error: ")
	case e.Level == "warn" || e.Kind == "warning":
		s.Warnings++
	}
	return s.tell(rec.Time, text)
}

func (s *standing) tell(at time.Time, text string) string {
	if text != "" {
		s.Last, s.LastAt = oneLine(text), at
	}
	return text
}

// at completes what is told with the time and with what does not stand in the journal.
func (s *standing) at(now time.Time, running bool, holder string, open []engine.OpenQuestion, state string) {
	s.Now, s.Running, s.Holder = now, running, holder
	s.Questions = append([]engine.OpenQuestion{}, open...)
	end := now
	if !s.Ended.IsZero() {
		end = s.Ended
	} else if !running {
		end = s.Activity
	}
	s.Elapsed = max(end.Sub(s.Began), 0).Seconds()
	s.count()
	s.Reason, s.Verdicts = s.ending.Failure, s.ending.Verdicts
	if by := s.trust.By(); s.Exit == nil && by != "" { // else the attempt has said it
		s.Verdicts = []string{stdlib.NotIsolatedVerdict(s.left, by, s.trust.AnswersAgain())}
	}
	outlook := s.learnt
	outlook.Run, outlook.PlanFile, outlook.Status, outlook.Held, outlook.Damaged = s.Run, s.PlanFile, s.Status, running, s.Broken != ""
	outlook.Unfinished = engine.RunInfo{Ended: s.Ended, Status: s.Status}.Unfinished()
	s.Next = outlookText(outlook, open, state, now)
}

// count counts the objects of the facts by their states.
func (s *standing) count() {
	s.Domains, s.Ranks, s.Troubled, s.Waiting = stateCounts{States: map[string]int{}}, []rankStanding{}, []objectStanding{}, []objectStanding{}
	if s.facts == nil {
		return
	}
	trouble := func(name string, status engine.Status) {
		bad := slices.Contains([]string{stdlib.StateFailed, stdlib.StateMissing, stdlib.StateUnverified, stdlib.StateQuarantined}, status.State)
		if bad || status.Error != "" {
			s.Troubled = append(s.Troubled, objectStanding{Name: name, State: status.State, Why: oneLine(cmp.Or(status.Error, status.Detail))})
		}
	}
	for _, domain := range s.facts.Domains {
		status := s.states[domain.ID]
		s.Domains.add(status)
		trouble("storage domain "+domain.Name, status)
	}
	byRank := map[int]*stateCounts{}
	for _, vm := range s.facts.VMs {
		if byRank[vm.Rank] == nil {
			byRank[vm.Rank] = &stateCounts{States: map[string]int{}}
		}
		byRank[vm.Rank].add(s.states[vm.ID])
		trouble(vm.Name, s.states[vm.ID])
		if why := s.waits[vm.ID]; why != "" && s.Exit == nil {
			s.Waiting = append(s.Waiting, objectStanding{Name: vm.Name, State: s.states[vm.ID].State, Why: oneLine(why)})
		}
	}
	for _, rank := range slices.Sorted(maps.Keys(byRank)) {
		s.Ranks = append(s.Ranks, rankStanding{Rank: rank, stateCounts: *byRank[rank]})
	}
}

func (c *stateCounts) add(status engine.Status) {
	c.All++
	c.States[cmp.Or(status.State, stdlib.StatePending)]++
}

// shownObjects is how many objects of a list are named.
const shownObjects = 10

// text is where the run stands, for people.
func (s *standing) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s: %s of %s, %s to %s\n", s.Run, s.Action, s.Plan, s.Source, s.Target)
	elapsed := span(time.Duration(s.Elapsed * float64(time.Second)))
	switch {
	case s.Broken != "":
		fmt.Fprintf(&b, "  DAMAGED: %s\n  below stands what the journal holds before that place\n", s.Broken)
	case s.Running:
		fmt.Fprintf(&b, "  attempt %d runs since %s, held by %s\n", s.Attempt, elapsed, cmp.Or(s.Holder, "a drrun"))
	case s.Exit == nil:
		fmt.Fprintf(&b, "  attempt %d was cut off after %s: it has no end, and nobody works on it\n", s.Attempt, elapsed)
	default:
		fmt.Fprintf(&b, "  attempt %d: %s, %s, %s ago\n", s.Attempt, endedWords(s.Status, *s.Exit, s.ending), elapsed, s.ago(s.Ended))
	}
	if why := reasonText(s.ending); why != "" && s.Exit != nil {
		b.WriteString("  " + strings.ReplaceAll(why, "\n", "\n  ") + "\n")
	}
	if s.Stage != "" && s.Exit == nil {
		fmt.Fprintf(&b, "  stage: %s, since %s\n", s.Stage, s.ago(s.StageSince))
	}
	if v := s.Evidence; v != nil && s.Exit == nil {
		ground := "none: "
		if v.Holds {
			ground = v.Ground + ", "
		}
		fmt.Fprintf(&b, "  evidence: %s%s ago: %s\n", ground, s.ago(v.At), oneLine(v.Why))
	}
	if s.Last != "" && s.Exit == nil {
		fmt.Fprintf(&b, "  last: %s ago: %s\n", s.ago(s.LastAt), s.Last)
	}
	if s.Errors+s.Warnings > 0 {
		text := fmt.Sprintf("  so far: %s, %s", report.Count(s.Errors, "error"), report.Count(s.Warnings, "warning"))
		if s.LastError != "" {
			text += "; the last error: " + s.LastError
		}
		b.WriteString(text + "\n")
	}
	s.tables(&b)
	if len(s.Verdicts) > 0 {
		b.WriteString("\n" + strings.Join(s.Verdicts, "\n") + "\n")
	}
	b.WriteString("\n" + s.Next)
	return b.String()
}

func (s *standing) ago(at time.Time) string { return span(max(s.Now.Sub(at), 0)) }

func (s *standing) tables(b *strings.Builder) {
	if s.facts == nil {
		b.WriteString("\nit has no facts yet: nothing was changed\n")
		return
	}
	heading := []string{}
	for _, state := range stdlib.States {
		heading = append(heading, strings.ToUpper(strings.ReplaceAll(state, "_", " ")))
	}
	row := func(counts stateCounts, first ...string) []string {
		for _, state := range stdlib.States {
			cell := ""
			if n := counts.States[state]; n > 0 {
				cell = strconv.Itoa(n)
			}
			first = append(first, cell)
		}
		return first
	}
	b.WriteByte('\n')
	writeTable(b, "", [][]string{append([]string{"STORAGE DOMAINS"}, heading...), row(s.Domains, strconv.Itoa(s.Domains.All))})
	rows := [][]string{append([]string{"RANK", "VMS"}, heading...)}
	for _, rank := range s.Ranks {
		rows = append(rows, row(rank.stateCounts, strconv.Itoa(rank.Rank), strconv.Itoa(rank.All)))
	}
	b.WriteByte('\n')
	writeTable(b, "", rows)
	s.list(b, s.Waiting, "%s is %s, and not yet as its boot condition wants it: %s\n")
	s.list(b, s.Troubled, "%s is %s: %s\n")
}

// list names objects, up to a number of them.
func (s *standing) list(b *strings.Builder, objects []objectStanding, format string) {
	for i, object := range objects {
		if i == shownObjects {
			fmt.Fprintf(b, "  and %d more: drrun show %s\n", len(objects)-i, s.Run)
			return
		}
		fmt.Fprintf(b, "  "+format, object.Name, object.State, cmp.Or(object.Why, "no reason is recorded"))
	}
}
