package stdlib

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
)

// Handler is one function that a plan or a library put on a hook point.
type Handler struct {
	Point   string
	Name    string // library name, or as=; part of the journal key
	Func    *lua.Function
	Timeout time.Duration  // 0 means DefaultHookTimeout
	OnCut   string         // "ask", "retry" or "" for the point's default
	OnError string         // "stop", "continue" or "" for stop
	Options map[string]any // of the library that brought it, given as the third argument; nil for the plan's own
	Groups  []string       // the consistency groups that it is for; none means all
}

// Session is one attempt of a run as its Lua code sees it: the two sites, the facts, the hooks and the rules
// that no plan can waive. plans/runner makes one; the ctx object and every site object lead back to it.
type Session struct {
	Env        engine.Env
	Run        *engine.Run
	Facts      *Facts
	Source     *Site // its engine may be silent
	Target     *Site
	Plan       *lua.Object
	Params     map[string]any
	Hooks      map[string][]Handler
	Conditions map[string]*Condition // boot condition by VM id, from the plan's text
	Gate       *Gate
	// AcceptLoss is a person's word that data which the copy may lack is given up; nil for none.
	AcceptLoss *Confirmation
	// ConfirmStale is a person's word that what the target still has is stale; nil for none.
	ConfirmStale *Confirmation
	Dry          *DryRun       // set in a dry run: nothing is changed, asked or called
	Locks        Locks         // of the run in the engines (invariant I4); nil means that there are none, as in a dry run
	Presence     Presence      // what shows the run in the engines; nil means that nothing does
	Tick         time.Duration // pause between two looks at a condition, model time
	// TargetPassword reveals what CHAP asks for at an iSCSI target of a site; nil where the plan has none.
	TargetPassword func(ctx context.Context, site string, target FactTarget) (string, error)

	ctx     *lua.Object
	classes classes

	mu      sync.Mutex
	settled map[string]bool // VMs that this attempt is done with, by id
	changed chan struct{}   // closed and replaced whenever settled grows
	ovfRan  map[string]string
	// failedBefore is why VMs failed in earlier attempts, by id.
	failedBefore map[string]string
	// released says of each storage domain of a planned move how the source let go of it, by id.
	released map[string]release
	marks    map[string]string           // VM with this run's mark in its comment, by storage domain, as this attempt has set it
	comments map[string]string           // in the OVF stores of the target, by storage domain and VM
	stale    sharedRead[struct{}]        // evidence that what the target still has is stale
	arrived  sharedRead[map[string]bool] // VMs that the target has, by id
	absent   map[string]bool             // VMs that the last whole list of the target lacked, by id

	probes  turnstile // of boot conditions that look at guests from outside
	permits map[permit]int
	// promotions holds how the copies of the consistency groups were judged in this attempt (invariant I6), by group.
	promotions map[string]promotion
	// listed is what the target's OVF stores showed in this attempt: status by VM id, by storage domain.
	listed       map[string]map[string]string
	proved       bool                        // the stores were compared with what the source wrote
	imports      int                         // imports under way
	loginsFailed map[string]map[string]error // why hosts could not log in, by host and target
	lunsSeen     lunView                     // what the hosts of the target saw before the imports
	lunsAbsent   map[string]bool             // LUNs of VMs that no host sees, by their id at the source
	abandoned    string                      // why nobody may wait for another task any more; "" while they may
	warnings     []string                    // said in this attempt, in order
	said         int                         // bytes that code of the plan has logged in this attempt
	verdicts     []verdict
	stops        map[string]bool // VMs that this attempt has been told to shut down, by id, in an action of the plan's own
	leftOut      map[string]bool // VMs and storage domains that the workflow does not see, by id
	skipped      []string        // hooks that failed and whose on_error is continue, in order
	hookFailures []HookFailure   // of this attempt, in order
}

// verdict is a sentence for the end of the result.
type verdict struct{ name, text string }

// Site is one of the two sites of a run.
type Site struct {
	Name      string // primary or secondary
	Engine    *ovirt.Site
	session   *Session
	hosts     sharedRead[hostsAndClusters]
	looseLUNs sharedRead[[]ovirt.Disk]
}

// classes are what Lua sees of the values of a session.
type classes struct{ ctx, site, domain, vm, template, host *lua.Class }

func newClasses() classes {
	return classes{ctx: contextClass(), site: siteClass(), domain: domainClass(), vm: vmClass(), template: templateClass(), host: hostClass()}
}

// maxProbes is how many boot conditions look at guests from outside at once: each takes a socket or a process of this machine.
const maxProbes = 64

// NewSession wires the parts of one attempt together. The caller sets the exported fields it still needs before Context is used.
func NewSession(env engine.Env, run *engine.Run, facts *Facts, source, target *ovirt.Site) *Session {
	s := &Session{
		Env: env, Run: run, Facts: facts, Tick: 3 * time.Second,
		Hooks: map[string][]Handler{}, Conditions: map[string]*Condition{},
		classes: newClasses(), settled: map[string]bool{}, changed: make(chan struct{}), ovfRan: map[string]string{},
		stops: map[string]bool{}, probes: turnstile{free: maxProbes}, permits: map[permit]int{}, promotions: map[string]promotion{}, listed: map[string]map[string]string{}, released: map[string]release{}, marks: map[string]string{}, comments: map[string]string{},
	}
	s.Source = &Site{Name: facts.Source, Engine: source, session: s}
	s.Target = &Site{Name: facts.Target, Engine: target, session: s}
	s.ctx = lua.NewObject(s.classes.ctx, &runContext{session: s})
	return s
}

