package libtest

import (
	"encoding/json"
	"slices"
	"strings"

	"drrun/lua"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/stdlib"
)

// labClass is t.lab: the two sites and the array, as a bystander sees and moves them.
var labClass = &lua.Class{
	Name: "lab",
	Doc:  "The two simulated sites, as a bystander sees and moves them. Nothing of it is part of a plan.",
	Methods: []lua.Func{
		siteCommand("disaster", "The power of a site fails: its engine and hosts are gone.", func(t *trial, name string) error { return t.lose(name) }),
		siteCommand("heal", "The power of a site returns.", func(t *trial, name string) error {
			t.lost[name] = false
			return t.lab.Heal(name)
		}),
		domainCommand("promote", "The array makes the copy of a storage domain writable and stops to replicate it. What a fake array calls when a hook asks for it.", func(t *trial, name string) error { return t.lab.Promote(name) }),
		domainCommand("replicate", "The array replicates a storage domain again, away from where its VMs run.", func(t *trial, name string) error { return t.lab.Replicate(name) }),
		{
			Name: "wait", Effect: lua.Observes, Doc: "Lets time pass at the sites. It takes none by the clock of the wall.",
			Params: []lua.Param{{Name: "time", Type: lua.Duration, Positional: true, Doc: "How long."}},
			Run: func(c *lua.Call) (any, error) {
				t := c.Self.(*trial)
				if err := t.setUp(c); err != nil {
					return nil, err
				}
				return nil, t.wait(c.Lua, c.Duration("time"))
			},
		},
		{
			Name: "fail", Effect: lua.Observes, Doc: "Adds a rule by which the lab fails, with the names of the flags of drrun lab fail: { method = \"POST\", path = \"/start$\", status = 500 } or { kind = \"vm-boot\", subject = \"vm1\" }.",
			Params: []lua.Param{{Name: "rule", Type: lua.Map(lua.Any), Positional: true, Doc: "The rule."}},
			Run: func(c *lua.Call) (any, error) {
				t := c.Self.(*trial)
				if err := t.setUp(c); err != nil {
					return nil, err
				}
				rule, err := faultOf(c.Table("rule"))
				if err == nil {
					err = t.lab.Fail(rule)
				}
				if err != nil {
					return nil, c.Errorf("bad-argument", "rule", "%v", err)
				}
				return nil, nil
			},
		},
		{
			Name: "view", Effect: lua.Observes, Returns: "table", Doc: "The whole truth about both sites and the array, as GET /world of the lab's control API shows it.",
			Run: func(c *lua.Call) (any, error) {
				t := c.Self.(*trial)
				if err := t.setUp(c); err != nil {
					return nil, err
				}
				return stdlib.Decoded(t.lab.View()), nil
			},
		},
		{
			Name: "running", Effect: lua.Observes, Returns: "string[]", Doc: "Names of the VMs that run at a site, whatever its engine believes, sorted.",
			Params: []lua.Param{siteParam},
			Run: func(c *lua.Call) (any, error) {
				t := c.Self.(*trial)
				if err := t.setUp(c); err != nil {
					return nil, err
				}
				names := []string{}
				for _, vm := range t.lab.View().Sites[c.String("site")].VMs {
					if vm.Running {
						names = append(names, vm.Name)
					}
				}
				slices.Sort(names)
				return names, nil
			},
		},
		{
			Name: "changes", Effect: lua.Observes, Returns: "string[]", Doc: "What was changed in the engines so far, in order, without locks and events: \"secondary start vm1\".",
			Run: func(c *lua.Call) (any, error) {
				t := c.Self.(*trial)
				if err := t.setUp(c); err != nil {
					return nil, err
				}
				changes := []string{}
				for _, entry := range t.lab.Log() {
					beside := strings.Contains(entry.Path, "/affinitylabels") || strings.HasSuffix(entry.Path, "/events") || strings.Contains(entry.Path, "/jobs")
					if entry.Changing && !beside {
						changes = append(changes, entry.Site+" "+entry.Effect)
					}
				}
				return changes, nil
			},
		},
		{
			Name: "violations", Effect: lua.Observes, Returns: "string[]", Doc: "What the lab saw that must never happen: a VM that runs twice, or on an old copy. Who looks at them says what must hold; else any of them fails the test.",
			Run: func(c *lua.Call) (any, error) {
				t := c.Self.(*trial)
				if err := t.setUp(c); err != nil {
					return nil, err
				}
				t.expects = true
				said := []string{}
				for _, violation := range t.lab.View().Violations {
					said = append(said, violation.Kind+" at "+violation.Site+": "+violation.Text)
				}
				return said, nil
			},
		},
	},
	String: func(any) string { return "the lab of the test" },
}

var siteParam = lua.Param{Name: "site", Type: lua.Enum(plans.Primary, plans.Secondary), Positional: true, Doc: "The site."}

func siteCommand(name, doc string, do func(t *trial, site string) error) lua.Func {
	return command(name, doc, siteParam, do)
}

func domainCommand(name, doc string, do func(t *trial, domain string) error) lua.Func {
	return command(name, doc, lua.Param{Name: "storage_domain", Type: lua.String, Positional: true, Doc: "Name of the storage domain."}, do)
}

// command declares what somebody does at a site or at the array.
func command(name, doc string, param lua.Param, do func(t *trial, what string) error) lua.Func {
	return lua.Func{
		Name: name, Effect: lua.Observes, Doc: doc, Params: []lua.Param{param},
		Run: func(c *lua.Call) (any, error) {
			t := c.Self.(*trial)
			if err := t.setUp(c); err != nil {
				return nil, err
			}
			if err := do(t, c.String(param.Name)); err != nil {
				return nil, c.Errorf("test-lab", param.Name, "%v", err)
			}
			t.say("lab: " + name + " " + c.String(param.Name))
			return nil, nil
		},
	}
}

// faultOf reads a rule; a name that no rule has is an error.
func faultOf(given map[string]any) (lab.Fault, error) {
	rule := map[string]any{}
	for name, value := range given {
		if text, isText := value.(string); isText && name == "delay" {
			span, err := lua.ParseDuration(text)
			if err != nil {
				return lab.Fault{}, err
			}
			value = int64(span)
		}
		rule[name] = value
	}
	text, err := json.Marshal(rule)
	if err != nil {
		return lab.Fault{}, err
	}
	var fault lab.Fault
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&fault)
	return fault, err
}
