//go:build race

package ovirt

const raceEnabled = true
