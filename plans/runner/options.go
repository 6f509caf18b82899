package runner

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"

	"drrun/engine"
	"drrun/plans"
)

// Options says what to run and how this process reaches the world.
type Options struct {
	Env      engine.Env
	PlanFile string
	Action   string // failover, failback, clean, or the name of an action of the plan's own
	// Planned makes the source take part: its VMs are shut down there and its storage is released before the target takes over.
	Planned bool
	// Quarantine lets a planned action leave VMs at the source that nobody can shut down, with what shares their storage domains.
	Quarantine bool
	// Backwards makes a console lead from the secondary to the primary.
	Backwards bool
	// Site is the site that the action clean cleans, or where an action of the plan's own works; "" for one of those is the site that has
	// the plan's VMs, by what both engines say.
	Site string
	// AcceptLoss is 'NAME: REASON', a person's word that data which the copy may lack is given up; "" for none.
	AcceptLoss string
	// ConfirmStale is 'NAME: REASON', a person's word that what the target still has of the plan is stale; "" for none. It is needed
	// where the state folder knows of no move that took the VMs away from there.
	ConfirmStale string
	StateDir     string
	// Mirror is a folder that keeps a second copy of the run, laid out as a state folder; "" keeps none, or, in a resume, that of the
	// attempt before, where this is the machine that made it.
	Mirror string
	// FromMirror makes Resume, Rollback and Abort take the run over from a mirror, which stays its mirror.
	FromMirror string
	// Near tells whether this machine is on the network of a host, by its name or address; nil: it is not known.
	Near func(ctx context.Context, host string) bool
	// Signer seals the run's journal and reports whenever an attempt ends; nil seals nothing.
	Signer ed25519.PrivateKey
	// Warnings are what the caller found and the report is to say.
	Warnings []string
	// StateArgument is what an operator has to put behind commands about the run, " --state DIR"; "" where they look in StateDir by themselves.
	StateArgument string
	// LeaveAsIs lets Abort close a run that could be undone.
	LeaveAsIs bool
	LibDirs   []string
	Params    map[string]any // over the plan's own
	// ParamsFile is the JSON text of a file of parameters, ParamOverrides are NAME=VALUE: both are laid over the plan's own, whose
	// types the overrides take. A resumed run has those that it began with, unless they come with NewText.
	ParamsFile     []byte
	ParamOverrides []string
	// NewText makes Resume go on with the plan as it is on the disk now, in PlanFile or where that is "" in the run's own plan file. What
	// that means is shown first, and a person accepts it (stdlib.QuestionResumePlan). ParamsFile and ParamOverrides go with it only.
	NewText bool
	// PreviewOnly makes Resume tell what it would do, and end before anything is done: nothing is written and no engine is asked.
	PreviewOnly bool
	// OnPreview shows what a resume will do before it does it, where NewText or PreviewOnly is set; may be nil.
	OnPreview func(*Preview)
	// Redo are keys of durable steps that Resume repeats whatever is recorded.
	Redo []string
	// DryRun makes Start change nothing: the result lists the engine calls that it would make, and how the evidence stands.
	DryRun bool
	// ConfirmSourceDown is 'NAME: REASON', a person's word for this attempt; "" for none.
	ConfirmSourceDown string
	// BreakLock lets the run replace locks of another run in the engines, once the asker has named that run (question "break_lock").
	BreakLock bool
	Asker     engine.Asker
	// CanAnswer tells whether the asker has, or can get, an answer to a question of that name.
	CanAnswer func(name string) bool
	// PreparedAnswer returns the answer that was given beforehand to a question of that name; nil for none.
	PreparedAnswer func(name string) (answer string, known bool)
	// UnusedAnswers names the questions to which there was an answer that was not asked for; nil for none.
	UnusedAnswers func() []string
	// WaitForAnswers makes a run without a terminal wait until another process answers its questions.
	WaitForAnswers bool
	// OnFailure asks a person what to do when an attempt stopped with an error of the work; nil asks nobody. OnEdit is told what
	// was found in a file that was saved while an edit is waited for; it may be nil.
	OnFailure func(ctx context.Context, f Failure) Decision
	OnEdit    func(Edit)
	Secrets   plans.SecretResolver
	// Transport returns the HTTP transport for a site; nil means the client's own.
	Transport func(site string) http.RoundTripper
	// Speed is by how much model time is faster than the wall; anything but 1 is refused against an engine that is not the lab.
	Speed    float64
	Observe  func(engine.Event)             // progress; may be nil
	Findings func([]plans.Finding)          // what the check found, before anything starts; may be nil
	Began    func(run string, total Totals) // the run exists; may be nil
	Version  string
	Host     string
	User     string
}

// Totals says how much a run has before it, and what earlier attempts have reached of it.
type Totals struct {
	StorageDomains, VMs int
	Own                 bool            // an action of the plan's own: its target is the site that has the VMs
	Board               []engine.Status // of the target's objects
}

// runOptions are what an action was begun with and a resumed run must know again.
type runOptions struct {
	Planned    bool   `json:"planned,omitempty"`
	Quarantine bool   `json:"quarantine,omitempty"`
	Site       string `json:"site,omitempty"`
}

func (a *attempt) restoreOptions(head engine.Head) error {
	var begun runOptions
	if len(head.Options) > 0 {
		if err := json.Unmarshal(head.Options, &begun); err != nil {
			return refuse("journal", "", fmt.Errorf("read how the run was begun: %w", err))
		}
	}
	a.Planned, a.Quarantine, a.Site = begun.Planned, begun.Quarantine, begun.Site
	return nil
}
