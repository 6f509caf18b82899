package stdlib

import (
	"fmt"
	"time"

	"drrun/lua"
)

// waitForFunc declares ctx:wait_for.
func waitForFunc() lua.Func {
	return lua.Func{
		Name: "wait_for", Effect: lua.Observes, Generic: []string{"T"}, Returns: "T",
		Doc: "Calls fn again and again until it returns something that is neither nil nor false, and returns that. fn may only observe, and what it raises is raised at once. " +
			"Raises wait-timeout when the time is over. Nothing is recorded: a resumed run waits anew. A dry run waits for nothing and returns nil.",
		Params: []lua.Param{
			{Name: "what", Type: lua.String, Positional: true, Doc: "What is waited for, for the error and the dry run: \"job 7 of the array\"."},
			{Name: "fn", Type: lua.FunctionOf("fun(): T"), Positional: true, Doc: "The look."},
			{Name: "timeout", Type: lua.Duration, Default: "10m", Doc: "How long to wait."},
			{Name: "every", Type: lua.Duration, Default: "5s", Doc: "The pause between two looks."},
		},
		Run: func(c *lua.Call) (any, error) { return session(c).waitFor(c) },
	}
}

// waitFor looks until there is something to see. The last look is made when the time is over.
func (s *Session) waitFor(c *lua.Call) (any, error) {
	what, pause := c.String("what"), c.Duration("every")
	if pause <= 0 {
		return nil, c.Errorf("bad-argument", "every", "the pause between two looks must be longer than 0s")
	}
	if s.Dry != nil {
		s.Dry.assume("%s is not waited for", what)
		return nil, nil
	}
	before := c.Task.Local(observing{})
	c.Task.SetLocal(observing{}, true)
	defer c.Task.SetLocal(observing{}, before)
	clock := s.Env.Clock
	begun := clock.Now()
	for {
		seen, err := c.Func("fn").CallContext(c.Lua, c.Task)
		if err != nil || seen != nil && seen != false {
			return seen, err
		}
		rest := c.Duration("timeout") - clock.Now().Sub(begun)
		if rest <= 0 {
			d := c.Errorf("wait-timeout", "", "waited %s for %s", clock.Now().Sub(begun).Round(time.Second), what)
			d.Hint = fmt.Sprintf("see why it takes so long; where that is how long it takes, give it more: timeout = %q", (2 * c.Duration("timeout")).String())
			return nil, d
		}
		if _, err := clock.Wait(c.Lua, min(pause, rest), nil); err != nil {
			return nil, err
		}
	}
}
