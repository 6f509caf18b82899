package plans

import (
	"fmt"
	"strings"

	"drrun/lua"
	"drrun/stdlib"
)

// ConditionWords renders a boot condition for people, with its time-out.
func ConditionWords(c *stdlib.Condition) string {
	switch c.Kind {
	case "":
		return "it is up"
	case stdlib.ConditionWait:
		return DurationText(c.Delay) + " have passed since it was seen up"
	case stdlib.ConditionAll, stdlib.ConditionAny:
		parts := make([]string, len(c.Of))
		for i, part := range c.Of {
			parts[i] = ConditionWords(part)
		}
		if c.Kind == stdlib.ConditionAll {
			return strings.Join(parts, ", and ")
		}
		return "one of these holds: " + strings.Join(parts, "; or ")
	case stdlib.ConditionGuestAgent:
		return "its guest agent reports, within " + DurationText(c.Limit())
	case stdlib.ConditionLua:
		return fmt.Sprintf("the function at %s returns true, within %s", functionPlace(c.Func.Pos()), DurationText(c.Limit()))
	}
	return fmt.Sprintf("%s holds, within %s", c, DurationText(c.Limit()))
}

// functionPlace renders where a function begins as FILE:LINE.
func functionPlace(pos lua.Pos) string { return fmt.Sprintf("%s:%d", pos.File, pos.Line) }
