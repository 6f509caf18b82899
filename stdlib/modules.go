// Package stdlib owns what a plan can use at run time: the ctx object, the two sites with their primitives, hooks, boot
// conditions, and the built-in workflows in Lua. The rules that no plan can waive live here too: the evidence gate (I1)
// and the door through which every change leaves (I7, and the journal's intents).
package stdlib

import (
	"embed"
	"io/fs"

	"drrun/lua"
)

//go:embed lua
var embedded embed.FS

// Embedded returns the built-in Lua modules, such as dr/steps and dr/failover.
func Embedded() fs.FS {
	sub, err := fs.Sub(embedded, "lua")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	return sub
}

// Modules returns the built-in Go modules that a plan can require, beside "dr", sorted by name. Their calls reach the world through s.
func Modules(s Surroundings) []lua.Module {
	_, modules := Connect(s)
	return modules
}

// Connect returns dr.boot and what Modules returns. They share what they know: a secret that one of them has sent is masked in what the
// others bring back.
func Connect(s Surroundings) (boot lua.Module, modules []lua.Module) {
	o := &outside{Surroundings: s}
	return bootModule(o), []lua.Module{
		csvModule(), dnsModule(o), envModule(o), execModule(o), fsModule(o), httpModule(o), jsonModule(), logModule(o), notifyModule(o), pingModule(o), sshModule(o), tcpModule(o), templateModule(), timeModule(o), yamlModule(),
	}
}
