package stdlib

import (
	"fmt"
	"strings"
)

// WentDownError says that a VM which this run had started is down again.
type WentDownError struct {
	VM, Site string
	First    string // why it went down, as the attempt that saw it said; "" where none did
}

// stillDown is what is added to the reason for which a VM went down, which stays its reason.
const stillDown = " (it is still down, and a run starts no VM twice)"

// Error says what was found and why nothing is done about it.
func (e *WentDownError) Error() string {
	if e.First != "" {
		return strings.TrimSuffix(e.First, stillDown) + stillDown
	}
	return fmt.Sprintf("VM %q on %s was started by this run and is down now; it is not started again, because only you can know why it stopped", e.VM, e.Site)
}

// RestoreFailures gives back why VMs failed in earlier attempts, by id: what an attempt marks on its way to them hides it on the board.
func (s *Session) RestoreFailures(reasons map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failedBefore = reasons
}

func (s *Session) whyFailed(vmID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failedBefore[vmID]
}
