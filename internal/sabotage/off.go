//go:build !sabotage

package sabotage

// On reports whether a behaviour is removed. In this build none can be.
func On(Switch) bool { return false }

// Spoil does nothing in this build.
func Spoil(map[string][]string) {}
