package annotations

import (
	"fmt"
	"strings"

	"drrun/lua"
	"drrun/plans"
	"drrun/stdlib"
)

// hookPoints are the names of the hook points, each with what it is for.
func hookPoints() string {
	var b strings.Builder
	fmt.Fprintf(&b, "---A place in a run where a plan or a library can put functions.\n---@alias %s\n", plans.HookPoint)
	for _, point := range stdlib.HookPoints {
		fmt.Fprintf(&b, "---| %q%s\n", point.Name, remark(point.Doc))
	}
	fmt.Fprintf(&b, "\n---What is called at a hook point.\n---@alias %s fun(ctx: ctx, subject: any): any\n\n", plans.HookHandler)
	return b.String()
}

// subjectNames are what the second argument of a handler is called, where its type would say less.
var subjectNames = map[string]string{
	"any": "subject", "consistency_group": "group", "run_subject": "run", "run_result": "result", "run_error": "err",
}

// handler is the type of a function for a hook point; options are the type of a third argument, "" for none.
func handler(point stdlib.HookPoint, options string) string {
	subject := subjectNames[point.Subject]
	if subject == "" {
		subject = point.Subject
	}
	expression := "fun(ctx: ctx, " + subject + ": " + point.Subject
	if options != "" {
		expression += ", options: " + options
	}
	expression += ")"
	if point.Returns != "" {
		expression += ": " + point.Returns
	}
	return expression
}

// libraryHooks is the table of the handlers that a library has: functions, or tables with a function and the rules that it wants.
func (w *writer) libraryHooks() string {
	const rules, options = "handler_rules", "table<string, any>"
	w.argumentTable(rules, rules, plans.HandlerRules())
	var hooks, tables strings.Builder
	fmt.Fprintf(&hooks, "---The handlers of a library, by hook point.\n---@class (exact) %s\n", plans.LibraryHooks)
	for _, point := range stdlib.HookPoints {
		run := lua.FunctionOf(handler(point, options)).Annotation(nil)
		fmt.Fprintf(&tables, "---@class (exact) library_hook.%s: %s\n---@field run %s%s\n\n", point.Name, rules, run, remark(point.Doc))
		fmt.Fprintf(&hooks, "---@field %s? %s|library_hook.%s%s\n", point.Name, run, point.Name, remark(point.Doc))
	}
	hooks.WriteString("---@field [string] unknown_key\n\n")
	return tables.String() + hooks.String()
}
