//go:build sabotage

package sabotage

import (
	"fmt"
	"slices"
)

var removed Switch

// Remove takes a behaviour away for the rest of the process. It is called once, before the tests.
func Remove(name string) error {
	if !slices.ContainsFunc(All(), func(b Behaviour) bool { return string(b.Switch) == name }) {
		return fmt.Errorf("there is no switch %q", name)
	}
	removed = Switch(name)
	return nil
}

// On reports whether a behaviour is removed.
func On(s Switch) bool { return s == removed }
