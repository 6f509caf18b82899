package stdlib

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"drrun/lua"
)

// constantClass is what Lua sees of the values that JSON and YAML have and Lua lacks.
var constantClass = &lua.Class{
	Name:   "json_constant",
	Doc:    "A value that JSON has and Lua lacks.",
	String: func(self any) string { return "json." + self.(constant).name },
}

// constant is a value of JSON that has no value of Lua.
type constant struct{ name string }

var (
	jsonNull      = lua.NewObject(constantClass, constant{"null"})
	jsonEmptyList = lua.NewObject(constantClass, constant{"empty_list"})
)

// jsonModule declares the module json.
func jsonModule() lua.Module {
	return lua.Module{
		Name: "json",
		Doc: "JSON texts. A null in an object is left out, so that reading it gives nil; in a list it is json.null, so that the others keep their places. " +
			"An integer that a number of Lua cannot hold exactly (beyond 2^53) becomes a text. An empty table is written {}; json.empty_list is written [].",
		Fields: map[string]any{"null": jsonNull, "empty_list": jsonEmptyList},
		Funcs: []lua.Func{
			{
				Name: "decode", Effect: lua.Pure, Returns: "any",
				Doc:    "Reads a JSON text. Raises bad-json, with line and column, when it is none.",
				Params: []lua.Param{{Name: "text", Type: lua.String, Positional: true, Doc: "The text."}},
				Run: func(c *lua.Call) (any, error) {
					value, err := decodeJSON(c.String("text"))
					if err != nil {
						return nil, c.Errorf("bad-json", "text", "%v", err)
					}
					return value, nil
				},
			},
			{
				Name: "encode", Effect: lua.Pure, Returns: "string",
				Doc: "Writes a value as JSON, with the names of an object in alphabetical order.",
				Params: []lua.Param{
					{Name: "value", Type: lua.Any, Positional: true, Doc: "The value: nil, true, false, a number, a text, a list, or a table with names."},
					{Name: "indent", Type: lua.Bool, Default: false, Doc: "Write it in lines, for people."},
				},
				Run: func(c *lua.Call) (any, error) {
					data, err := recordable(c.Value("value"), "value")
					if err != nil {
						return nil, c.Errorf("bad-argument", "value", "%v", err)
					}
					text, err := encodeJSON(data, c.Bool("indent"))
					if err != nil {
						return nil, c.Errorf("bad-argument", "value", "%v", err)
					}
					return text, nil
				},
			},
		},
	}
}

// decodeJSON reads one JSON text into what Lua can see. Errors name line and column.
func decodeJSON(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		var syntax *json.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return nil, errors.New("the text is empty: JSON was expected")
		case errors.As(err, &syntax):
			return nil, fmt.Errorf("not JSON: %s: %w", placeIn(text, syntax.Offset), err)
		}
		return nil, fmt.Errorf("not JSON: %s: %w", placeIn(text, int64(len(text))), err)
	}
	if rest := strings.TrimLeft(text[decoder.InputOffset():], " \t\r\n"); rest != "" {
		return nil, fmt.Errorf("not JSON: %s: something follows the value", placeIn(text, int64(len(text)-len(rest)+1)))
	}
	return fromJSON(value), nil
}

// placeIn names line and column of a byte, counted from 1.
func placeIn(text string, offset int64) string {
	before := text[:max(0, min(int(offset)-1, len(text)))]
	return fmt.Sprintf("line %d, column %d", strings.Count(before, "\n")+1, len(before)-strings.LastIndexByte(before, '\n'))
}

// fromJSON turns decoded JSON, with json.Number, into what Lua can see.
func fromJSON(value any) any {
	switch v := value.(type) {
	case json.Number:
		return luaNumber(v.String())
	case []any:
		for i, item := range v {
			if v[i] = fromJSON(item); item == nil {
				v[i] = jsonNull
			}
		}
	case map[string]any:
		for name, item := range v {
			if item == nil {
				delete(v, name)
				continue
			}
			v[name] = fromJSON(item)
		}
	}
	return value
}

// luaNumber returns a number, or the text itself where a number of Lua would be another one.
func luaNumber(text string) any {
	if !strings.ContainsAny(text, ".eE") {
		whole, err := strconv.ParseInt(text, 10, 64)
		if err != nil || whole > 1<<53 || whole < -1<<53 {
			return text
		}
		return float64(whole)
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return number
}

// recordable returns a value of Lua as JSON data, with json.null and json.empty_list as what they stand for. path names it in errors.
func recordable(value any, path string) (any, error) {
	switch v := value.(type) {
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			var err error
			if list[i], err = recordable(item, fmt.Sprintf("%s[%d]", path, i+1)); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		table := make(map[string]any, len(v))
		for name, item := range v {
			var err error
			if table[name], err = recordable(item, path+"."+name); err != nil {
				return nil, err
			}
		}
		return table, nil
	case *lua.Object:
		switch v {
		case jsonNull:
			return nil, nil
		case jsonEmptyList:
			return []any{}, nil
		}
		return nil, fmt.Errorf("%s is a %s: give its id or its name", path, v.Class().Name)
	case *lua.Secret:
		return nil, fmt.Errorf("%s is a secret, which cannot become a text", path)
	case *lua.Function:
		return nil, fmt.Errorf("%s is a function, which cannot become a text", path)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%s is not a number that can be written: %v", path, v)
		}
	}
	return value, nil
}

// encodeJSON writes data as JSON, < and & as they are.
func encodeJSON(data any, indent bool) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if indent {
		encoder.SetIndent("", "  ")
	}
	if err := encoder.Encode(data); err != nil {
		return "", fmt.Errorf("write JSON: %w", err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
