package stdlib

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"drrun/engine"
	"drrun/lua"
)

// Surroundings are what the modules for hooks need from the process that runs a plan.
type Surroundings struct {
	// Session returns the attempt that is on, nil while the plan is being loaded: then only what is pure can be called.
	Session func() *Session
	// Absent says why there is never an attempt; "" where there will be one.
	Absent string
	// Folder is the folder of the plan: files are read below it, and programs run in it.
	Folder string
	// Getenv reads a variable of the environment; nil means that there are none.
	Getenv func(name string) (value string, set bool)
}

// outside is the world beyond the two engines, as the modules for hooks reach it.
type outside struct {
	Surroundings
	disclosed disclosed
}

// session returns the attempt that is on. Without one nothing but pure functions can be called: what a plan is must not depend on when and
// where it is loaded, or a resumed run would have another one.
func (o *outside) session(c *lua.Call) (*Session, error) {
	if o.Session != nil {
		if s := o.Session(); s != nil {
			return s, nil
		}
	}
	if o.Absent != "" {
		return nil, c.Errorf("outside-a-run", "", "it reads or changes the world, and %s", o.Absent)
	}
	d := c.Errorf("outside-a-run", "", "it reads or changes the world, and the plan is only being loaded")
	d.Hint = "call it in a hook, a step, a boot condition, a library's check or a workflow: plan:on(\"before_run\", function(ctx) … end)"
	return nil, d
}

// observe gives a look at the world its session, its context and its time-out. An observation is never recorded.
func (o *outside) observe(c *lua.Call, look func(ctx context.Context, s *Session) (any, error)) (any, error) {
	s, err := o.session(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.Lua, context.CancelFunc(func() {}) // also where only this call observes: the first Ctrl-C ends it
	if c.Has("timeout") {
		ctx, cancel = s.Env.Clock.WithTimeout(ctx, c.Duration("timeout"))
	}
	defer cancel()
	return look(undated{ctx}, s)
}

// undated hides when a context ends, not that it does: sockets take a deadline for one of the wall, and it is one of model time.
type undated struct{ context.Context }

// Deadline tells of none.
func (undated) Deadline() (time.Time, bool) { return time.Time{}, false }

// change is one change of the world outside the engines.
type change struct {
	name    string // what is done to what, such as "exec promote.sh": part of the key and the title, so never with a secret
	args    any    // what it depends on, secrets by name: see named
	assumed any    // what a dry run takes for its result
	timeout time.Duration
	// do makes the change. Its result is data for JSON, and small enough to be recorded. retried is true where an earlier try may have had
	// its effect.
	do func(ctx context.Context, retried bool) (any, error)
}

// onCutParam is the parameter of every primitive that makes a change.
var onCutParam = lua.Param{Name: "on_cut", Type: lua.Enum("retry", "ask"), Default: "retry", Doc: "What a resumed run does when a kill cut it: do it again, or ask a person."}

// change makes a change as a durable step of its own: a resumed run gets the recorded result instead. Inside ctx:step it is a part of that
// step, which is recorded as a whole.
func (o *outside) change(c *lua.Call, ch change) (any, error) {
	s, err := o.session(c)
	if err != nil {
		return nil, err
	}
	if c.Task.Local(observing{}) != nil {
		return nil, c.Errorf("condition-changes", "", "a boot condition and a library's check may only observe; this changes something (%s)", ch.name)
	}
	if s.Dry != nil {
		s.Dry.assume("%s is not done, and taken for a success", ch.name)
		return ch.assumed, nil
	}
	do := func(ctx context.Context, retried bool) (any, error) {
		limited, cancel := s.Env.Clock.WithTimeout(ctx, ch.timeout)
		defer cancel()
		return ch.do(undated{limited}, retried)
	}
	inside, isInside := c.Lua.Value(enclosing{}).(enclosing)
	if inside.whole {
		result, err := do(c.Lua, inside.retried)
		if err != nil {
			return nil, err
		}
		return Decoded(result), nil
	}
	ctx, name := c.Ctx, ch.name
	if isInside {
		ctx = c.Lua // it ends with the handler's time-out
	}
	if inside.again != "" {
		name = inside.again + " " + name
	}
	recorded, err := s.Run.Durable(ctx, engine.Durable{
		Key: s.Run.StepKey(c.Lua, c.Task, name), Args: ch.args, OnCut: c.String("on_cut"), Title: ch.name, Subject: engine.Subject{Kind: "call", Name: ch.name},
	}, do)
	if err != nil {
		return nil, err
	}
	var result any
	if err := json.Unmarshal(recorded, &result); err != nil {
		return nil, fmt.Errorf("decode the recorded result of %s: %w", ch.name, err)
	}
	return result, nil
}

// enclosing is the durable step that Lua code runs inside of: a handler of a hook, or a ctx:step, which is recorded as a whole.
type enclosing struct {
	point   string // hook point of the handler; "" for a ctx:step
	again   string // which call of a handler this is that is called in each attempt; "" for one that is recorded
	whole   bool
	retried bool
}

// insideOf marks the context of the Lua code of a durable step. It ends with the step's time-out and the second Ctrl-C.
func insideOf(ctx context.Context, step enclosing) context.Context {
	return context.WithValue(ctx, enclosing{}, step)
}

// named returns a value for a digest: secrets by name, which is all that a journal may depend on.
func named(value any) any {
	switch v := value.(type) {
	case *lua.Secret:
		return map[string]any{"secret": v.Name()}
	case *lua.Object:
		return fmt.Sprint(v.Self())
	case time.Duration:
		return v.String()
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = named(item)
		}
		return list
	case map[string]any:
		table := make(map[string]any, len(v))
		for name, item := range v {
			table[name] = named(item)
		}
		return table
	}
	return value
}
