package plans

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"drrun/lua"
)

// LibraryType is the type of what dr.library returns.
func LibraryType() lua.Type { return lua.ObjectType(libraryClass) }

// UseText is the line of a plan that uses a library as it was configured elsewhere, in the interpreter of a test: the plan loads it anew. as
// and groups are those of plan:use, empty where they are not given.
func UseText(configured *lua.Object, as string, groups []string) (string, error) {
	lib, ok := configured.Self().(*library)
	switch {
	case !ok:
		return "", fmt.Errorf("use a %s: it is no library", configured.Class().Name)
	case lib.module == "":
		return "", fmt.Errorf("use library %q: it is made in the test itself; put it into a file of its own, so that a plan can require it", lib.name)
	}
	text := "require " + lua.Quote(lib.module)
	if lib.configured {
		options, err := literal(lib.given)
		if err != nil {
			return "", fmt.Errorf("use library %q: its options: %w", lib.name, err)
		}
		text += " " + options
	}
	with := map[string]any{}
	if as != "" {
		with["as"] = as
	}
	if len(groups) > 0 {
		with["groups"] = groups
	}
	if len(with) == 0 {
		return "plan:use(" + text + ")", nil
	}
	options, err := literal(with)
	return "plan:use(" + text + ", " + options + ")", err
}

// literal writes a value as Lua does. Functions cannot be written.
func literal(value any) (string, error) {
	switch v := value.(type) {
	case nil, bool:
		return fmt.Sprint(v), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case string:
		return lua.Quote(v), nil
	case *lua.Secret:
		return "dr.secret " + lua.Quote(v.Name()), nil
	case []string:
		quoted := make([]string, len(v))
		for i, text := range v {
			quoted[i] = lua.Quote(text)
		}
		return "{ " + strings.Join(quoted, ", ") + " }", nil
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			part, err := literal(item)
			if err != nil {
				return "", err
			}
			parts[i] = part
		}
		return "{ " + strings.Join(parts, ", ") + " }", nil
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			part, err := literal(v[name])
			if err != nil {
				return "", err
			}
			parts = append(parts, lua.Key(name)+" = "+part)
		}
		return "{ " + strings.Join(parts, ", ") + " }", nil
	}
	return "", fmt.Errorf("%s cannot be written into a plan: use the library in the text of the plan, with plan = [[ … ]]", describe(value))
}
