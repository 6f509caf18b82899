package worlds

import (
	"fmt"

	"drrun/lua"
	"drrun/ovirt/lab"
)

// maxGenerated bounds how many objects one call of lab.many makes.
const maxGenerated = 100000

// Module declares the Lua module "lab", which world files are written with.
func Module() lua.Module {
	known := newShapes()
	return lua.Module{
		Name:  "lab",
		Doc:   "What a world file is written with.",
		Funcs: []lua.Func{worldFunc(known), manyFunc(), idFunc()},
	}
}

// made is what lab.world returns.
type made struct {
	world lab.World
	found lua.Diagnostics
	pos   lua.Pos // of the lab.world
}

// Classes returns what Lua sees of a world, for annotations.
func Classes() []*lua.Class { return []*lua.Class{worldClass} }

var worldClass = &lua.Class{Name: "world", Doc: "What a lab starts from.", String: func(any) string { return "a world" }}

func worldFunc(known *shapes) lua.Func {
	return lua.Func{
		Name: "world", Effect: lua.Pure, Returns: "world", Lenient: true,
		Doc:    "The world that a lab starts from: two engines with all that they manage, and the storage between them.",
		Params: known.params(known.world),
		Run: func(c *lua.Call) (any, error) {
			b := newBuilder(c, known)
			b.build()
			m := &made{world: b.world, found: b.findings(), pos: c.At()}
			if l, ok := c.Task.Local(loadingKey{}).(*loading); ok {
				l.worlds = append(l.worlds, m)
			} else if len(m.found) > 0 {
				return nil, m.found
			}
			return lua.NewObject(worldClass, m), nil
		},
	}
}

func manyFunc() lua.Func {
	return lua.Func{
		Name: "many", Effect: lua.Pure, Generic: []string{"T"}, Returns: "T[]",
		Doc: "A list of what a function returns for 1 to count: lab.many(1000, function(i) return { name = \"vm\" .. i } end).",
		Params: []lua.Param{
			{Name: "count", Type: lua.Integer, Positional: true, Doc: "How many."},
			{Name: "make", Type: lua.FunctionOf("fun(i: integer): T"), Positional: true, Doc: "function(i) that returns the i-th, i from 1."},
		},
		Run: func(c *lua.Call) (any, error) {
			count := c.Int("count")
			if count < 0 || count > maxGenerated {
				return nil, c.Errorf("bad-argument", "count", "count must be from 0 to %d, not %d", maxGenerated, count)
			}
			out := make([]any, count)
			for i := range out {
				value, err := c.Func("make").Call(c.Task, float64(i+1))
				if err != nil {
					return nil, err
				}
				if value == nil {
					d := c.Errorf("bad-argument", "make", "the function returned nothing for %d", i+1)
					d.Hint = "end it with: return { name = … }"
					return nil, d
				}
				out[i] = value
			}
			return out, nil
		},
	}
}

func idFunc() lua.Func {
	return lua.Func{
		Name: "id", Effect: lua.Pure, Returns: "string",
		Doc:    "The id that a name stands for, the same in every lab: lab.id \"vm/vm1\".",
		Params: []lua.Param{{Name: "name", Type: lua.String, Positional: true, Doc: "Any text."}},
		Run: func(c *lua.Call) (any, error) {
			if c.String("name") == "" {
				return nil, c.Errorf("bad-argument", "name", "the name is empty")
			}
			return lab.ID(c.String("name")), nil
		},
	}
}

// finding makes a finding about the world at a place.
func finding(pos lua.Pos, code, hint, format string, args ...any) *lua.Diagnostic {
	return &lua.Diagnostic{Pos: pos, Severity: "error", Subject: "lab.world", Code: code, Hint: hint, Message: fmt.Sprintf(format, args...)}
}
