package annotations

import (
	"slices"
	"strings"
	"testing"

	"drrun/lua"
	"drrun/plans"
	"drrun/plans/worlds"
	"drrun/stdlib"
)

// TestDrift walks everything that is declared, and looks for it in the definition files: each function with each parameter by place and by
// name, each field, each table that is returned, each hook point, each stage.
func TestDrift(t *testing.T) {
	t.Parallel()
	d := readDefinitions(t, Files(nil))
	for _, class := range slices.Concat(stdlib.Classes(), plans.Classes(), worlds.Classes()) {
		d.wantFields(t, class.Name, class.Fields)
		for i := range class.Methods {
			method := &class.Methods[i]
			switch {
			case method.Name == "call":
				if !d.overloads[class.Name] {
					t.Errorf("a %s can be called, and is not declared so", class.Name)
				}
			case class.Name == "plan" && method.Name == "on":
				if !d.classes["plan"]["on"] {
					t.Error("plan has no on")
				}
				d.wantParams(t, "plan.on.options", method.Params, func(p lua.Param) bool { return !p.Positional })
			default:
				d.wantFunction(t, class.Name+":"+method.Name, class.Name+"."+method.Name, method)
			}
		}
	}
	modules := append(stdlib.Modules(stdlib.Surroundings{}), plans.DR(plans.Options{}), worlds.Module())
	for _, module := range modules {
		for _, one := range append(module.Subs, module) {
			for i := range one.Funcs {
				d.wantFunction(t, strings.ReplaceAll(one.Name, ".", "_")+"_module."+one.Funcs[i].Name, one.Name+"."+one.Funcs[i].Name, &one.Funcs[i])
			}
		}
		for _, record := range module.Records {
			d.wantFields(t, record.Name, record.Fields)
		}
	}
	for _, record := range slices.Concat(stdlib.Records(), plans.Records()) {
		d.wantFields(t, record.Name, record.Fields)
	}
	for _, point := range stdlib.HookPoints {
		if !d.classes[plans.LibraryHooks][point.Name] {
			t.Errorf("a library can have no hook %s", point.Name)
		}
		if point.Subject == "" {
			t.Errorf("hook point %s says nothing of its subject", point.Name)
		}
	}
	d.wantParams(t, "handler_rules", plans.HandlerRules(), func(lua.Param) bool { return true })
	for _, step := range stdlib.Steps() {
		d.wantParams(t, "dr.steps."+step.Name+".options", step.Options(), func(lua.Param) bool { return true })
		if _, declared := d.functions["dr_steps."+step.Name]; !declared {
			t.Errorf("dr.steps has no %s", step.Name)
		}
	}
	for _, name := range stdlib.Workflows() {
		if _, declared := d.functions["dr_workflows."+name]; !declared {
			t.Errorf("dr.workflows has no %s", name)
		}
	}
	if len(stdlib.Steps()) < 14 || len(stdlib.Workflows()) < 4 {
		t.Errorf("%d stages and %d workflows only", len(stdlib.Steps()), len(stdlib.Workflows()))
	}
}

func (d *definitions) wantFields(t *testing.T, class string, fields []lua.Field) {
	t.Helper()
	if d.classes[class] == nil {
		t.Errorf("there is no class %s", class)
	}
	for _, field := range fields {
		if name := strings.Trim(field.Name, "[]"); !d.classes[class][name] && field.Name == name {
			t.Errorf("%s has no field %s", class, field.Name)
		}
	}
}

func (d *definitions) wantParams(t *testing.T, class string, params []lua.Param, which func(lua.Param) bool) {
	t.Helper()
	for _, p := range params {
		if which(p) && !d.classes[class][p.Name] {
			t.Errorf("%s has no key %s", class, p.Name)
		}
	}
}

func (d *definitions) wantFunction(t *testing.T, name, base string, fn *lua.Func) {
	t.Helper()
	declared, there := d.functions[name]
	if !there {
		t.Errorf("there is no %s", name)
		return
	}
	positional := slices.ContainsFunc(fn.Params, func(p lua.Param) bool { return p.Positional })
	rest := slices.ContainsFunc(fn.Params, func(p lua.Param) bool { return p.Rest })
	for _, p := range fn.Params {
		switch {
		case p.Positional && !slices.Contains(declared.params, p.Name):
			t.Errorf("%s takes no %s by place", name, p.Name)
		case !p.Positional && positional && !d.classes[base+".options"][p.Name]:
			t.Errorf("%s takes no %s behind the others", name, p.Name)
		case !positional && !d.classes[base+".arguments"][p.Name]:
			t.Errorf("%s takes no %s by name", name, p.Name)
		case positional && !rest && !fn.ByPlaceOnly() && (!d.classes[base+".arguments"][p.Name] || !strings.Contains(declared.overload, base+".arguments")):
			t.Errorf("%s takes no %s in one table for all", name, p.Name)
		}
		for _, field := range p.Type.Fields() {
			if !d.hasKey(p.Type, base, field.Name) {
				t.Errorf("%s: %s has no key %s", name, p.Name, field.Name)
			}
		}
	}
	if want := fn.Returns; want != "nil" && want != declared.returns {
		t.Errorf("%s returns %q, not %q", name, declared.returns, want)
	}
	if positional && (rest || fn.ByPlaceOnly()) && declared.overload != "" {
		t.Errorf("%s takes no table for all, and has the overload %s", name, declared.overload)
	}
}

// hasKey finds a key in one of the classes that a type with tables can be.
func (d *definitions) hasKey(typ lua.Type, base, key string) bool {
	found := false
	typ.Annotation(func(table lua.Type) string {
		name := table.Name()
		if name == "" { // named by where it stands
			for class, fields := range d.classes {
				found = found || strings.HasPrefix(class, base+".") && fields[key]
			}
		}
		found = found || d.classes[name][key]
		return name
	})
	return found || typ.Name() != ""
}

// TestVague finds declarations that leave an editor without knowledge.
func TestVague(t *testing.T) {
	t.Parallel()
	vague := []string{"table", "table[]", "table?", "list", "function", "function?"}
	check := func(name, typ string) {
		if slices.Contains(vague, typ) {
			t.Errorf("%s is %q: an editor cannot help with that", name, typ)
		}
	}
	for _, class := range slices.Concat(stdlib.Classes(), plans.Classes(), worlds.Classes()) {
		for _, field := range class.Fields {
			check(class.Name+"."+field.Name, field.Type)
		}
		for i := range class.Methods {
			check(class.Name+":"+class.Methods[i].Name, class.Methods[i].Returns)
		}
	}
	for _, module := range append(stdlib.Modules(stdlib.Surroundings{}), plans.DR(plans.Options{}), worlds.Module()) {
		for _, one := range append(module.Subs, module) {
			for i := range one.Funcs {
				check(one.Name+"."+one.Funcs[i].Name, one.Funcs[i].Returns)
				for _, p := range one.Funcs[i].Params {
					check(one.Name+"."+one.Funcs[i].Name+" "+p.Name, p.Type.Annotation(func(lua.Type) string { return "" }))
				}
			}
		}
	}
}
