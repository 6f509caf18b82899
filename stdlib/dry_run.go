package stdlib

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"drrun/engine"
	"drrun/ovirt"
)

// PlannedCall is one changing engine call that a dry run would make.
type PlannedCall struct {
	Op    string `json:"op"`   // as the journal of a real run names it: vm.start
	Text  string `json:"text"` // "start vm1"
	Kind  string `json:"kind"`
	ID    string `json:"id"`
	Name  string `json:"name"`
	Site  string `json:"site"`
	Stage string `json:"stage"`
}

// DryRun collects what a run would change. Every primitive reads as in a real run, and where that would change something it adds
// the call here instead. No hook, step or prompt is run: what they would have answered is assumed.
type DryRun struct {
	order   map[string]int // place of each object in the facts, by id
	planned bool

	mu      sync.Mutex
	stage   string
	calls   []PlannedCall
	assumed []string
	// What the calls so far would have made of the objects, by site and id: later primitives go by that.
	domains map[string]dryDomain
	vms     map[string][]func(*ovirt.VM)
	gone    map[string]bool // VMs and templates that would have left an engine with their storage domain
}

// dryDomain is a storage domain as the calls so far would have made it; an empty status is one that the engine does not know.
type dryDomain struct{ status, dataCenterID string }

// NewDryRun makes the record of a dry run.
func NewDryRun(facts *Facts) *DryRun {
	d := &DryRun{planned: facts.Planned, order: map[string]int{}, domains: map[string]dryDomain{}, vms: map[string][]func(*ovirt.VM){}, gone: map[string]bool{}}
	for i, domain := range facts.Domains {
		d.order[domain.ID] = i
	}
	for i, vm := range facts.VMs {
		d.order[vm.ID] = i
	}
	return d
}

// Calls returns the calls in the order in which they would be made; calls of one kind that a stage makes at the same time are in the
// order of the plan.
func (d *DryRun) Calls() []PlannedCall {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := append([]PlannedCall{}, d.calls...)
	for start := 0; start < len(calls); {
		end := start + 1
		for end < len(calls) && calls[end].Stage == calls[start].Stage && calls[end].Stage != "" && calls[end].Op == calls[start].Op {
			end++
		}
		slices.SortStableFunc(calls[start:end], func(a, b PlannedCall) int { return cmp.Compare(d.order[a.ID], d.order[b.ID]) })
		start = end
	}
	return calls
}

// Assumed returns what was not run, in words: hooks, steps and prompts.
func (d *DryRun) Assumed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string{}, d.assumed...)
}

func (d *DryRun) add(op, text string, subject engine.Subject) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, PlannedCall{Op: op, Text: text, Kind: subject.Kind, ID: subject.ID, Name: subject.Name, Site: subject.Site, Stage: d.stage})
}

func (d *DryRun) assume(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.assumed = append(d.assumed, fmt.Sprintf(format, args...))
}

// changeDomain remembers what a call would make of a domain. One that leaves takes the VMs and templates of the run with it.
func (d *DryRun) changeDomain(ref *domainRef, status string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := dryDomain{status: status}
	if status != "" && status != "unattached" {
		changed.dataCenterID = ref.homeDataCenter("")
	}
	d.domains[ref.site.Name+"/"+ref.fact.ID] = changed
	if status != "" {
		return
	}
	for i := range ref.site.session.Facts.VMs {
		d.gone[ref.site.Name+"/"+ref.site.session.Facts.VMs[i].ID] = true
	}
	for _, template := range ref.site.session.Facts.Templates {
		d.gone[ref.site.Name+"/"+template.ID] = true
	}
}

func (d *DryRun) domain(ref *domainRef) (dryDomain, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed, known := d.domains[ref.site.Name+"/"+ref.fact.ID]
	return changed, known
}

// changeVM remembers what a call would make of a VM.
func (d *DryRun) changeVM(v *vmRef, change func(*ovirt.VM)) {
	if change == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := v.site.Name + "/" + v.fact.ID
	d.vms[key] = append(d.vms[key], change)
}

func (d *DryRun) applyVM(v *vmRef, vm *ovirt.VM) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, change := range d.vms[v.site.Name+"/"+v.fact.ID] {
		change(vm)
	}
}

