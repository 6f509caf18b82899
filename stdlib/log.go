package stdlib

import (
	"drrun/engine"
	"drrun/lua"
)

// logModule declares the module log: what ctx:log and ctx:warn do, for libraries that have no ctx at hand, with fields.
func logModule(o *outside) lua.Module {
	write := func(name, doc string, say func(s *Session, line string)) lua.Func {
		return lua.Func{
			Name: name, Effect: lua.Pure, Doc: doc,
			Params: []lua.Param{
				{Name: "text", Type: lua.String, Positional: true, Doc: "What to say."},
				{Name: "fields", Type: lua.Map(lua.Any), Positional: true, Optional: true, Doc: "What it is about, written behind the text as JSON. Secrets are refused."},
			},
			Run: func(c *lua.Call) (any, error) {
				line := c.String("text")
				if fields := c.Table("fields"); len(fields) > 0 {
					data, err := recordable(fields, "fields")
					if err != nil {
						return nil, c.Errorf("bad-argument", "fields", "%v", err)
					}
					text, err := encodeJSON(data, false)
					if err != nil {
						return nil, c.Errorf("bad-argument", "fields", "%v", err)
					}
					line += " " + text
				}
				if o.Session != nil {
					if s := o.Session(); s != nil { // as with print, what is said while a plan is loaded is in no run
						say(s, o.disclosed.mask(line))
					}
				}
				return nil, nil
			},
		}
	}
	return lua.Module{
		Name: "log",
		Doc:  "Lines for the run's journal and output, with fields. While a plan is being loaded there is no run, and nothing is written.",
		Funcs: []lua.Func{
			write("info", "Writes a line to the run's journal and output.", func(s *Session, line string) {
				s.Say(line)
			}),
			write("warn", "Writes a warning to the run's journal, output and report.", func(s *Session, line string) { s.warnFor(engine.Subject{}, line) }),
		},
	}
}
