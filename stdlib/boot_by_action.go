package stdlib

import (
	"maps"
	"slices"
	"strings"

	"drrun/lua"
)

// bootActions are the actions that start VMs.
var bootActions = []string{"failover", "failback"}

// byActionFunc declares dr.boot.by_action.
func byActionFunc() lua.Func {
	var params []lua.Param
	for _, action := range bootActions {
		params = append(params, lua.Param{Name: action, Type: ConditionType(), Optional: true, Doc: "The condition in a " + action + ". Default: up is enough."})
	}
	return lua.Func{
		Name: "by_action", Effect: lua.Pure, Returns: "boot_condition", Params: params,
		Doc: "One condition in a failover, another one in a failback: dr.boot.by_action { failover = dr.boot.wait \"30s\", failback = dr.boot.wait \"5m\" }. An action of the plan's own and a rollback take that of failover.",
		Run: func(c *lua.Call) (any, error) {
			condition := &Condition{Kind: ConditionByAction, byAction: map[string]*Condition{}}
			for _, action := range bootActions {
				if c.Has(action) {
					condition.byAction[action] = AsCondition(c.Value(action))
					condition.Of = append(condition.Of, condition.byAction[action])
				}
			}
			if len(condition.Of) == 0 {
				return nil, c.Errorf("bad-argument", "", "dr.boot.by_action needs a condition for failover, failback or both")
			}
			return conditionOf(c, condition)
		},
	}
}

// For returns the condition as it is in an action: what depends on the action is decided.
func (c *Condition) For(action string) *Condition {
	if c == nil || len(c.Of) == 0 {
		return c
	}
	if c.Kind == ConditionByAction {
		if !slices.Contains(bootActions, action) {
			action = bootActions[0]
		}
		if chosen := c.byAction[action]; chosen != nil {
			return chosen.For(action)
		}
		return &Condition{}
	}
	decided := *c
	decided.Of = make([]*Condition, len(c.Of))
	for i, part := range c.Of {
		decided.Of[i] = part.For(action)
	}
	return &decided
}

// byActionText renders the parts of a condition by action.
func (c *Condition) byActionText() string {
	var parts []string
	for _, action := range slices.Sorted(maps.Keys(c.byAction)) {
		parts = append(parts, action+" = "+c.byAction[action].String())
	}
	return " { " + strings.Join(parts, ", ") + " }"
}
