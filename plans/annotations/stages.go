package annotations

import (
	"fmt"
	"strings"

	"drrun/stdlib"
)

// steps writes the stages of the built-in workflows.
func (w *writer) steps() string {
	var b, functions, names strings.Builder
	b.WriteString("---The stages of the built-in workflows. A workflow of your own calls those that it wants, in its order.\n---@class dr_steps\nlocal steps = {}\n\n")
	for _, step := range stdlib.Steps() {
		b.WriteString(comment(step.Doc))
		for _, param := range step.Params {
			switch param {
			case "ctx":
				b.WriteString("---@param ctx ctx\n")
			case "options":
				name := "dr.steps." + step.Name + ".options"
				fmt.Fprintf(&b, "---@param options? %s # What of the run it takes. Default: all.\n", w.argumentTable(name, name, step.Options()))
			case "changes":
				b.WriteString("---@param changes? workflow_changes\n---@return dr_steps\n")
			default:
				panic("a stage with a parameter " + param)
			}
		}
		fmt.Fprintf(&b, "function steps.%s(%s) end\n\n", step.Name, strings.Join(step.Params, ", "))
		if step.Params[len(step.Params)-1] != "changes" {
			fmt.Fprintf(&functions, "---@field %s? fun(ctx: ctx, options?: table)\n", step.Name)
			fmt.Fprintf(&names, "---| %q\n", step.Name)
		}
	}
	b.WriteString("return steps\n")
	return "---The name of a stage.\n---@alias stage_name\n" + names.String() + `
---Functions beside or instead of stages, by the name of the stage.
---@class (exact) stage_functions
` + functions.String() + `---@field [string] unknown_key

---What is different in a workflow.
---@class (exact) workflow_changes
---@field before? stage_functions # What is called before a stage.
---@field after? stage_functions # What is called after a stage.
---@field instead? stage_functions # What is called instead of a stage.
---@field skip? stage_name[] # Stages that are left out; the report says so.
---@field [string] unknown_key

` + b.String()
}

// workflows writes the built-in workflows.
func workflows() string {
	var b strings.Builder
	b.WriteString("---The built-in workflows as functions, for a workflow of a plan that adds to one.\n---@class dr_workflows\nlocal workflows = {}\n\n")
	for _, name := range stdlib.Workflows() {
		fmt.Fprintf(&b, "---@param ctx ctx\n---@param changes? workflow_changes\nfunction workflows.%s(ctx, changes) end\n\n", name)
	}
	return b.String() + "return workflows\n"
}
