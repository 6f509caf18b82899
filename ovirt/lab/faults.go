package lab

import (
	"regexp"
	"slices"
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
	FaultStorageDown  = "storage-down"   // the storage of Export goes away until Heal of its site: VMs on it pause, replication stops
	FaultSiteDown     = "site-down"      // Site loses its power, as Disaster
	// FaultJob meets requests as a fault without a kind does: an action answers 200 and "complete", does nothing, and its job has failed.
	FaultJob = "job-failed"
)

// FaultKinds are all kinds of faults but that of an HTTP request, in the order of their names.
func FaultKinds() []string {
	return []string{FaultActivation, FaultDeactivate, FaultEngine, FaultHostBlind, FaultHostBMC, FaultHostDown, FaultHostIsolated, FaultJob, FaultListing,
		FaultOVFRead, FaultRegisterLost, FaultSiteDown, FaultStorageDown, FaultVMBoot, FaultShutdown}
}

// happens are the kinds that change the world at one moment: at once, or with a request where the rule names one.
var happens = []string{FaultEngine, FaultHostBlind, FaultHostBMC, FaultHostDown, FaultHostIsolated, FaultSiteDown, FaultStorageDown}

// Fault is a rule by which the lab fails. Without a Kind it is a fault of an HTTP request: the rule meets requests to Site whose
// method and path match, passes the first Nth-1 of them, and is used up after Times more. The kinds that change the world do so at
// once, Delay later, or, where the rule has Method, Path, Asked, Nth or Probability, with a request that it meets, before that
// request is worked on. The other kinds wait for what they are about.
type Fault struct {
	Kind    string `json:"kind,omitempty"`
	Subject string `json:"subject,omitempty"`
	Export  string `json:"export,omitempty"` // ADDRESS:PATH, of host-blind and storage-down

	Site   string `json:"site,omitempty"`   // "" means both
	Method string `json:"method,omitempty"` // "" means any
	Path   string `json:"path,omitempty"`   // regular expression on the path; "" means any
	Nth    int    `json:"nth,omitempty"`    // first request that it meets, from 1; 0 means 1
	Times  int    `json:"times,omitempty"`  // how many; 0 means 1, with Probability all; negative means all
	Asked  string `json:"asked,omitempty"`  // the site whose requests count where it is not Site: storage is lost there while one is asked here

	// Probability is how likely each request, or use, is met, above 0 and up to 1; 0 means always. Seed decides which ones: the same
	// seed, rule and order of requests meet the same ones.
	Probability float64 `json:"probability,omitempty"`
	Seed        uint64  `json:"seed,omitempty"`

	Delay    time.Duration `json:"delay,omitempty"`    // before anything else
	Status   int           `json:"status,omitempty"`   // answered instead of doing anything; with Reason a fault document
	Reason   string        `json:"reason,omitempty"`   // fault reason; "" means an empty body, unless HTML
	Detail   string        `json:"detail,omitempty"`   // fault detail
	HTML     bool          `json:"html,omitempty"`     // an HTML page; with Status 0 or 200 after the effect, else instead of it
	Empty    bool          `json:"empty,omitempty"`    // the effect happens, the answer has its status and no body
	Reset    string        `json:"reset,omitempty"`    // "before" or "after" the effect the connection is reset
	Truncate bool          `json:"truncate,omitempty"` // the effect happens, the answer breaks off in the middle
	Restart  bool          `json:"restart,omitempty"`  // the engine restarts with this request: no effect, no answer, tokens lost
}

// triggered tells that a rule of a kind that changes the world waits for a request.
func (f *Fault) triggered() bool {
	return f.Method != "" || f.Path != "" || f.Asked != "" || f.Nth != 0 || f.Times != 0 || f.Probability != 0
}

// ofRequests tells that requests are what the rule meets.
func (f *Fault) ofRequests() bool {
	return f.Kind == "" || f.Kind == FaultJob || slices.Contains(happens, f.Kind)
}

// faultTargets is what rules can name.
type faultTargets struct {
	sites   []string
	hosts   map[string][]string // by site: ids and names
	exports []string
}

func (w *World) faultTargets() faultTargets {
	t := faultTargets{hosts: map[string][]string{}}
	for _, s := range w.Sites {
		t.sites = append(t.sites, s.Name)
		for _, h := range s.Hosts {
			t.hosts[s.Name] = append(t.hosts[s.Name], h.Name, h.ID)
		}
	}
	for _, x := range w.Exports {
		t.exports = append(t.exports, x.name())
	}
	for _, x := range w.LUNSets {
		t.exports = append(t.exports, x.Name)
	}
	return t
}

// check finds what a rule cannot mean. Its errors are *ControlError.
func (f *Fault) check(known faultTargets) error {
	if f.Kind != "" && !slices.Contains(FaultKinds(), f.Kind) {
		return unknownName("kind of fault", f.Kind, FaultKinds(), `no kind at all is a fault of HTTP requests`)
	}
	for _, site := range []string{f.Site, f.Asked} {
		if site != "" && !slices.Contains(known.sites, site) {
			return unknownName("site", site, known.sites, "")
		}
	}
	if _, err := regexp.Compile(f.Path); err != nil {
		return refused("path is no regular expression: %v", err).hinted("for example /vms/[^/]+/start$")
	}
	switch {
	case f.Reset != "" && f.Reset != "before" && f.Reset != "after":
		return refused("reset is before or after, not %q", f.Reset).hinted("before: the request has no effect; after: it has, and nobody is told")
	case f.Probability < 0 || f.Probability > 1:
		return refused("probability is from 0 to 1, not %g", f.Probability)
	case f.Nth < 0:
		return refused("nth counts from 1; it is %d", f.Nth)
	case f.Delay < 0:
		return refused("delay is %s", f.Delay)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return refused("status is an HTTP status from 200 to 599, not %d", f.Status)
	}
	return f.checkSubject(known)
}

// checkSubject finds that the host or the export that a rule is about is missing or unknown.
func (f *Fault) checkSubject(known faultTargets) error {
	switch f.Kind {
	case FaultHostDown, FaultHostIsolated, FaultHostBMC, FaultHostBlind:
		var hosts []string
		for _, site := range known.sites {
			if f.Site == "" || f.Site == site {
				hosts = append(hosts, known.hosts[site]...)
			}
		}
		if !slices.Contains(hosts, f.Subject) {
			var names []string
			for i := 0; i < len(hosts); i += 2 {
				names = append(names, hosts[i])
			}
			return unknownName("host", f.Subject, names, "")
		}
	case FaultSiteDown:
		if f.Site == "" {
			return refused("%s needs the site", f.Kind).hinted("known: %s", joined(known.sites))
		}
	}
	if (f.Kind == FaultHostBlind || f.Kind == FaultStorageDown || f.Export != "") && !slices.Contains(known.exports, f.Export) {
		return unknownName("export", f.Export, known.exports, "")
	}
	return nil
}

// String says in a line what the rule does: "POST /start$ of primary, from the 2nd: status 503".
func (f *Fault) String() string { return f.meets() + ": " + f.does() }
