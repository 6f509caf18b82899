// Package annotations writes what plans can use for editors: definition files of lua-language-server (LuaCATS), made of the same
// declarations that check arguments and make the reference.
package annotations

import (
	"strings"

	"drrun/lua"
	"drrun/plans"
	"drrun/plans/worlds"
	"drrun/stdlib"
)

// File is one definition file.
type File struct {
	Name string // such as "dr.lua"
	Text string
}

// namesFile is the only file that differs from site to site.
const namesFile = "names.lua"

// generated begins every file. What is changed in one is lost when it is written again.
const generated = "-- Written by drrun types; do not edit.\n"

// Files returns the definition files, in which the names that are known are the only ones that there are.
func Files(names Names) []File {
	w := &writer{tables: map[string]string{}}
	w.add("base", "", strings.TrimPrefix(lua.BaseLibrary, "---@meta _\n"))
	w.add("values", "", values+hookPoints())
	w.add(strings.TrimSuffix(namesFile, ".lua"), "", names.text())
	w.run()
	w.plan()
	for _, module := range stdlib.Modules(stdlib.Surroundings{}) {
		w.module(module, nil)
	}
	w.module(worlds.Module(), worlds.Classes())
	return w.files
}

// values are the types behind the simple types of parameters.
const values = `
---A text with a unit, such as "90s", "5m" or "1h30m", or a number of seconds.
---@alias duration string|number

---A text with a unit, such as "10GiB".
---@alias size string

---A value that can be passed on and never seen: dr.secret "NAME".
---@class (exact) secret

---A key that is not known where it stands.
---@class (exact) unknown_key

`

// run writes ctx, the sites, what belongs to them, and what hooks get.
func (w *writer) run() {
	text := ""
	for _, record := range stdlib.Records() {
		text += w.record(record)
	}
	for _, class := range stdlib.Classes() {
		text += w.class(class)
	}
	w.add("run", "", text)
}

// plan writes the plan, the module dr that it is written with, and the stages of the built-in workflows.
func (w *writer) plan() {
	text := w.libraryHooks()
	for _, record := range plans.Records() {
		text += w.record(record)
	}
	for _, class := range plans.Classes() {
		text += w.class(class)
	}
	w.add("plan", "", text)
	w.add("dr.steps", "dr.steps", w.steps())
	w.add("dr.workflows", "dr.workflows", workflows())
	w.module(plans.DR(plans.Options{}), nil)
}
