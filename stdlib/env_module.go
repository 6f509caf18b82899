package stdlib

import (
	"context"
	"strings"

	"drrun/lua"
)

// secretPrefix begins the variables that hold secrets: no plan sees them as texts.
const secretPrefix = "DRRUN_SECRET_"

// envModule declares the module env.
func envModule(o *outside) lua.Module {
	return lua.Module{
		Name: "env",
		Doc:  "Variables of the environment that drrun was started in.",
		Funcs: []lua.Func{{
			Name: "get", Effect: lua.Observes, Returns: "string?",
			Doc: "Returns a variable, else the default, else nil. An empty variable counts as one that is not set. What must stay the same in a resumed run belongs into the plan's params.",
			Params: []lua.Param{
				{Name: "name", Type: lua.String, Positional: true, Doc: "Name of the variable."},
				{Name: "default", Type: lua.String, Positional: true, Optional: true, Doc: "What to return when it is not set."},
			},
			Run: func(c *lua.Call) (any, error) {
				return o.observe(c, func(context.Context, *Session) (any, error) {
					name := c.String("name")
					if strings.HasPrefix(strings.ToUpper(name), secretPrefix) {
						d := c.Errorf("secret-in-result", "name", "%s holds a secret, which no plan can read", name)
						d.Hint = "write dr.secret \"" + strings.ToLower(strings.TrimPrefix(strings.TrimSuffix(strings.ToUpper(name), "_FILE"), secretPrefix)) + "\" and pass it on"
						return nil, d
					}
					if o.Getenv != nil {
						if value, set := o.Getenv(name); set && value != "" {
							return value, nil
						}
					}
					return c.Value("default"), nil
				})
			},
		}},
	}
}
