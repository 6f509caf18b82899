package stdlib

import (
	"slices"
	"strings"

	"drrun/engine"
	"drrun/lua"
)

// ownQuestions are the questions that drrun itself asks, by the first word of their names: what a person answers to them counts as evidence,
// or repeats what changes storage. No code of a plan asks under these names.
var ownQuestions = []string{"confirm_source_down", "break_lock", "resume_plan", "redo", strings.TrimSuffix(engine.CutQuestion, ":")}

// reservedQuestion refuses a question that would be taken for one of drrun's own.
func reservedQuestion(c *lua.Call, name string) error {
	first, group, _ := strings.Cut(name, ":")
	switch inside, isInside := c.Lua.Value(enclosing{}).(enclosing); {
	case slices.Contains(ownQuestions, first):
	case group == "" || first != "promote_storage" && first != "replication":
		return nil
	case !isInside || inside.point == "promote_storage": // the workflow itself, and the hook that speaks for the array
		return nil
	}
	d := c.Errorf("reserved-question", "name", "%q is a question of drrun itself: an answer to it would count as one to drrun", name)
	d.Hint = "give the prompt a name of its own, such as that of the library"
	return d
}