// showAsPlanned shows VMs as the calls so far of a dry run would have left them, in an action of the plan's own: it stays on one site, and so
// what it reads is what it has changed.
func (site *Site) showAsPlanned(vms []ovirt.VM) {
	s := site.session
	if s.Dry == nil || !s.Facts.Own {
		return
	}
	for i := range vms {
		if fact, known := s.Facts.VM(vms[i].ID); known {
			s.Dry.applyVM(&vmRef{site: site, fact: fact}, &vms[i])
		}
	}
}

func (d *DryRun) hasGone(site *Site, id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gone[site.Name+"/"+id]
}

func (d *DryRun) enter(stage string) {
	d.mu.Lock()
	d.stage = stage
	d.mu.Unlock()
}

// answer is what a dry run takes for a prompt's answer.
func (d *DryRun) answer(question engine.Question) string {
	answer := question.Default
	switch {
	case answer != "":
	case len(question.Choices) > 0:
		answer = question.Choices[0]
	default:
		asOf := "as_of=unknown"
		if d.planned {
			asOf = InSync
		}
		answer = strings.Join(append(question.Fields, asOf), ",")
	}
	d.assume("the prompt %s is answered %s", question.Name, answer)
	return answer
}

// wouldImport adds the import of a storage domain that the engine does not know.
func (site *Site) wouldImport(ctx context.Context, domain *FactDomain) error {
	status, err := (&domainRef{site: site, fact: domain}).status(ctx)
	if err == nil && status == "" {
		site.session.Dry.add(ovirt.OpImportDomain, "import storage domain "+domain.Name, site.domainSubject(domain))
	}
	return err
}

// wouldAttach adds the attach of a storage domain that is in no data center, or its activation.
func (d *domainRef) wouldAttach(ctx context.Context) error {
	status, err := d.status(ctx)
	if err != nil {
		return err
	}
	switch status {
	case "", "unattached":
		d.site.session.Dry.add(ovirt.OpAttachDomain, "attach storage domain "+d.fact.Name, d.subject())
	case "maintenance", "inactive":
		d.site.session.Dry.add(ovirt.OpActivateDomain, "activate storage domain "+d.fact.Name, d.subject())
	}
	return nil
}

// wouldHold lists what the domain will offer for registration when it is attached: by the facts, since no OVF store can be read yet.
func (d *domainRef) wouldHold(ctx context.Context) (vms []*FactVM, templates []ovirt.Template, err error) {
	facts := d.site.session.Facts
	there, err := d.site.Engine.VMs(ctx, ovirt.VMQuery{})
	if err != nil {
		return nil, nil, err
	}
	known, err := d.site.Engine.Templates(ctx)
	if err != nil {
		return nil, nil, err
	}
	registered := map[string]bool{}
	for _, vm := range there {
		registered[vm.ID] = !d.site.session.Dry.hasGone(d.site, vm.ID)
	}
	for _, template := range known {
		registered[template.ID] = !d.site.session.Dry.hasGone(d.site, template.ID)
	}
	for i := range facts.VMs {
		vm := &facts.VMs[i]
		if !registered[vm.ID] && (len(vm.Domains) == 0 || vm.Domains[0] == d.fact.ID) {
			vms = append(vms, vm)
		}
	}
	// Which domain holds a template is known only from its OVF store; it is listed once, with the first domain.
	for _, template := range facts.Templates {
		if !registered[template.ID] && d.fact.ID == facts.Domains[0].ID {
			templates = append(templates, ovirt.Template{ID: template.ID, Name: template.Name})
		}
	}
	return vms, templates, nil
}

// wouldRegister adds the registration of a VM. It came from a list of those that are not registered, or the engine is asked.
func (v *vmRef) wouldRegister(ctx context.Context) error {
	if v.storageDomainID == "" {
		vm, err := v.read(ctx)
		if err != nil || vm != nil {
			return err
		}
	}
	v.site.session.Dry.add(ovirt.OpRegisterVM, "register "+v.fact.Name, v.subject())
	return nil
}

// wouldStart adds the start of a VM that is down or not there yet.
func (v *vmRef) wouldStart(ctx context.Context) error {
	vm, err := v.read(ctx)
	if err != nil {
		return err
	}
	if vm == nil || vm.Status == "down" {
		v.site.session.Dry.add(ovirt.OpStartVM, "start "+v.fact.Name, v.subject())
	}
	return nil
}
