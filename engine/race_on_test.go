//go:build race

package engine_test

// raceEnabled tells that the race detector slows everything down.
const raceEnabled = true
