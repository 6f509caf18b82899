package plans

import (
	"fmt"
	"strings"

	"drrun/lua"
	"drrun/stdlib"
)

// ConditionWords renders a boot condition for people, with its time-out: what stands behind "it counts as running when".
func ConditionWords(c *stdlib.Condition) string {
	text := conditionWords(c)
	if c.Stable > 0 {
		text += ", and has held for " + DurationText(c.Stable) + " without a break"
	}
	if c.Kind != "" && c.Kind != stdlib.ConditionWait && (len(c.Of) == 0 || c.Timeout > 0) {
		text += ", within " + DurationText(c.Limit())
	}
	return text
}

func conditionWords(c *stdlib.Condition) string {
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
		return "its guest agent reports"
	case stdlib.ConditionLua:
		return fmt.Sprintf("the function at %s returns true", functionPlace(c.Func.Pos()))
	}
	once := *c
	once.Stable = 0 // told behind it
	return once.String() + " holds"
}

// functionPlace renders where a function begins as FILE:LINE.
func functionPlace(pos lua.Pos) string { return fmt.Sprintf("%s:%d", pos.File, pos.Line) }
