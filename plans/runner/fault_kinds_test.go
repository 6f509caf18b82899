package runner_test

import (
	"context"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"drrun/ovirt"
	"drrun/ovirt/lab"
)

// moment is when a fault comes: with a request, or with a record of the journal.
type moment struct {
	request *sentRequest
	record  int // from 1
}

// sentRequest is a request of an undisturbed action: the n-th of its method and path.
type sentRequest struct {
	site, method, path string
	nth                int
	changing           bool
}

// rule is a fault that meets the request.
func (r *sentRequest) rule(f lab.Fault) lab.Fault {
	f.Site, f.Method, f.Path, f.Nth = r.site, r.method, "^"+regexp.QuoteMeta(r.path)+"$", r.nth
	return f
}

// faultKind is a kind of fault, with the moments at which it is injected.
type faultKind struct {
	name string // as docs/reliability.md names it
	// meets tells whether a fault of the kind can come with the request; nil where it comes with a record.
	meets func(s crashStory, r *sentRequest) bool
	// inject arms the fault; met tells, when the first attempt is over, whether it came.
	inject func(p *pair, s crashStory, at moment) (met func() bool)
	// after is what a person does before the next attempt; nil where the fault is over by itself.
	after func(p *pair, s crashStory)
	// undoes is set where the engine gives up what it had begun: that had no effect, although the engine's log names one.
	undoes bool
}

// late is an answer that comes when nobody waits for it any more: the client gives a read 30 s, a change 10 minutes.
func late(r *sentRequest) time.Duration {
	if r.changing {
		return 11 * time.Minute
	}
	return time.Minute
}

// faultKinds are all kinds of the matrix.
func faultKinds() []faultKind {
	each := func(crashStory, *sentRequest) bool { return true }
	changing := func(_ crashStory, r *sentRequest) bool { return r.changing }
	// locked is what an engine says whose object another command of its own is working on.
	locked := func(_ crashStory, r *sentRequest) bool {
		return r.changing && !strings.HasSuffix(r.path, "/events") && !strings.Contains(r.path, "/affinitylabels")
	}
	importing := func(s crashStory, r *sentRequest) bool {
		return r.changing && r.site == s.target && (r.method == http.MethodPost && strings.HasSuffix(r.path, "/storagedomains") || strings.HasSuffix(r.path, "/register"))
	}
	answers := func(f lab.Fault) func(p *pair, s crashStory, at moment) func() bool {
		return func(p *pair, _ crashStory, at moment) func() bool { return p.meet(at.request.rule(f)) }
	}
	const body = "<html><head><title>Service Unavailable</title></head><body><h1>Service Unavailable</h1></body></html>"
	return []faultKind{
		{name: "500 of the engine", meets: each, inject: answers(lab.Fault{Status: 500, Reason: "Operation Failed", Detail: "[Internal Engine Error]"})},
		{name: "502 with a page of the web server", meets: each, inject: answers(lab.Fault{Status: 502, HTML: true, Detail: body})},
		{name: "503 without a body", meets: each, inject: answers(lab.Fault{Status: 503})},
		{name: "503 with a page of the web server", meets: each, inject: answers(lab.Fault{Status: 503, HTML: true})},
		{name: "409: the object is locked", meets: locked, inject: answers(lab.Fault{Status: 409, Reason: "Operation Failed",
			Detail: "[Cannot perform the operation. Related operation is currently in progress. Please try again later.]"})},
		{name: "reset before the effect", meets: each, inject: answers(lab.Fault{Reset: "before"})},
		{name: "reset after the effect", meets: each, inject: answers(lab.Fault{Reset: "after"})},
		{name: "the answer breaks off", meets: each, inject: answers(lab.Fault{Truncate: true})},
		{name: "the answer comes after the time-out", meets: each, inject: func(p *pair, _ crashStory, at moment) func() bool {
			return p.meet(at.request.rule(lab.Fault{Delay: late(at.request)}))
		}},
		{name: "the engine restarts and forgets its tokens", meets: each, inject: answers(lab.Fault{Restart: true}), undoes: true},
		{name: "the SPM drops out during the import", meets: importing, inject: hostDown(true), after: powerOn, undoes: true},
		{name: "another host drops out during the import", meets: importing, inject: hostDown(false), after: powerOn, undoes: true},
		{name: "the clock is set back an hour", meets: changing, inject: clockBack},
		{name: "the disk is full", inject: diskFails(syscall.ENOSPC, "write", "replace", "mkdir", "lock"), after: diskMended},
		{name: "the disk becomes read-only", inject: diskFails(syscall.EROFS, "write", "replace", "mkdir", "lock", "open", "truncate", "remove", "sync"), after: diskMended},
	}
}

// meet arms a rule of the lab.
func (p *pair) meet(f lab.Fault) (met func() bool) {
	rule, err := p.lab.AddFault(f)
	if err != nil {
		p.t.Fatal(err)
	}
	return func() bool {
		for _, known := range p.lab.Faults() {
			if known.N == rule.N {
				return known.Used > 0
			}
		}
		return false
	}
}

// hostDown takes the power from a host of the target: its SPM, or the other one. A data center that has no storage yet has no SPM; the
// first host becomes it.
func hostDown(spm bool) func(p *pair, s crashStory, at moment) func() bool {
	return func(p *pair, s crashStory, at moment) func() bool {
		name := ""
		p.engine(s.target, func(ctx context.Context, site *ovirt.Site) error {
			hosts, err := site.Hosts(ctx)
			first := slices.IndexFunc(hosts, func(host ovirt.Host) bool { return host.SPM == "spm" })
			for i, host := range hosts {
				if (i == max(first, 0)) == spm {
					name = host.Name
				}
			}
			return err
		})
		rule := at.request.rule(lab.Fault{Kind: lab.FaultHostDown, Subject: name})
		return p.meet(rule)
	}
}

// powerOn gives the hosts of the target their power back, and waits until they are up.
func powerOn(p *pair, s crashStory) {
	if err := p.lab.Heal(s.target); err != nil {
		p.t.Fatal(err)
	}
	p.wait(15 * time.Minute)
}

// clockBack sets the clock of drrun's machine back when the request leaves.
func clockBack(p *pair, _ crashStory, at moment) func() bool {
	met, seen := false, 0
	p.beforeRequest = func(site string, request *http.Request) {
		if r := at.request; site != r.site || request.Method != r.method || request.URL.Path != r.path {
			return
		}
		if seen++; seen == at.request.nth {
			met = true
			p.world.SetClock(hourBack)
		}
	}
	return func() bool { return met }
}

// diskFails lets the disk refuse operations from a record of the journal on.
func diskFails(errno syscall.Errno, ops ...string) func(p *pair, s crashStory, at moment) func() bool {
	refused := map[string]bool{}
	for _, op := range ops {
		refused[op] = true
	}
	return func(p *pair, _ crashStory, at moment) func() bool {
		records, failing := 0, false
		p.disk.Fault = func(op, file string) error {
			if op == "write" && path.Base(file) == "journal.jsonl" {
				records++
				failing = failing || records == at.record
			}
			if failing && refused[op] {
				return errno
			}
			return nil
		}
		return func() bool { return failing }
	}
}

func diskMended(p *pair, _ crashStory) { p.disk.Fault = nil }
