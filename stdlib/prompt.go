package stdlib

import (
	"fmt"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/lua"
)

// promptFault finds what makes a prompt impossible to answer as it says.
func promptFault(c *lua.Call, q engine.Question) error {
	switch {
	case q.Default != "" && len(q.Choices) > 0 && !slices.Contains(q.Choices, q.Default):
		return c.Errorf("bad-argument", "default", "the default %q is none of the choices: %s", q.Default, strings.Join(q.Choices, ", "))
	case c.Has("timeout") && q.Timeout <= 0:
		return c.Errorf("bad-argument", "timeout", "the timeout must be longer than 0")
	case q.Default != "" && missingPart(q, q.Default) != nil:
		return c.Errorf("bad-argument", "default", "the default %q lacks a part that the answer needs: %s", q.Default, strings.Join(q.Fields, ", "))
	}
	return nil
}

// promptTimeout is the error of a question that nobody answered in time.
func promptTimeout(c *lua.Call, q engine.Question, cause error) error {
	why := "it has no default"
	if q.Default != "" {
		why = "its default may not be taken: an answer can lose data"
	}
	late := c.Errorf("prompt-timeout", "", "nobody answered the question %q in %s, and %s: %s", q.Name, q.Timeout, why, q.Text)
	late.Hint, late.Err = fmt.Sprintf("answer it when the run is resumed, or with --answer '%s=…'", q.Name), cause
	return late
}
