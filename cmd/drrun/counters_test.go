package main

import (
	"github.com/rogpeppe/go-internal/testscript"

	"drrun/plans"
)

func homeScript(ts *testscript.TestScript, neg bool, groups []string) {
	upAt(ts, plans.Primary, groups)
}

// countersScript notes what the guests have written at a site.
func countersScript(ts *testscript.TestScript, neg bool, args []string) {
	if labOf(ts).had = written(worldOf(ts), args[0]); len(labOf(ts).had) == 0 {
		ts.Fatalf("there are no disks at %s", args[0])
	}
}

// keptScript compares the disks at a site with what countersScript noted.
func keptScript(ts *testscript.TestScript, neg bool, args []string) {
	has := written(worldOf(ts), args[0])
	for vm, had := range labOf(ts).had {
		if has[vm] < had {
			ts.Fatalf("data is lost: the disk of VM %s at %s says %d, and it had counted to %d", vm, args[0], has[vm], had)
		}
	}
}
