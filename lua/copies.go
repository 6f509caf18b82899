package lua

import (
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// A field of an object that is a table is copied each time it is read: the object keeps its own. A function that makes an object of a table
// copies it too. Who changes such a table believes to have changed the object, so that is looked for when the files have run.

// withoutEffect is a table whose change would have no effect.
type withoutEffect struct {
	table, was *glua.LTable
	name       string // of the table, in front of the key that is changed
	message    string // what is said behind the name of what has changed
	hint       string
	site       *callSite
	requires   []string // how the file was required
}

// maxWatchedTables bounds how many tables are kept to be looked at: a loop that reads a field each time would fill the memory.
const maxWatchedTables = 50_000

// watchCopy looks at what a file has read from a field of an object.
func (rt *Runtime) watchCopy(L *glua.LState, class *Class, field string, value glua.LValue) {
	if class.CopyHint != "" {
		rt.watch(L, value, rt.site(L, ""), withoutEffect{name: class.Name + "." + field, hint: class.CopyHint,
			message: "is changed in a copy: what is read here is a table of its own, and changing it has no effect"})
	}
}

// watchArgument looks at the table of which a function has made what it returns.
func (rt *Runtime) watchArgument(L *glua.LState, fn *Func, name string, args []glua.LValue, site *callSite) {
	if fn.CopyHint != "" && len(args) > 0 {
		rt.watch(L, args[0], site, withoutEffect{hint: fn.CopyHint, message: "is changed below " + name + ", which has read it: the change has no effect"})
	}
}

func (rt *Runtime) watch(L *glua.LState, value glua.LValue, site *callSite, w withoutEffect) {
	c := rt.collecting
	table, isTable := value.(*glua.LTable)
	if c == nil || !isTable || rt.threads[L] == nil || site.src == nil || site.src.builtin {
		return
	}
	w.table, w.was, w.site, w.requires = table, rt.duplicate(table, &c.watchedTables), site, rt.threads[L].requires
	if w.was != nil {
		c.watched = append(c.watched, w)
	}
}

// duplicate copies a table with those in it, nil when that would be too many.
func (rt *Runtime) duplicate(table *glua.LTable, count *int) *glua.LTable {
	if *count++; *count > maxWatchedTables {
		return nil
	}
	copied := rt.state.NewTable()
	for key, value := table.Next(glua.LNil); key != glua.LNil; key, value = table.Next(key) {
		if inner, isTable := value.(*glua.LTable); isTable {
			within := rt.duplicate(inner, count)
			if within == nil {
				return nil
			}
			value = within
		}
		copied.RawSet(key, value)
	}
	return copied
}

// changesWithoutEffect finds the tables that a file has changed in vain, once for each place.
func (rt *Runtime) changesWithoutEffect() Diagnostics {
	var found Diagnostics
	reported := map[string]bool{}
	for _, w := range rt.collecting.watched {
		where, changed := difference(w.name, w.was, w.table)
		if !changed {
			continue
		}
		d := w.site.finding(strings.TrimPrefix(where, ".")+" "+w.message, "frozen")
		if reported[d.Pos.String()] {
			continue
		}
		reported[d.Pos.String()] = true
		d.Hint, d.Notes = w.hint, w.requires
		found = append(found, d)
	}
	return found
}

// difference names the first place where a value is no longer what it was.
func difference(path string, was, is glua.LValue) (place string, changed bool) {
	before, wasTable := was.(*glua.LTable)
	after, isTable := is.(*glua.LTable)
	if !wasTable || !isTable {
		return path, was != is
	}
	for _, key := range otherKeys(before, 0) {
		if place, changed := difference(path+keyIn(key), before.RawGet(key), after.RawGet(key)); changed {
			return place, true
		}
	}
	for _, key := range otherKeys(after, 0) {
		if before.RawGet(key) == glua.LNil {
			return path + keyIn(key), true
		}
	}
	return path, false
}

// keyIn is a key as it follows the name of its table.
func keyIn(key glua.LValue) string {
	if text, isText := key.(glua.LString); isText && plainKey.MatchString(string(text)) {
		return "." + string(text)
	} else if isText {
		return "[" + Quote(string(text)) + "]"
	}
	return fmt.Sprintf("[%s]", key)
}
