package runner_test

import (
	"path"
	"strings"
	"testing"

	"drrun/ovirt/lab"
)

// TestCutDetachThatIsRefusedLater: a detach that never left, and that the engine refuses when the resume asks for it, is not recorded as
// done because the storage domain left by another way.
func TestCutDetachThatIsRefusedLater(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.marked() // the engine detaches no storage domain with VMs that are protected
	lostAndBack(p)
	p.wait(forLongEnough)
	p.audited = len(p.allChanges())
	journal, killed := "", false
	p.disk.OnAppend = func(file string, _ int) {
		if path.Base(file) != "journal.jsonl" || killed {
			return
		}
		journal = file
		lines := strings.Split(strings.TrimSpace(p.read(file)), "\n")
		if strings.Contains(lines[len(lines)-1], `"op":"storage_domain.detach"`) {
			killed = true
			p.world.Group("drrun").Kill()
		}
	}
	p.clean("primary", nil)
	if !killed {
		t.Fatal("nothing was detached")
	}
	expect(t, p.goOnCleaning(), 0)
	if !strings.Contains(p.read(journal), `"op":"storage_domain.destroy"`) {
		t.Error("it was not refused")
	}
	for _, wrong := range p.wrongs() {
		t.Error(wrong)
	}
}
