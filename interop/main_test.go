//go:build interop

package interop

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
)

// foreign is the folder that setup.sh filled.
var foreign = flag.String("foreign", "", "the folder that setup.sh printed")

// tally is what the judges did, for the summary: lines, and the calls of each client with those that change something.
var tally = struct {
	sync.Mutex
	lines   []string
	clients map[string][2]int

	steps, broken int // of the role
}{clients: map[string][2]int{}}

// count adds a line to the summary.
func count(format string, args ...any) {
	tally.Lock()
	defer tally.Unlock()
	tally.lines = append(tally.lines, fmt.Sprintf(format, args...))
}

func TestMain(m *testing.M) {
	flag.Parse()
	if *foreign == "" {
		fmt.Fprintln(os.Stderr, "interop: run `make interop`")
		os.Exit(2)
	}
	before := untracked()
	code := m.Run()
	if after := untracked(); after != before {
		fmt.Fprintf(os.Stderr, "interop: the tests left something in the repository; git status before:\n%sand after:\n%s", before, after)
		code = 1
	}
	for client, n := range tally.clients {
		count("calls by %s: %d, of which %d change something", client, n[0], n[1])
	}
	if tally.steps > 0 {
		count("ansible role: %d steps as expected, %d defects of the role brought to light", tally.steps, tally.broken)
	}
	slices.Sort(tally.lines)
	fmt.Println("interop: what the foreign clients did")
	for _, line := range tally.lines {
		fmt.Println("  " + line)
	}
	os.Exit(code)
}

// untracked is what git sees in the repository that is not committed.
func untracked() string {
	out, err := exec.Command("git", "status", "--porcelain").CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v\n", out, err)
	}
	return string(out)
}
