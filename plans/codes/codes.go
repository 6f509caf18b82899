// Package codes is the register of everything that drrun can find in a plan, a library, a world, or at the two sites before a run, and of
// the errors with which a run is refused or stops: each carries a code, which never changes its meaning, and the register says in full what the finding has no room for.
package codes

import (
	"cmp"
	"slices"
)

// Code explains one code.
type Code struct {
	Name    string `json:"code"`
	Title   string `json:"title"`   // one line, without a full stop
	Meaning string `json:"meaning"` // what it says, and why it matters
	Remedy  string `json:"remedy"`  // what to do
	// In says where the examples belong; "" where only live sites or a run can show the finding, and there are none.
	In    Place  `json:"in,omitempty"`
	Wrong string `json:"wrong,omitempty"` // raises exactly this code
	Right string `json:"right,omitempty"` // raises none
}

// Place says what an example is a part of.
type Place string

// The places of examples.
const (
	InPlan    Place = "plan"    // keys of dr.plan { … }
	Behind    Place = "behind"  // statements between dr.plan { … } and return plan
	InFile    Place = "file"    // a whole plan
	InLibrary Place = "library" // a library, lib/site.lua
	InWorld   Place = "world"   // a world file
)

// All returns every code, sorted by name.
func All() []Code {
	var all []Code
	for _, group := range Groups() {
		all = append(all, group.Codes...)
	}
	slices.SortFunc(all, func(a, b Code) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Find returns the code of a name.
func Find(name string) (Code, bool) {
	all := All()
	at, found := slices.BinarySearchFunc(all, name, func(c Code, name string) int { return cmp.Compare(c.Name, name) })
	if !found {
		return Code{}, false
	}
	return all[at], true
}

// Names returns the names of all codes, sorted.
func Names() []string {
	all := All()
	names := make([]string, len(all))
	for i, code := range all {
		names[i] = code.Name
	}
	return names
}

// Group is a list of codes about one thing.
type Group struct {
	Title string
	Codes []Code
}

// Groups returns all codes by what they are about, in the order in which a person meets them.
func Groups() []Group {
	return []Group{
		{"The text of a file", textCodes}, {"Values", valueCodes}, {"The plan", planCodes}, {"Hooks, workflows and libraries", libraryCodes},
		{"Storage", storageCodes}, {"The two sites", siteCodes}, {"Clusters and networks", placementCodes}, {"Storage domains at the sites", domainCodes},
		{"VMs and templates at the sites", vmCodes}, {"The inventory", inventoryCodes}, {"Worlds of the lab", worldCodes}, {"Tests of libraries", testCodes}, {"While code runs", append(slices.Clone(runCodes), moduleCodes...)},
		{"Before a run begins", startCodes}, {"A run that has begun", stopCodes}, {"Runs that exist", recordCodes}, {"Single commands", commandCodes}, {"What an engine answers", engineCodes},
	}
}
