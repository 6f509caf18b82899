//go:build sabotage

package sabotage

import "os"

// removed is the behaviour that this process does without, by its name.
var removed = Switch(os.Getenv("DRRUN_SABOTAGE"))

// On reports whether a behaviour is removed.
func On(s Switch) bool { return s == removed }

// Spoil makes the query of a removal format the storage domain, which the client itself cannot say.
func Spoil(query map[string][]string) { query["format"] = []string{"true"} }