// Warn says something that the operator should know, in the journal, the output and the result.
func (s *Session) Warn(subject engine.Subject, text string) {
	s.Run.Note("warning", subject, map[string]any{"text": text, "level": "warn"})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnings = append(s.warnings, text)
}

// Warnings returns what was warned of in this attempt, in order.
func (s *Session) Warnings() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.warnings)
}

// pronounce notes a verdict; a later one of the same name takes its place.
func (s *Session) pronounce(name, text string) {
	s.Run.Note("verdict", engine.Subject{}, map[string]any{"name": name, "text": text})
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.verdicts {
		if s.verdicts[i].name == name {
			s.verdicts[i].text = text
			return
		}
	}
	s.verdicts = append(s.verdicts, verdict{name, text})
}

// Verdicts returns the sentences that the workflow put into the result, in the order in which each was first said.
func (s *Session) Verdicts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	texts := make([]string, len(s.verdicts))
	for i, v := range s.verdicts {
		texts[i] = v.text
	}
	return texts
}

// Skip remembers something that was not done, or not right, so that the run cannot end as done.
func (s *Session) Skip(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = append(s.skipped, text)
}

// Skipped returns the hooks that failed in this attempt and were passed over, as their on_error says. They are not done.
func (s *Session) Skipped() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.skipped)
}

// site returns the site of that name ("primary", "secondary", "source" or "target").
func (s *Session) site(name string) (*Site, error) {
	switch name {
	case s.Source.Name, "source":
		return s.Source, nil
	case s.Target.Name, "target":
		return s.Target, nil
	}
	return nil, fmt.Errorf("no site %q: this run has %q and %q", name, s.Source.Name, s.Target.Name)
}

// vmSubject names a VM of the facts on the target.
func (s *Session) vmSubject(vm *FactVM) engine.Subject {
	return engine.Subject{Kind: "vm", Site: s.Target.Name, ID: vm.ID, Name: vm.Name}
}

func (s *Session) domainSubject(domain *FactDomain) engine.Subject {
	return engine.Subject{Kind: "storage_domain", Site: s.Target.Name, ID: domain.ID, Name: domain.Name}
}

// settle records that this attempt is done with a VM, however it ended, and wakes whoever waits for it.
func (s *Session) settle(vmID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settled[vmID] {
		return
	}
	s.settled[vmID] = true
	close(s.changed)
	s.changed = make(chan struct{})
}

// abandon ends the waiting for other tasks after a fault of ours: the task that was waited for may never say that it is done.
func (s *Session) abandon(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abandoned == "" {
		s.abandoned = why
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// awaitSettled waits until this attempt is done with every one of the VMs.
func (s *Session) awaitSettled(ctx context.Context, vmIDs []string) error {
	for {
		s.mu.Lock()
		open := false
		for _, id := range vmIDs {
			open = open || !s.settled[id]
		}
		wake, abandoned := s.changed, s.abandoned
		s.mu.Unlock()
		if !open {
			return nil
		}
		if abandoned != "" {
			return fmt.Errorf("%w: %s", engine.ErrStopping, abandoned)
		}
		if _, err := s.Env.Clock.Wait(ctx, -1, wake); err != nil {
			return err
		}
	}
}

// sawInOVFStore records the status in which the target's unregistered list shows a VM.
func (s *Session) sawInOVFStore(vmID, status string) {
	s.mu.Lock()
	s.ovfRan[vmID] = status
	s.mu.Unlock()
}

func (s *Session) ovfStatus(vmID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ovfRan[vmID]
}

// toStart decides whether a VM is started, from the facts and, only where those know nothing, from the OVF store.
// The OVF status is read before registration and journaled there, since a registered VM no longer shows it.
func (s *Session) toStart(vm *FactVM) (bool, string) {
	if s.Facts.Own && vm.Ran == "up" { // start = false is about the site that it is moved to: here it ran a moment ago
		return true, "it ran when the action began"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return vm.ToStart(s.ovfRan[vm.ID])
}

// sawList notes which VMs of the facts a whole list of the target lacks: registering those needs no look before.
func (s *Session) sawList(vms []ovirt.VM) {
	there := map[string]bool{}
	for _, vm := range vms {
		there[vm.ID] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.absent = map[string]bool{}
	for i := range s.Facts.VMs {
		s.absent[s.Facts.VMs[i].ID] = !there[s.Facts.VMs[i].ID]
	}
}

// knownAbsent reports, once, whether the last whole list lacked the VM.
func (s *Session) knownAbsent(vmID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	absent := s.absent[vmID]
	delete(s.absent, vmID)
	return absent
}

// RestoreOVFStatus gives back the OVF statuses that an earlier attempt journaled.
func (s *Session) RestoreOVFStatus(statuses map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, status := range statuses {
		s.ovfRan[id] = status
	}
}

// Classes returns what Lua sees of a run, for references and annotations: ctx, site, storage_domain, vm, template, host,
// boot_condition and json_constant.
func Classes() []*lua.Class {
	c := newClasses()
	return []*lua.Class{c.ctx, c.site, c.domain, c.vm, c.template, c.host, conditionClass, constantClass}
}

// SiteObject returns a site as Lua sees it, nil where the session has none of that name.
func (s *Session) SiteObject(name string) *lua.Object {
	site, err := s.site(name)
	if err != nil {
		return nil
	}
	return site.object()
}
