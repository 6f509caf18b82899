package lua

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"drrun/engine"

	glua "github.com/yuin/gopher-lua"
)

var moduleName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// IsModuleName tells whether require looks for a module of that name.
func IsModuleName(name string) bool { return moduleName.MatchString(name) }

// luaRequire is require: the plan's folders first would let a file shadow "dr", so built-in modules come first.
func (rt *Runtime) luaRequire(L *glua.LState) int {
	name := L.CheckString(1)
	site, info := rt.site(L, "require"), rt.threads[L]
	before := info.requires
	if site.src != nil && !site.src.builtin {
		info.requires = append(slices.Clip(before), fmt.Sprintf("required as %q at %s", name, site.at(nil, false)))
	}
	value, err := rt.require(info.task, L, name)
	info.requires = before
	if err != nil {
		var d *Diagnostic
		if !errors.As(err, &d) {
			err = located(err, site)
		} else if d.Pos.Line == 0 && (site.src == nil || !site.src.builtin) {
			site.names = []string{"name"}
			d.Pos = site.at([]any{"name"}, false)
			if site.src != nil {
				d.Source = site.src.line(d.Pos.Line)
			}
		} else if site.src != nil && !site.src.builtin {
			d.Notes = append(d.Notes, fmt.Sprintf("required as %q at %s", name, site.at(nil, false)))
		}
		return rt.raiseOrNote(L, err)
	}
	L.Push(value)
	return 1
}

// addRequires adds how a file came to be loaded to a finding in it.
func (th *thread) addRequires(d *Diagnostic) {
	if th == nil {
		return
	}
	for _, note := range slices.Backward(th.requires) {
		d.Notes = append(d.Notes, note)
	}
}

func (rt *Runtime) require(t *engine.Task, parent *glua.LState, name string) (glua.LValue, error) {
	var chain []string
	outer := rt.outer(t, parent)
	if outer != nil {
		chain = outer.loading
	}
	for {
		module, known := rt.loaded[name]
		if !known {
			break
		}
		if module.value != nil {
			return module.value, nil
		}
		if slices.Contains(chain, name) {
			return nil, &Diagnostic{Code: "require-cycle", Message: fmt.Sprintf("module %q requires itself: %s", name, strings.Join(append(slices.Clone(chain), name), " → "))}
		}
		t.Await(module.done) // another task is at it; when it fails this one tries again
	}
	if !IsModuleName(name) {
		return nil, &Diagnostic{Code: "no-module", Message: fmt.Sprintf("%q is no module name", name), Hint: "names of letters, digits, - and _ with dots between folders: require \"site.netapp\""}
	}
	module := &loadedModule{done: make(chan struct{})}
	rt.loaded[name] = module
	defer close(module.done)
	if outer != nil {
		outer.loading = append(slices.Clip(chain), name)
		defer func() { outer.loading = chain }()
	}
	value, err := rt.find(t, parent, name)
	if err != nil {
		delete(rt.loaded, name)
		return nil, err
	}
	if value == glua.LNil && !rt.builtin(name) {
		delete(rt.loaded, name)
		return nil, &Diagnostic{Code: "module-returns-nothing", Message: fmt.Sprintf("module %q returns nothing", name), Hint: "end its file with return: of a library the value of dr.library { … }"}
	}
	module.value = value
	return value, nil
}

func (rt *Runtime) find(t *engine.Task, parent *glua.LState, name string) (glua.LValue, error) {
	for i := range rt.options.Modules {
		if rt.options.Modules[i].Name == name {
			return rt.moduleTable(&rt.options.Modules[i]), nil
		}
	}
	file := fileOf(name)
	if rt.options.Embedded != nil {
		if text, err := fs.ReadFile(rt.options.Embedded, file); err == nil {
			return rt.runBuiltin(t, parent, "builtin:"+file, text)
		}
	}
	var tried []string
	for _, folder := range rt.options.Path {
		path := filepath.Join(folder, filepath.FromSlash(file))
		text, err := rt.read(path)
		if errors.Is(err, fs.ErrNotExist) {
			tried = append(tried, path)
			continue
		}
		if err != nil {
			return nil, &Diagnostic{Code: "file", Message: fmt.Sprintf("read %s: %v", path, cause(err)), Err: err}
		}
		rt.files[path] = text
		return rt.runText(t, parent, path, text)
	}
	return nil, rt.noModule(name, tried)
}

