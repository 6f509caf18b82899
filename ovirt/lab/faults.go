package lab

import (
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// Kinds of faults that are not about one HTTP request. Subject says whom they meet, by id or name.
const (
	FaultVMBoot       = "vm-boot"        // the VM's start is accepted, then it goes back to down with event 119
	FaultActivation   = "activation"     // attach answers 201 and leaves the domain in maintenance, with event 967
	FaultOVFRead      = "ovf-unreadable" // attach finds no readable OVF store: no unregistered entities, event 1017
	FaultRegisterLost = "register-lost"  // register answers 200 and the VM is taken out again in the background
	FaultListing      = "listing"        // the host fails to list an export: 400, and the connection stays behind; Subject: ADDRESS:PATH
	FaultDeactivate   = "deactivate"     // deactivate answers 200 and the domain falls back to its old status, event 969
	FaultShutdown     = "vm-shutdown"    // the guest ignores a shutdown request: powering_down, then up again, with event 147
	FaultHostDown     = "host-down"      // the host Subject loses its power at once, until Heal: its BMC says off
	FaultHostIsolated = "host-isolated"  // the engine hears nothing of the host Subject until Heal; its VMs run on, its BMC says on
	FaultHostBMC      = "host-bmc"       // the BMC of the host Subject does not answer until Heal
	FaultHostBlind    = "host-blind"     // the host Subject does not reach Export until Heal
	FaultEngine       = "engine-restart" // the engine of Site restarts at once: tokens and operations under way are lost
)

// Fault is a rule by which the lab fails. The zero Kind is a fault of an HTTP request: the rule meets requests to Site whose
// method and path match, passes the first Nth-1 of them, and is used up after Times more.
type Fault struct {
	Kind    string `json:"kind,omitempty"`
	Subject string `json:"subject,omitempty"`
	Export  string `json:"export,omitempty"` // ADDRESS:PATH, of host-blind

	Site   string `json:"site,omitempty"`   // "" means both
	Method string `json:"method,omitempty"` // "" means any
	Path   string `json:"path,omitempty"`   // regular expression on the path; "" means any
	Nth    int    `json:"nth,omitempty"`    // first request that it meets, from 1; 0 means 1
	Times  int    `json:"times,omitempty"`  // how many; 0 means 1, negative means all

	Delay    time.Duration `json:"delay,omitempty"`    // before anything else
	Status   int           `json:"status,omitempty"`   // answered instead of doing anything; with Reason a fault document
	Reason   string        `json:"reason,omitempty"`   // fault reason; "" means an empty body, unless HTML or Body
	Detail   string        `json:"detail,omitempty"`   // fault detail
	HTML     bool          `json:"html,omitempty"`     // an HTML page; with Status 0 or 200 after the effect, else instead of it
	Empty    bool          `json:"empty,omitempty"`    // the effect happens, the answer has its status and no body
	Reset    string        `json:"reset,omitempty"`    // "before" or "after" the effect the connection is reset
	Truncate bool          `json:"truncate,omitempty"` // the effect happens, the answer breaks off in the middle
	Restart  bool          `json:"restart,omitempty"`  // the engine restarts with this request: no effect, no answer, tokens lost
}

// faultRule is a rule with its count of requests.
type faultRule struct {
	Fault
	path *regexp.Regexp
	seen int
	used int
}

func (r *faultRule) spent() bool {
	times := r.Times
	if times == 0 {
		times = 1
	}
	return times > 0 && r.used >= times
}

// Fail adds a rule. Rules are tried in the order in which they were added; the first that meets wins.
func (l *Lab) Fail(rule Fault) error {
	r := &faultRule{Fault: rule}
	switch rule.Kind {
	case "", FaultVMBoot, FaultActivation, FaultOVFRead, FaultRegisterLost, FaultListing, FaultDeactivate, FaultShutdown, FaultEngine,
		FaultHostDown, FaultHostIsolated, FaultHostBMC, FaultHostBlind:
	default:
		return fmt.Errorf("add fault: unknown kind %q", rule.Kind)
	}
	switch rule.Reset {
	case "", "before", "after":
	default:
		return fmt.Errorf("add fault: reset is before or after, not %q", rule.Reset)
	}
	var err error
	if r.path, err = regexp.Compile(rule.Path); err != nil {
		return fmt.Errorf("add fault: %w", err)
	}
	l.lock()
	defer l.mu.Unlock()
	if rule.Site != "" && l.engine(rule.Site) == nil {
		return fmt.Errorf("add fault: no site %q", rule.Site)
	}
	switch rule.Kind {
	case FaultEngine:
		for _, e := range l.engines {
			if rule.Site == "" || e.name == rule.Site {
				e.restart()
			}
		}
		return nil
	case FaultHostDown, FaultHostIsolated, FaultHostBMC, FaultHostBlind:
		return l.failHost(rule)
	}
	l.faults = append(l.faults, r)
	return nil
}

// failHost does at once what a rule says of one host.
func (l *Lab) failHost(rule Fault) error {
	x := l.export(rule.Export)
	if rule.Kind == FaultHostBlind && x == nil {
		return fmt.Errorf("add fault: no export %q", rule.Export)
	}
	for _, e := range l.engines {
		h := find(e.hosts, func(h *host) bool {
			return (rule.Site == "" || e.name == rule.Site) && (h.ID == rule.Subject || h.Name == rule.Subject)
		})
		if h == nil {
			continue
		}
		switch rule.Kind {
		case FaultHostDown:
			e.dropHost(h)
		case FaultHostIsolated:
			e.isolate(h)
		case FaultHostBMC:
			h.bmcSilent = true
		case FaultHostBlind:
			e.blindfold(h, x)
		}
		return nil
	}
	return fmt.Errorf("add fault: no host %q", rule.Subject)
}

// requestFault returns the rule that meets this request, or nil.
func (l *Lab) requestFault(e *engine, r *http.Request) *faultRule {
	for _, rule := range l.faults {
		if rule.Kind != "" || rule.spent() || rule.Site != "" && rule.Site != e.name ||
			rule.Method != "" && rule.Method != r.Method || !rule.path.MatchString(r.URL.Path) {
			continue
		}
		rule.seen++
		if rule.seen < rule.Nth {
			continue
		}
		rule.used++
		return rule
	}
	return nil
}

// meets reports whether a rule of that kind meets the subject now, and counts it.
func (e *engine) meets(kind string, subject ...string) bool {
	for _, rule := range e.lab.faults {
		if rule.Kind != kind || rule.spent() || rule.Site != "" && rule.Site != e.name {
			continue
		}
		hit := rule.Subject == ""
		for _, s := range subject {
			hit = hit || rule.Subject == s
		}
		if !hit {
			continue
		}
		rule.seen++
		if rule.seen < rule.Nth {
			continue
		}
		rule.used++
		return true
	}
	return false
}
