package stdlib

import (
	"io/fs"
	"regexp"
	"slices"
	"sync"

	"drrun/lua"
)

var stageFunction = regexp.MustCompile(`(?m)^function steps\.(\w+)\(ctx`)

// stageNames are the names of the stages of dr.steps, sorted.
var stageNames = sync.OnceValue(func() []string {
	text, err := fs.ReadFile(Embedded(), ejectableFile(stagesName))
	if err != nil {
		panic(err) // it is part of the binary
	}
	var names []string
	for _, match := range stageFunction.FindAllSubmatch(text, -1) {
		if name := string(match[1]); name != "with" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
})

// LuaModules describes what drrun has in Lua and a workflow calls as function(ctx, options), by the path of the module: dr.steps and
// dr.workflows. The parameters of a method are its options.
func LuaModules() map[string]*lua.Class {
	steps := &lua.Class{Name: "dr.steps"}
	for _, name := range stageNames() {
		steps.Methods = append(steps.Methods, lua.Func{Name: name, Params: optionsOfStage(name)})
	}
	steps.Methods = append(steps.Methods, lua.Func{Name: "with", Params: workflowChanges()})
	workflows := &lua.Class{Name: "dr.workflows"}
	for _, name := range Ejectable {
		if name != stagesName {
			workflows.Methods = append(workflows.Methods, lua.Func{Name: name, Params: workflowChanges()})
		}
	}
	return map[string]*lua.Class{steps.Name: steps, workflows.Name: workflows}
}

// workflowChanges are what steps.with and the built-in workflows take.
func workflowChanges() []lua.Param {
	var byStage []lua.Param
	for _, name := range stageNames() {
		byStage = append(byStage, lua.Param{Name: name, Type: lua.FunctionType, Optional: true})
	}
	return []lua.Param{
		{Name: "before", Type: lua.Table(byStage...), Optional: true}, {Name: "after", Type: lua.Table(byStage...), Optional: true},
		{Name: "instead", Type: lua.Table(byStage...), Optional: true}, {Name: "skip", Type: lua.List(lua.Enum(stageNames()...)), Optional: true},
	}
}
