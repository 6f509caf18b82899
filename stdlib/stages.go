package stdlib

import "drrun/lua"

// changesStage is the function of dr.steps that is no stage, and gives the stages with changes.
const changesStage = "with"

// LuaModules describes what drrun has in Lua and a workflow calls as function(ctx, options), by the path of the module: dr.steps and
// dr.workflows. The parameters of a method are its options.
func LuaModules() map[string]*lua.Class {
	steps, workflows := &lua.Class{Name: "dr.steps"}, &lua.Class{Name: "dr.workflows"}
	all := Steps()
	changes := workflowChanges(all)
	for _, step := range all {
		method := lua.Func{Name: step.Name, Doc: step.Doc, Params: step.Options()}
		if step.Name == changesStage {
			method.Params = changes
		}
		steps.Methods = append(steps.Methods, method)
	}
	for _, name := range Workflows() {
		workflows.Methods = append(workflows.Methods, lua.Func{Name: name, Params: changes})
	}
	return map[string]*lua.Class{steps.Name: steps, workflows.Name: workflows}
}

// workflowChanges are what steps.with and the built-in workflows take.
func workflowChanges(all []Step) []lua.Param {
	var names []string
	var byStage []lua.Param
	for _, step := range all {
		if step.Name != changesStage {
			names = append(names, step.Name)
			byStage = append(byStage, lua.Param{Name: step.Name, Type: lua.FunctionType, Optional: true})
		}
	}
	return []lua.Param{
		{Name: "before", Type: lua.Table(byStage...), Optional: true}, {Name: "after", Type: lua.Table(byStage...), Optional: true},
		{Name: "instead", Type: lua.Table(byStage...), Optional: true}, {Name: "skip", Type: lua.List(lua.Enum(names...)), Optional: true},
	}
}
