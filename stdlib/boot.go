package stdlib

import (
	"fmt"
	"strings"
	"time"

	"drrun/lua"
)

// DefaultConditionTimeout bounds every boot condition that names no time-out of its own.
const DefaultConditionTimeout = 10 * time.Minute

// The kinds of boot condition.
const (
	ConditionWait       = "wait"        // a delay, counted from the moment the VM was seen up
	ConditionGuestAgent = "guest_agent" // the guest agent reports the guest's name or operating system
	ConditionTCP        = "tcp"         // a connection can be made
	ConditionHTTP       = "http"        // a GET is answered as expected
	ConditionPing       = "ping"        // the guest answers ICMP echo
	ConditionExec       = "exec"        // a program ends with 0
	ConditionAll        = "all"         // every one of Of holds
	ConditionAny        = "any"         // at least one of Of holds
	ConditionLua        = "lua"         // the function Func(ctx, vm) returns true
	ConditionByAction   = "by_action"   // one of Of, by the action: For says which
)

// Condition says when a started VM counts as running. The zero value is no condition: up is enough.
type Condition struct {
	Kind     string
	Delay    time.Duration         // ConditionWait: how long after up
	Timeout  time.Duration         // how long after up the condition may take; 0 means DefaultConditionTimeout
	Stable   time.Duration         // how long it must hold without a break before it counts; 0 means that once is enough
	Of       []*Condition          // ConditionAll, ConditionAny, ConditionByAction
	Func     *lua.Function         // ConditionLua
	byAction map[string]*Condition // ConditionByAction: Of by action
	probe    *probe                // what looks at the guest from outside: ConditionTCP, ConditionHTTP, ConditionPing, ConditionExec
}

// Limit returns how long after up the condition may take. A delay needs no limit beyond itself, and parts bring their own.
func (c *Condition) Limit() time.Duration {
	switch {
	case c.Timeout > 0:
		return c.Timeout
	case c.Kind == ConditionWait:
		return c.Delay
	case len(c.Of) > 0:
		longest := time.Duration(0)
		for _, part := range c.Of {
			longest = max(longest, part.Limit())
		}
		return longest + c.Stable
	}
	return DefaultConditionTimeout
}

// Earliest returns how long after up the condition is decided at the earliest: what its delays alone tell.
func (c *Condition) Earliest() time.Duration {
	if c.Kind == "" {
		return 0
	}
	earliest := c.Delay
	for i, part := range c.Of {
		switch {
		case i == 0 || c.Kind == ConditionAll:
			earliest = max(earliest, part.Earliest())
		default:
			earliest = min(earliest, part.Earliest())
		}
	}
	return min(earliest+c.Stable, c.Limit())
}

// String renders the condition as a plan would write it.
func (c *Condition) String() string {
	text := c.Kind
	switch c.Kind {
	case "":
		return "up"
	case ConditionWait:
		return fmt.Sprintf("wait %q", c.Delay)
	case ConditionLua:
		return "function at " + c.Func.Pos().String()
	case ConditionAll, ConditionAny:
		parts := make([]string, len(c.Of))
		for i, part := range c.Of {
			parts[i] = part.String()
		}
		text += " { " + strings.Join(parts, ", ") + " }"
	case ConditionByAction:
		text += c.byActionText()
	}
	if c.probe != nil && c.probe.shown != "" {
		text += " " + c.probe.shown
	}
	if c.Stable > 0 {
		text += " stable for " + c.Stable.String()
	}
	return text
}

// conditionClass is what dr.boot functions return.
var conditionClass = &lua.Class{
	Name:   "boot_condition",
	Doc:    "Says when a started VM counts as running; made by the functions of dr.boot.",
	Fields: []lua.Field{{Name: "kind", Doc: "Kind of the condition.", Type: "string", Get: func(self any) any { return self.(*Condition).Kind }}},
	String: func(self any) string { return "dr.boot." + self.(*Condition).String() },
}

// ConditionType is the type of a `boot` value in a plan: a condition made by dr.boot, or a Lua function (ctx, vm) -> boolean.
func ConditionType() lua.Type {
	return lua.OneOf(lua.ObjectType(conditionClass), lua.FunctionOf("fun(ctx: ctx, vm: vm): boolean?"))
}

