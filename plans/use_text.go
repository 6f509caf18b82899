package plans

import (
	"fmt"

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
		options, err := luaValue(lib.given, "")
		if err != nil {
			return "", fmt.Errorf("use library %q: its options: %w: use it in the text of the plan, with plan = [[ … ]]", lib.name, err)
		}
		text += " " + options
	}
	with := map[string]any{}
	if as != "" {
		with["as"] = as
	}
	if len(groups) > 0 {
		names := make([]any, len(groups))
		for i, group := range groups {
			names[i] = group
		}
		with["groups"] = names
	}
	if len(with) == 0 {
		return "plan:use(" + text + ")", nil
	}
	options, err := luaValue(with, "")
	return "plan:use(" + text + ", " + options + ")", err
}
