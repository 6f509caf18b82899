package runner_test

import (
	"testing"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestImportUnderWayWhenCut: an import that was under way when drrun was killed, and that the next attempt began to ask for again and was
// killed, is the one that is recorded as done.
func TestImportUnderWayWhenCut(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{Domains: 2})
	p.lose()
	var imports []string // ids of storage domains
	importing := func(r engine.Record) bool {
		if r.Intent == nil || r.Intent.Op != ovirt.OpImportDomain {
			return false
		}
		imports = append(imports, r.Intent.Subject.ID)
		return true
	}
	killed := p.killAtRecord(func(r engine.Record) bool { return importing(r) && len(imports) == 2 })
	p.failover(nil)
	if !*killed {
		t.Fatal("no second import") // by then the first one is with the engine, and the second one has not left
	}
	run := p.runs()[0].ID
	killed = p.killAtRecord(func(r engine.Record) bool { return importing(r) && imports[len(imports)-1] == imports[0] })
	p.resume(run, nil)
	if !*killed {
		t.Fatal("the first import was not asked for again")
	}
	p.disk.OnAppend = nil
	expect(t, p.resume(run, nil), runner.ExitDone)
	for _, wrong := range p.wrongs() {
		t.Error(wrong)
	}
}
