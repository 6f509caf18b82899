//go:build interop

package interop

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
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
	code := m.Run()
	for client, n := range tally.clients {
		count("calls by %s: %d, of which %d change something", client, n[0], n[1])
	}
	slices.Sort(tally.lines)
	fmt.Println("interop: what the foreign clients did")
	for _, line := range tally.lines {
		fmt.Println("  " + line)
	}
	os.Exit(code)
}

func python() string { return filepath.Join(*foreign, "venv", "bin", "python") }