// noModule is the finding about a name that no file and no module of drrun has.
func (rt *Runtime) noModule(name string, tried []string) *Diagnostic {
	var names []string
	for i := range rt.options.Modules {
		names = append(names, rt.options.Modules[i].Name)
	}
	d := &Diagnostic{Code: "no-module", Message: fmt.Sprintf("no module %q", name), Hint: cmp.Or(rt.partOf(name), DidYouMean(name, names))}
	for _, path := range tried {
		d.Notes = append(d.Notes, "no file "+path)
	}
	return d
}

// missing is why require would not find a module; nil where it would, and where only loading it can tell.
func (rt *Runtime) missing(name string) *Diagnostic {
	if _, loaded := rt.loaded[name]; loaded || !IsModuleName(name) || rt.builtin(name) {
		return nil
	}
	var tried []string
	for _, folder := range rt.options.Path {
		path := filepath.Join(folder, filepath.FromSlash(fileOf(name)))
		if _, err := rt.read(path); !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		tried = append(tried, path)
	}
	return rt.noModule(name, tried)
}

// partOf is a hint about a name that is no module, and a part of one: secret is dr.secret.
func (rt *Runtime) partOf(name string) string {
	for i := range rt.options.Modules {
		module := &rt.options.Modules[i]
		is := func(part string) bool { return part == name || part == module.Name+"."+name }
		if slices.ContainsFunc(module.Funcs, func(f Func) bool { return is(f.Name) }) || slices.ContainsFunc(module.Subs, func(m Module) bool { return is(m.Name) }) {
			return fmt.Sprintf("%s.%s is a part of the module %s: local %s = require %q", module.Name, name, module.Name, module.Name, module.Name)
		}
	}
	return ""
}

// read returns the text of a file, as it was read ahead where it was.
func (rt *Runtime) read(path string) ([]byte, error) {
	if text, known := rt.ahead[path]; known {
		return text, nil
	}
	return rt.options.ReadFile(path)
}

// builtin tells whether a module is part of drrun.
func (rt *Runtime) builtin(name string) bool {
	if slices.ContainsFunc(rt.options.Modules, func(m Module) bool { return m.Name == name }) {
		return true
	}
	if rt.options.Embedded == nil {
		return false
	}
	_, err := fs.Stat(rt.options.Embedded, fileOf(name))
	return err == nil
}

// moduleTable makes the frozen table of a module.
func (rt *Runtime) moduleTable(m *Module) *glua.LTable {
	inner := rt.state.NewTable()
	for i := range m.Funcs {
		inner.RawSetString(m.Funcs[i].Name, rt.function(m.Name, &m.Funcs[i], nil))
	}
	for i := range m.Subs {
		sub := &m.Subs[i]
		inner.RawSetString(sub.Name[strings.LastIndex(sub.Name, ".")+1:], rt.moduleTable(sub))
	}
	for name, value := range m.Fields {
		inner.RawSetString(name, rt.toLua(value))
	}
	table := rt.frozen(m.Name, inner)
	if len(m.Lua) > 0 {
		meta := table.Metatable.(*glua.LTable)
		plain := meta.RawGetString("__index").(*glua.LFunction)
		meta.RawSetString("__index", rt.state.NewFunction(func(L *glua.LState) int {
			if module, lazy := m.Lua[L.Get(2).String()]; lazy {
				value, err := rt.require(rt.task(L), L, module)
				if err != nil {
					rt.raise(L, err)
				}
				L.Push(value)
				return 1
			}
			return plain.GFunction(L)
		}))
	}
	return table
}
