package worlds

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"drrun/lua"
)

// refer looks up what a field of an object names, and puts the id into the Go value.
func (b *builder) refer(o *object, f *field) {
	switch f.refers {
	case "":
		return
	case "site", "export":
		b.referByText(o, f)
		return
	}
	value, given := o.table[f.key]
	to := o.value.FieldByIndex(f.index)
	path := append(slices.Clip(o.path), f.key)
	if to.Kind() == reflect.Slice {
		if !given {
			return
		}
		names := list(value)
		ids := reflect.MakeSlice(to.Type(), 0, len(names))
		for i, name := range names {
			if name == nil {
				continue
			}
			if target := b.lookUp(o, f, str(name), append(slices.Clip(path), i+1)); target != nil {
				ids = reflect.Append(ids, reflect.ValueOf(target.id))
			}
		}
		to.Set(ids)
		return
	}
	if target := b.target(o, f); target != nil {
		to.SetString(target.id)
	}
}

// target returns what a reference to one object leads to; nil where it leads nowhere, which is a finding, or nothing is named.
func (b *builder) target(o *object, f *field) *object {
	if found, done := o.targets[f.key]; done {
		return found
	}
	o.targets[f.key] = nil
	path := append(slices.Clip(o.path), f.key)
	value, given := o.table[f.key]
	name, isText := value.(string)
	switch {
	case given && !isText: // the type is wrong, which has been said
		return nil
	case name != "":
		o.targets[f.key] = b.lookUp(o, f, name, path)
	case !given && needsTarget(o, f):
		o.targets[f.key] = b.only(o, f)
	}
	return o.targets[f.key]
}

// lookUp finds an object by id or by name in the site of another one. A name that several have is decided by the data center, or by
// what stands before a slash: "lan/backup" is the profile backup of the network lan.
func (b *builder) lookUp(o *object, f *field, name string, path []any) *object {
	found := b.named[kindKey{o.site, f.refers, name}]
	if at := strings.LastIndex(name, "/"); len(found) == 0 && at > 0 {
		for _, one := range b.named[kindKey{o.site, f.refers, name[at+1:]}] {
			if b.belongsTo(one, name[:at]) {
				found = append(slices.Clip(found), one)
			}
		}
	}
	if len(found) > 1 {
		if near := b.near(o, found); len(near) > 0 {
			found = near
		}
	}
	switch {
	case len(found) == 1:
		return found[0]
	case len(o.path) > 3 && b.madeUp[pathText(o.path[:3])]: // the finding is about what it was made of
		return nil
	case len(found) == 0:
		var names []string
		for _, one := range b.named[kindKey{o.site, f.refers, ""}] {
			names = append(names, one.name)
		}
		b.add(path, "unknown-name", hintOf(name, names), "%s: %s has no %s %q", pathText(path), siteText(o.site), strings.ReplaceAll(f.refers, "_", " "), name)
	default:
		b.add(path, "ambiguous-name", "name what it belongs to as well, as in \"NETWORK/PROFILE\" or \"DATA CENTER/NETWORK\", or give the id",
			"%s: %s has %d %s named %q", pathText(path), siteText(o.site), len(found), kindWords(f.refers), name)
	}
	return nil
}

// hintOf names the nearest of the known names, else all of a few.
func hintOf(name string, known []string) string {
	if hint := lua.DidYouMean(name, known); hint != "" || len(known) == 0 {
		return hint
	}
	if len(known) > 6 {
		return "known, among others: " + strings.Join(known[:6], ", ")
	}
	return "known: " + strings.Join(known, ", ")
}

// only is what a reference that was left out means: the one object of that kind, in the same data center where there are several.
func (b *builder) only(o *object, f *field) *object {
	all := b.named[kindKey{o.site, f.refers, ""}]
	if len(all) > 1 {
		if near := b.near(o, all); len(near) == 1 {
			all = near
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	if b.wrong[b.c.At(append(slices.Clip(o.path), f.key)...)] { // it is not left out but wrong, which has been said
		return nil
	}
	what := strings.ReplaceAll(f.refers, "_", " ")
	why := "there is none"
	if len(all) > 1 {
		why = "there are " + strconv.Itoa(len(all))
	}
	b.add(o.path, "missing-key", "add "+f.key+" = \"NAME\"", "%s needs %s, the name of its %s: %s in %s", pathText(o.path), f.key, what, why, siteText(o.site))
	return nil
}

// near keeps those that are in the data center of an object.
func (b *builder) near(o *object, among []*object) []*object {
	center := b.dataCenter(o)
	if center == nil {
		return nil
	}
	var near []*object
	for _, one := range among {
		if b.dataCenter(one) == center {
			near = append(near, one)
		}
	}
	return near
}

// dataCenter follows references, and what an object is part of, up to its data center; nil where there is none.
func (b *builder) dataCenter(o *object) *object {
	if o.shape.kind == "data_center" {
		return o
	}
	if o.busy {
		return nil
	}
	o.busy = true
	defer func() { o.busy = false }()
	for _, kind := range []string{"data_center", "cluster", "network"} {
		for i := range o.shape.fields {
			f := &o.shape.fields[i]
			if f.refers != kind || f.typ.Kind() != reflect.String {
				continue
			}
			if to := b.target(o, f); to != nil {
				return b.dataCenter(to)
			}
		}
	}
	if o.parent != nil {
		return b.dataCenter(o.parent)
	}
	return nil
}

// belongsTo tells whether an object is part of, or refers to, something of that name.
func (b *builder) belongsTo(o *object, name string) bool {
	if o.parent != nil && o.parent.name == name {
		return true
	}
	for i := range o.shape.fields {
		f := &o.shape.fields[i]
		if f.refers == "" || f.refers == "site" || f.refers == "export" || f.typ.Kind() != reflect.String {
			continue
		}
		if to := b.target(o, f); to != nil && to.name == name {
			return true
		}
	}
	return false
}

// referByText checks a reference that stays a text: the name of a site, or ADDRESS:PATH of an export.
func (b *builder) referByText(o *object, f *field) {
	value := o.value.FieldByIndex(f.index)
	path := append(slices.Clip(o.path), f.key)
	one := func(text string, path []any) {
		switch {
		case text == "":
		case f.refers == "site":
			if _, ok := b.world.Site(text); !ok {
				var names []string
				for _, s := range b.world.Sites {
					names = append(names, s.Name)
				}
				b.add(path, "unknown-name", hintOf(text, names), "%s: there is no site %q", pathText(path), text)
			}
		default:
			b.needExport(text, path)
		}
	}
	if value.Kind() != reflect.Slice {
		one(value.String(), path)
		return
	}
	for i := range value.Len() {
		one(value.Index(i).String(), append(slices.Clip(path), i+1))
	}
}

// needExport finds that there is no export of that name.
func (b *builder) needExport(name string, path []any) {
	if b.exports[name] {
		return
	}
	var names []string
	for _, x := range b.world.Exports {
		names = append(names, x.Address+":"+x.Path)
	}
	b.add(path, "unknown-name", hintOf(name, names), "%s: there is no export %q", pathText(path), name)
}
