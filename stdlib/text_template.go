package stdlib

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"drrun/lua"
)

// templateModule declares the module template. Its form is the ${name} of shells rather than text/template: what loops and decides is Lua.
func templateModule() lua.Module {
	return lua.Module{
		Name: "template",
		Doc:  "Texts with places to fill in, such as the body of a message or a configuration file.",
		Funcs: []lua.Func{{
			Name: "render", Effect: lua.Pure, Returns: "string",
			Doc: "Replaces every ${name} by values.name; ${vm.name} and ${nics.1.mac} look inside tables and lists. $${ stands for ${ itself. " +
				"Raises template-name where values lack a name, so that no half-filled text leaves.",
			Params: []lua.Param{
				{Name: "text", Type: lua.String, Positional: true, Doc: "The text."},
				{Name: "values", Type: lua.Map(lua.Any), Positional: true, Doc: "The values: texts, numbers, booleans, tables."},
			},
			Run: func(c *lua.Call) (any, error) {
				text, err := render(c, c.String("text"), c.Table("values"))
				if err != nil {
					return nil, err
				}
				return text, nil
			},
		}},
	}
}

func render(c *lua.Call, text string, values map[string]any) (string, error) {
	var out strings.Builder
	line := 1
	for rest := text; ; {
		i := strings.Index(rest, "${")
		if i < 0 {
			return out.String() + rest, nil
		}
		if i > 0 && rest[i-1] == '$' {
			out.WriteString(rest[:i-1] + "${")
			line += strings.Count(rest[:i], "\n")
			rest = rest[i+2:]
			continue
		}
		line += strings.Count(rest[:i], "\n")
		out.WriteString(rest[:i])
		name, behind, closed := strings.Cut(rest[i+2:], "}")
		if !closed || strings.Contains(name, "\n") {
			return "", c.Errorf("bad-template", "text", "line %d of the template: ${ has no } in its line", line)
		}
		value, err := lookUp(values, name)
		if err != nil {
			d := c.Errorf("template-name", "values", "line %d of the template: ${%s}: %v", line, name, err)
			d.Hint = lua.DidYouMean(name, slices.Sorted(maps.Keys(values)))
			return "", d
		}
		out.WriteString(value)
		rest = behind
	}
}

// lookUp finds the text of a dotted path.
func lookUp(values map[string]any, path string) (string, error) {
	var at any = values
	for name := range strings.SplitSeq(path, ".") {
		var found any
		switch holder := at.(type) {
		case map[string]any:
			found = holder[name]
		case []any:
			for i, item := range holder {
				if fmt.Sprint(i+1) == name {
					found = item
				}
			}
		}
		if found == nil {
			return "", fmt.Errorf("there is no %q", name)
		}
		at = found
	}
	text, err := plainText(at)
	if err != nil {
		return "", fmt.Errorf("its value %w", err)
	}
	return text, nil
}
