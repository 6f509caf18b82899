package plans

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// MergeParams returns the parameters of a run: the plan's, with those of a JSON file laid over them, with overrides of the form
// NAME=VALUE laid over both. Tables are merged key by key, everything else is replaced. A name can lead into a table with dots.
// The value of an override takes the type of the parameter that it replaces (number, true or false); anything else is text.
// The arguments are not changed.
func MergeParams(plan map[string]any, file []byte, overrides []string) (map[string]any, error) {
	fromFile, err := decodeParams(file)
	if err != nil {
		return nil, err
	}
	params := mergeTables(plan, plainNumbers(fromFile).(map[string]any))
	for _, override := range overrides {
		name, value, ok := strings.Cut(override, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("read parameter %q: write it as NAME=VALUE", override)
		}
		if err := setParam(params, strings.Split(name, "."), name, value); err != nil {
			return nil, err
		}
	}
	return params, nil
}

// UnknownParams returns the names among overrides, each NAME=VALUE, that params does not have. What is put into an empty table is known.
func UnknownParams(params map[string]any, overrides []string) []string {
	var unknown []string
	for _, override := range overrides {
		if name, _, _ := strings.Cut(override, "="); !hasParam(params, strings.Split(name, ".")) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

func hasParam(params map[string]any, path []string) bool {
	if _, known := params[strings.Join(path, ".")]; known {
		return true
	}
	switch below := params[path[0]].(type) {
	case map[string]any:
		return len(below) == 0 || len(path) > 1 && hasParam(below, path[1:])
	case []any:
		return len(below) == 0
	}
	return false
}

func mergeTables(under, over map[string]any) map[string]any {
	merged := make(map[string]any, len(under)+len(over))
	for key, value := range under {
		if table, ok := value.(map[string]any); ok {
			value = mergeTables(table, nil)
		}
		merged[key] = value
	}
	for key, value := range over {
		if table, ok := value.(map[string]any); ok {
			below, _ := merged[key].(map[string]any)
			value = mergeTables(below, table)
		}
		merged[key] = value
	}
	return merged
}

// plainNumbers turns json.Number into what Lua has.
func plainNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = plainNumbers(v[key])
		}
	}
	return value
}

func setParam(params map[string]any, path []string, name, value string) error {
	key := path[0]
	if len(path) > 1 {
		if below, ok := params[key].(map[string]any); ok {
			return setParam(below, path[1:], name, value)
		}
		// No table of that name: the dots belong to the name.
		key = strings.Join(path, ".")
	}
	switch was := params[key].(type) {
	case float64:
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("read parameter %s: %q is no number (the plan has %v)", name, value, was)
		}
		params[key] = number
	case bool:
		flag, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("read parameter %s: %q is neither true nor false", name, value)
		}
		params[key] = flag
	case map[string]any:
		return fmt.Errorf("read parameter %s: it is a table of the plan: name one of its keys (%s)", name, nameKeys(name, was))
	case []any:
		return fmt.Errorf("read parameter %s: it is a list of the plan: give lists in a file with --params", name)
	default:
		params[key] = value
	}
	return nil
}

func nameKeys(name string, table map[string]any) string {
	keys := slices.Sorted(maps.Keys(table))
	for i := range keys {
		keys[i] = name + "." + keys[i]
	}
	return nameList(keys, 4)
}