// AsCondition converts a checked value of ConditionType.
func AsCondition(value any) *Condition {
	switch v := value.(type) {
	case nil:
		return &Condition{}
	case *lua.Function:
		return &Condition{Kind: ConditionLua, Func: v}
	case *lua.Object:
		return v.Self().(*Condition)
	}
	panic(fmt.Sprintf("boot condition of unchecked type %T", value))
}

// Parameters that conditions share.
var (
	timeoutParam   = lua.Param{Name: "timeout", Type: lua.Duration, Optional: true, Doc: "How long after up it may take. Default: \"10m\"."}
	stableForParam = lua.Param{Name: "stable_for", Type: lua.Duration, Optional: true, Doc: "How long it must hold without a break before it counts. Default: once is enough."}
)

// BootModule declares dr.boot. Its conditions reach the world through s.
func BootModule(s Surroundings) lua.Module { return bootModule(&outside{Surroundings: s}) }

func bootModule(o *outside) lua.Module {
	return lua.Module{
		Name: "dr.boot",
		Doc: "Boot conditions: when a started VM counts as running. They only observe, and look again every few seconds until they hold or their time is over. " +
			"In texts {ip}, {fqdn}, {name}, {id} and {site} stand for what the VM has on the site where it starts: ip is the first address that the guest agent reports, " +
			"NICs in the order of their names, IPv4 first; fqdn is the guest's name.",
		Funcs: []lua.Func{
			waitFunc(), guestAgentFunc(), o.tcpCondition(), o.httpCondition(), o.pingCondition(), o.execCondition(),
			composedFunc(ConditionAll, "All of the conditions hold.", "No longer than the longest of them, and stable_for, by default."),
			composedFunc(ConditionAny, "At least one of the conditions holds.", "No longer than the longest of them, and stable_for, by default."),
			byActionFunc(),
		},
	}
}

// conditionOf makes what a function of dr.boot returns, with the arguments that conditions share.
func conditionOf(c *lua.Call, condition *Condition) (any, error) {
	condition.Timeout, condition.Stable = c.Duration("timeout"), c.Duration("stable_for")
	if limit := condition.Limit(); condition.Stable > 0 && condition.Stable >= limit {
		d := c.Errorf("bad-argument", "stable_for", "it can never hold that long: it may take %s in all", limit)
		d.Hint = "give it more time: timeout = …"
		return nil, d
	}
	return lua.NewObject(conditionClass, condition), nil
}

func waitFunc() lua.Func {
	return lua.Func{
		Name: "wait", Effect: lua.Pure, Returns: "boot_condition",
		Doc:    "The VM counts as running a fixed time after it was seen up.",
		Params: []lua.Param{{Name: "delay", Type: lua.Duration, Positional: true, Doc: "The time, such as \"120s\"."}},
		Run: func(c *lua.Call) (any, error) {
			return conditionOf(c, &Condition{Kind: ConditionWait, Delay: c.Duration("delay")})
		},
	}
}

func guestAgentFunc() lua.Func {
	return lua.Func{
		Name: "guest_agent", Effect: lua.Pure, Returns: "boot_condition",
		Doc:    "The VM counts as running when its guest agent reports (the engine shows the guest's name or operating system).",
		Params: []lua.Param{timeoutParam, stableForParam},
		Run:    func(c *lua.Call) (any, error) { return conditionOf(c, &Condition{Kind: ConditionGuestAgent}) },
	}
}

func composedFunc(kind, doc, limit string) lua.Func {
	timeout := timeoutParam
	timeout.Doc = "How long after up it may take. " + limit
	return lua.Func{
		Name: kind, Doc: doc, Effect: lua.Pure, Returns: "boot_condition",
		Params: []lua.Param{
			{Name: "conditions", Type: lua.List(ConditionType()), Positional: true, Rest: true, Doc: "The conditions: made by dr.boot, or functions (ctx, vm) -> boolean."},
			timeout, stableForParam,
		},
		Run: func(c *lua.Call) (any, error) {
			composed := &Condition{Kind: kind}
			for _, part := range c.List("conditions") {
				composed.Of = append(composed.Of, AsCondition(part))
			}
			if len(composed.Of) == 0 {
				return nil, c.Errorf("bad-argument", "conditions", "dr.boot.%s needs at least one condition", kind)
			}
			return conditionOf(c, composed)
		},
	}
}
