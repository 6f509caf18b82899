package lab

import (
	"fmt"
	"testing"
	"time"
)

func TestRequestLogIsBounded(t *testing.T) {
	t.Parallel()
	var l requestLog
	for i := range keepLog + 5 {
		if e := l.add(LogEntry{Path: fmt.Sprint(i + 1)}); e.N != i+1 {
			t.Fatalf("entry %d has number %d", i+1, e.N)
		}
	}
	all := l.since(0)
	if len(all) != keepLog || all[0].N != 6 || all[0].Path != "6" || all[keepLog-1].N != keepLog+5 {
		t.Errorf("%d entries from %+v to %+v", len(all), all[0], all[len(all)-1])
	}
	if rest := l.since(keepLog + 3); len(rest) != 2 || rest[0].N != keepLog+4 {
		t.Errorf("%+v", rest)
	}
	if rest := l.since(keepLog + 50); rest == nil || len(rest) != 0 {
		t.Errorf("%+v", rest)
	}
}

// Events of 30 days are kept, jobs of minutes, whether anybody asks or not (ovirt-engine AuditLogCleanupManager,
// JobRepositoryCleanupManager).
func TestOldEventsAndJobsGo(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	e := r.lab.engine("primary")
	r.lab.lock()
	defer r.lab.mu.Unlock()
	c := &call{lab: r.lab, engine: e}
	for i := range 5000 {
		r.lab.now = r.lab.now.Add(time.Hour)
		e.event(eventVMUpdated, "normal", "x", refs{})
		if i%2 == 0 {
			c.doneJob("x")
		}
	}
	if n := len(e.events); n < 700 || n > 1800 {
		t.Errorf("%d events", n)
	}
	if n := len(e.jobs); n > 1100 {
		t.Errorf("%d jobs", n)
	}
}
