package report

import "time"

// Model is a report before it has a form. Times are UTC; a zero time is one that is not known, or never came.
type Model struct {
	Run, Plan, PlanFile, Action, Source, Target string

	Headline Headline
	Alerts   []Alert // verdicts that nobody may miss, the gravest first
	Failure  *Failure
	Damage   string // what is wrong with the journal; "" when it is whole
	Next     []Command
	Figures  []Figure
	Warnings []string

	Ranks     []Rank
	Decisions []Decision
	Looks     []Look
	Timeline  Timeline
	Attention []VM // that are not as the action wants them, those that went wrong first
	// MoreAttention is how many more of them there are.
	MoreAttention int
	Domains       []Domain
	Attempts      []Attempt
	Steps         []Step
	Requests      []Request
	Counters      []SiteCounters
	Findings      []Finding
	Log           []Line
	Params        string // JSON
	Options       string // JSON, "" where none were given
	Texts         []Text
	Journal       Journal
}

// Tone says how a part of the report is to be felt; it is always said in words, too.
type Tone string

// The tones.
const (
	Good    Tone = "good"
	Warn    Tone = "warn"
	Bad     Tone = "bad"
	Neutral Tone = "neutral"
)

// Headline is the verdict about the run.
type Headline struct {
	Tone     Tone
	Badge    string // one or two words
	Sentence string
	Detail   string // how things stand, in one sentence; may be ""
}

// Alert is a verdict of the run.
type Alert struct {
	Tone Tone
	Text string
}

// Figure is one of the numbers at the top.
type Figure struct {
	Name, Value, Note string
	Tone              Tone
}

// Rank is how the VMs of one rank came up.
type Rank struct {
	Number               int
	VMs                  []VM
	Wanted, Up           int       // VMs that were to come up, and those that are
	Started, Ran, Proved time.Time // first start requested, last VM up, last boot condition met; Proved only when all wanted VMs are up
	Took                 string    // from the beginning of the run to Proved
}

// VM is the fate of one VM.
type VM struct {
	ID, Name    string
	Rank        int
	Required    bool
	State       string // one of stdlib.States
	Tone        Tone
	Started, Up time.Time
	Condition   string    // its boot condition
	Proved      time.Time // when the condition was seen to hold
	Proof       string    // what was seen
	Grounds     string    // evidence on which it was started
	Reason      string    // error, or why it is in that state
}

// Domain is the fate of one storage domain.
type Domain struct {
	ID, Name, Type, Group, From, To string
	State                           string
	Tone                            Tone
	Released, Imported, Active      time.Time
	AsOf                            string // of its group's copy
	Reason                          string
}

// Attempt is one process that worked on the run.
type Attempt struct {
	Number              int
	Began, Ended        time.Time // Ended is the last record where it has no end
	Version, Host, User string
	Outcome             string
	Exit                string
	Cut, Running        bool
	Rollback            bool   // it was to undo the run
	Reason              string // why it ended otherwise than done; "" where it did not, or could not tell
	Took                string
}

// Decision is what a person said, and the run went by.
type Decision struct {
	At                    time.Time
	Who, What, Words, How string
}

// Look is what looks at the source proved, one after the other with the same verdict in one attempt: evidence outlives none.
type Look struct {
	Attempt     int
	First, Last time.Time
	Count       int
	Holds       bool
	Ground, Why string
	Answers     bool
	By          string // whose word it rests on, "" for none
}

// Step is a change outside the engines, or a question.
type Step struct {
	Began, Ended                         time.Time
	Title, Subject, Key, Outcome, Result string
	Again                                string // why it ran once more
	Took                                 string
	Tone                                 Tone
}

// Request is a changing request to an engine.
type Request struct {
	Number               int64 // of its record
	At                   time.Time
	Took                 string
	Site, Op, Object, ID string // ID is the correlation id
	Call                 string // method and path; "" where there are too many to tell
	Outcome              string
	Tone                 Tone
	Beside               bool // changes no object of the plan: a lock, an event, a look
}

// SiteCounters are the requests that the last attempt sent to a site.
type SiteCounters struct {
	Site string
	Counters
}

// Line is something that was said during the run.
type Line struct {
	At   time.Time
	Kind string
	Text string
}

// Journal identifies the journal that the report was made from.
type Journal struct {
	Records  int
	LastHash string
	Last     time.Time // of the last record
	Schema   string
}
