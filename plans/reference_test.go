package plans

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"drrun/lua"
	"drrun/stdlib"
)

const referenceFile = "../docs/800-reference.md"

// TestReference keeps docs/800-reference.md equal to what is declared; -update rewrites it.
func TestReference(t *testing.T) {
	t.Parallel()
	text := reference()
	if *update {
		if err := os.WriteFile(referenceFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != text {
		t.Error("docs/800-reference.md is stale: go test ./plans -run TestReference -update")
	}
}

func reference() string {
	var b strings.Builder
	b.WriteString(`# Reference: the plan, hooks, and what Lua code can call

Made from the declarations in the program; a stale page fails the tests.

A call with one table takes named arguments (` + "`vm:start { timeout = \"10m\" }`" + `), any other takes them by place. Durations are texts with a unit
("90s", "5m", "1h30m") or seconds. A call that fails raises; ` + "`local ok, err = pcall(…)`" + ` gives ` + "`err.code`, `err.message`, `err.hint`" + `.
Calls that **change** an engine first look, and do nothing where the goal holds. Code in a plan reaches files, processes and the network only
through the [modules for hooks](#modules-for-hooks).

`)
	module := DR(Options{})
	b.WriteString("## require \"dr\"\n\nA `dr.todo` can stand for most values of a plan.\n\n")
	for i := range module.Funcs {
		lua.WriteFunc(&b, "dr.", &module.Funcs[i])
	}
	for _, sub := range module.Subs {
		name := "dr." + strings.TrimPrefix(sub.Name, "dr.")
		b.WriteString("### " + name + "\n\n" + sub.Doc + "\n\n")
		for i := range sub.Funcs {
			lua.WriteFunc(&b, name+".", &sub.Funcs[i])
		}
	}
	writeSteps(&b)
	b.WriteString("## The plan\n\nWhat `dr.plan` returns; it is `ctx.plan` in a run.\n\n")
	lua.WriteClass(&b, "plan", planClass)
	b.WriteString("## Hook points\n\nA handler is called as `function(ctx, subject, options)`; options are those of the library that brought it. What it returns is recorded, " +
		"and a resumed run does not call it again.\n\n| point | when | subject | may return | cut off by a kill |\n| --- | --- | --- | --- | --- |\n")
	for _, point := range stdlib.HookPoints {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", point.Name, point.Doc, lua.Cell(point.Subject), lua.Cell(point.Returns), map[string]string{"ask": "a person is asked whether it was done", "retry": "it is called again, with ctx.retried"}[point.OnCut])
	}
	b.WriteString("\n")
	writeModules(&b)
	for _, class := range stdlib.Classes() {
		b.WriteString("## " + class.Name + "\n\n" + class.Doc + "\n\n")
		lua.WriteClass(&b, class.Name, class)
	}
	b.WriteString("## Tables\n\nWhat hooks get and calls return where it is a table. A `?` behind a type is what can be missing.\n\n")
	lua.WriteRecords(&b, append(Records(), stdlib.Records()...))
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// writeModules writes what hooks can require, with the example of each that the tests run.
func writeModules(b *strings.Builder) {
	b.WriteString("## Modules for hooks\n\nEach is had by `require \"NAME\"`. What only computes can be called anywhere; what **observes** or makes a **change** only while a run is on: " +
		"in hooks, steps, conditions, checks and workflows, not while the plan is being loaded.\n\nA change is a durable step of its own: a resumed run gets its recorded result and does not make it again. " +
		"Inside `ctx:step` it is a part of that step. A dry run makes none and lists each; a boot condition may make none. " +
		"Secrets (`dr.secret`) are taken only where a parameter says so, and are masked in whatever comes back.\n\n")
	for _, module := range stdlib.Modules(stdlib.Surroundings{}) {
		b.WriteString("### require \"" + module.Name + "\"\n\n" + module.Doc + "\n\n")
		if example, err := os.ReadFile("../examples/modules/" + module.Name + ".lua"); err == nil {
			fmt.Fprintf(b, "```lua\n%s```\n\n", example)
		}
		for i := range module.Funcs {
			lua.WriteFunc(b, module.Name+".", &module.Funcs[i])
		}
		lua.WriteRecords(b, module.Records)
	}
}

// writeSteps writes the stages of the built-in workflows from the comments above their functions.
func writeSteps(b *strings.Builder) {
	b.WriteString("### dr.steps\n\nThe stages of the built-in workflows, each called with ctx. " +
		"A workflow of your own calls those that it wants, in its order: `local steps = dr.steps`.\n\n")
	for _, step := range stdlib.Steps() {
		fmt.Fprintf(b, "- `steps.%s(%s)`: %s\n", step.Name, strings.Join(step.Params, ", "), step.Doc)
	}
	b.WriteString("\n### dr.workflows\n\nThe built-in workflows as functions: `dr.workflows.failover(ctx)`, and `failback`, `clean` and `rollback`. " +
		"A second argument changes stages, as in `steps.with`:\n\n```lua\nfunction plan.failover(ctx)\n  dr.workflows.failover(ctx, { before = { boot = reserve_addresses }, skip = { \"reprotect\" } })\nend\n```\n\n")
}
