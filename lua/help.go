package lua

import (
	"fmt"
	"slices"
	"strings"

	"drrun/engine"

	glua "github.com/yuin/gopher-lua"
)

// Help returns what is declared of what an expression leads to, such as ctx.target:vm or dns.lookup, or of a class or method of that name;
// "" where nothing is.
func (s *Scope) Help(t *engine.Task, expression string) (text string) {
	expression = strings.TrimSuffix(strings.TrimSpace(expression), "()")
	t.WithBaton(func() {
		links, start := chain(expression, len(expression))
		if start == 0 {
			text = s.helpOf(s.follow(t, links), expression)
		}
		if text == "" {
			text = s.helpByName(expression)
		}
	})
	return text
}

func (s *Scope) helpOf(at known, name string) string {
	switch value := at.value.(type) {
	case *glua.LUserData:
		if object, ok := value.Value.(*Object); ok {
			return classHelp(object.class)
		}
	case *glua.LTable:
		return s.tableHelp(value, name)
	}
	switch {
	case at.fn != nil:
		return funcHelp(name, at.fn)
	case at.class != nil:
		return classHelp(at.class)
	}
	return ""
}

// helpByName finds classes, methods and modules of that name.
func (s *Scope) helpByName(name string) string {
	var found []string
	for _, class := range s.Classes {
		if class.Name == name {
			found = append(found, classHelp(class))
		}
		for i := range class.Methods {
			if class.Methods[i].Name == name {
				found = append(found, funcHelp(class.Name+":"+name, &class.Methods[i]))
			}
		}
	}
	for i := range s.rt.options.Modules {
		module := &s.rt.options.Modules[i]
		short, fn, _ := strings.Cut(name, ".")
		switch {
		case module.Name == name:
			found = append(found, moduleHelp(module))
		case module.Name == short:
			for j := range module.Funcs {
				if module.Funcs[j].Name == fn {
					found = append(found, funcHelp(name, &module.Funcs[j]))
				}
			}
		}
	}
	return strings.Join(found, "\n")
}

// tableHelp lists the functions of a table: a module is one.
func (s *Scope) tableHelp(table *glua.LTable, name string) string {
	if inner := unfrozen(table); inner != nil {
		table = inner
	}
	var b strings.Builder
	names := keysOf(table)
	slices.Sort(names)
	for _, key := range names {
		if fn, ok := table.RawGetString(key).(*glua.LFunction); ok && s.rt.declared[fn] != nil {
			b.WriteString("  " + signature(name+"."+key, s.rt.declared[fn]) + "\n      " + firstSentence(s.rt.declared[fn].Doc) + "\n")
		}
	}
	return b.String()
}

func moduleHelp(m *Module) string {
	var b strings.Builder
	fmt.Fprintf(&b, "require %q: %s\n", m.Name, m.Doc)
	for i := range m.Funcs {
		b.WriteString("  " + signature(m.Name+"."+m.Funcs[i].Name, &m.Funcs[i]) + "\n      " + firstSentence(m.Funcs[i].Doc) + "\n")
	}
	return b.String()
}

func classHelp(c *Class) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", c.Name, c.Doc)
	for i := range c.Fields {
		fmt.Fprintf(&b, "  .%s (%s)\n      %s\n", c.Fields[i].Name, c.Fields[i].Type, firstSentence(c.Fields[i].Doc))
	}
	for i := range c.Methods {
		b.WriteString("  " + signature(":"+c.Methods[i].Name, &c.Methods[i]) + "\n      " + firstSentence(c.Methods[i].Doc) + "\n")
	}
	return b.String()
}

func funcHelp(name string, fn *Func) string {
	var b strings.Builder
	b.WriteString(signature(name, fn) + "\n  " + fn.Doc + "\n")
	switch fn.Effect {
	case Observes:
		b.WriteString("  It only looks.\n")
	case Changes:
		b.WriteString("  It changes an engine.\n")
	case Durable:
		b.WriteString("  A run records it, and does it once.\n")
	}
	for _, p := range fn.Params {
		note := ""
		switch {
		case p.Default != nil:
			note = fmt.Sprintf("; default %v", p.Default)
		case p.Optional:
			note = "; optional"
		}
		fmt.Fprintf(&b, "    %s (%s%s): %s\n", p.Name, p.Type, note, p.Doc)
	}
	return b.String()
}

// signature is how a function is called: positional arguments in round brackets, else named ones.
func signature(name string, fn *Func) string {
	var places, names []string
	for _, p := range fn.Params {
		text := p.Name
		if p.Optional || p.Default != nil {
			text += "?"
		}
		if p.Positional {
			places = append(places, text)
		} else {
			names = append(names, text+" =")
		}
	}
	named := "{ " + strings.Join(names, ", ") + " }"
	text := name + "(" + strings.Join(places, ", ") + ")"
	switch {
	case len(names) > 0 && len(places) == 0:
		text = name + " " + named
	case len(names) > 0:
		text = name + "(" + strings.Join(append(places, named), ", ") + ")"
	}
	if fn.Returns != "" && fn.Returns != "nil" {
		text += " → " + fn.Returns
	}
	return text
}

func firstSentence(doc string) string {
	if first, _, more := strings.Cut(doc, ". "); more {
		return first + "."
	}
	return doc
}
