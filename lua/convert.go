package lua

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	glua "github.com/yuin/gopher-lua"
)

// maxDepth bounds how deep a table may be nested, and so ends tables that hold themselves.
const maxDepth = 64

// maxValues bounds how many values a table may lead to, each counted as often as it can be come to: tables that stand in each other several
// times double with each level. All that is known of 5,000 VMs is less than a quarter of it.
const maxValues = 2_000_000

func userValue(v glua.LValue) any {
	if data, ok := v.(*glua.LUserData); ok {
		return data.Value
	}
	return nil
}

// toGo converts a Lua value to Go: nil, bool, float64, string, []any for a list, map[string]any for other tables, *Object, *Secret, *Function.
func (rt *Runtime) toGo(v glua.LValue) (any, error) {
	c := conversion{rt: rt}
	return c.value(v, 0)
}

// conversion is what toGo has in hands. A table that stands in several places is copied to each.
type conversion struct {
	rt     *Runtime
	values int // so far
}

func (c *conversion) value(v glua.LValue, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("tables are nested deeper than %d, or hold themselves", maxDepth)
	}
	if c.values++; c.values > maxValues {
		return nil, fmt.Errorf("tables hold more than %d values in all, where one table may stand in many others", maxValues)
	}
	switch value := v.(type) {
	case *glua.LNilType:
		return nil, nil
	case glua.LBool:
		return bool(value), nil
	case glua.LNumber:
		return float64(value), nil
	case glua.LString:
		return string(value), nil
	case *glua.LFunction:
		return c.rt.newFunction(value), nil
	case *glua.LUserData:
		switch inner := value.Value.(type) {
		case *Object, *Secret, Wrong:
			return inner, nil
		}
	case *glua.LTable:
		return c.table(value, depth)
	}
	return nil, fmt.Errorf("a %s cannot be passed on", v.Type())
}

func (c *conversion) table(table *glua.LTable, depth int) (any, error) {
	length, count := table.Len(), 0
	for key, _ := table.Next(glua.LNil); key != glua.LNil; key, _ = table.Next(key) {
		count++
	}
	if length > 0 && length == count {
		list := make([]any, length)
		for i := range list {
			item, err := c.value(table.RawGetInt(i+1), depth+1)
			if err != nil {
				return nil, err
			}
			list[i] = item
		}
		return list, nil
	}
	values := map[string]any{}
	for key, value := table.Next(glua.LNil); key != glua.LNil; key, value = table.Next(key) {
		name, isText := key.(glua.LString)
		if !isText {
			return nil, fmt.Errorf("a table is either a list or has names; this one has the key %s", key.String())
		}
		item, err := c.value(value, depth+1)
		if err != nil {
			return nil, err
		}
		values[string(name)] = item
	}
	return values, nil
}

// toLua converts a Go value to Lua. The caller has the baton.
func (rt *Runtime) toLua(v any) glua.LValue {
	switch value := v.(type) {
	case nil:
		return glua.LNil
	case glua.LValue:
		return value
	case Value:
		return value.v
	case bool:
		return glua.LBool(value)
	case float64:
		return glua.LNumber(value)
	case int:
		return glua.LNumber(value)
	case string:
		return glua.LString(value)
	case *Object:
		if value == nil {
			return glua.LNil
		}
		return rt.objectToLua(value)
	case *Secret:
		return rt.secretToLua(value)
	case *Function:
		return value.fn
	case []any:
		table := rt.state.CreateTable(len(value), 0)
		for i, item := range value {
			table.RawSetInt(i+1, rt.toLua(item))
		}
		return table
	case []string:
		table := rt.state.CreateTable(len(value), 0)
		for i, item := range value {
			table.RawSetInt(i+1, glua.LString(item))
		}
		return table
	case map[string]any:
		table := rt.state.CreateTable(0, len(value))
		for _, name := range slices.Sorted(maps.Keys(value)) { // Go's order differs from run to run
			table.RawSetString(name, rt.toLua(value[name]))
		}
		return table
	case map[string]string:
		table := rt.state.CreateTable(0, len(value))
		for _, name := range slices.Sorted(maps.Keys(value)) {
			table.RawSetString(name, glua.LString(value[name]))
		}
		return table
	}
	panic(fmt.Sprintf("a primitive returned a %T, which Lua cannot see", v))
}

// ToJSON returns the value as data that can be recorded: nil, bool, float64, string, lists and tables with names. Functions,
// objects, secrets and numbers that JSON has not are refused.
func ToJSON(v any) (any, error) { return jsonValue(v, "the result") }

func jsonValue(v any, path string) (any, error) {
	switch value := v.(type) {
	case nil, bool, string:
		return v, nil
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, &Diagnostic{Code: "bad-result", Message: path + " is not a number that can be recorded"}
		}
		return value, nil
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			converted, err := jsonValue(item, path+"["+strconv.Itoa(i+1)+"]")
			if err != nil {
				return nil, err
			}
			list[i] = converted
		}
		return list, nil
	case map[string]any:
		table := make(map[string]any, len(value))
		for _, name := range slices.Sorted(maps.Keys(value)) {
			converted, err := jsonValue(value[name], path+"."+name)
			if err != nil {
				return nil, err
			}
			table[name] = converted
		}
		return table, nil
	case *Secret:
		return nil, &Diagnostic{Code: "secret-in-result", Message: path + " is a secret, which cannot be recorded", Hint: "return something that says what was done, without the secret"}
	case *Function:
		return nil, &Diagnostic{Code: "bad-result", Message: path + " is a function, which cannot be recorded"}
	case *Object:
		return nil, &Diagnostic{Code: "bad-result", Message: path + " is a " + value.class.Name + ", which cannot be recorded", Hint: "return its id or its name"}
	}
	return nil, &Diagnostic{Code: "bad-result", Message: fmt.Sprintf("%s is a %T, which cannot be recorded", path, v)}
}
