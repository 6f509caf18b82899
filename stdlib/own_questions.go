package stdlib

import (
	"slices"
	"strings"

	"drrun/engine"
	"drrun/lua"
)

// The questions that drrun itself asks, beside those of the stages: what a person answers to them counts as evidence, or repeats what changes
// storage.
const (
	QuestionSourceDown = "confirm_source_down" // its answer lets VMs start while their source is silent; only a person answers it
	QuestionBreakLock  = "break_lock"          // whose lock may be replaced
	QuestionResumePlan = "resume_plan"         // whether a resume goes on with another text of the plan
	QuestionRedo       = "redo"                // before ":" and the key of a step: whether it is repeated, where a second time can do harm
)

// ownQuestions are the first words of the names of such questions. No code of a plan asks under them.
var ownQuestions = []string{QuestionSourceDown, QuestionBreakLock, QuestionResumePlan, QuestionRedo, strings.TrimSuffix(engine.CutQuestion, ":")}

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
