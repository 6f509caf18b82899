package worlds

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"drrun/lua"
	"drrun/ovirt/lab"
)

// refer looks up what a field of an object names, and puts the id into the Go value.
func (b *builder) refer(o *object, f *field) {
	switch {
	case f.refers == "":
		return
	case slices.Contains(byText, f.refers):
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

// kindsOf are the kinds of object that a reference may lead to; none where it holds a text that is looked up nowhere.
func kindsOf(o *object, f *field) []string {
	if f.refers != "permission.object" {
		return strings.Split(f.refers, "|")
	}
	if kind := str(o.table["object"]); kind != "system" && kind != "" {
		return []string{kind}
	}
	return nil
}

// lookUp finds an object by id or by name in the site of another one. A name that several have is decided by the data center, or by
// what stands before a slash: "lan/backup" is the profile backup of the network lan.
func (b *builder) lookUp(o *object, f *field, name string, path []any) *object {
	kinds := kindsOf(o, f)
	if kinds == nil {
		return nil
	}
	var found []*object
	for _, kind := range kinds {
		site := siteOfKind(o.site, kind)
		of := b.named[kindKey{site, kind, name}]
		if at := strings.LastIndex(name, "/"); len(of) == 0 && at > 0 {
			for _, one := range b.named[kindKey{site, kind, name[at+1:]}] {
				if b.belongsTo(one, name[:at]) {
					of = append(slices.Clip(of), one)
				}
			}
		}
		if len(of) == 0 {
			if id := b.everywhere(o.site, kind, name); id != "" {
				of = []*object{{shape: &shape{kind: kind}, id: id, name: name}}
			}
		}
		found = append(found, of...)
	}
	if len(found) > 1 {
		if near := b.near(o, found); len(near) > 0 {
			found = near
		}
	}
	what, where := kindWord(strings.Join(kinds, " or ")), siteText(o.site)
	if kinds[0] == "lun" {
		where = "the world"
	}
	switch {
	case len(found) == 1:
		return found[0]
	case len(o.path) > 3 && b.madeUp[pathText(o.path[:3])]: // the finding is about what it was made of
		return nil
	case len(found) == 0:
		var names []string
		for _, kind := range kinds {
			for _, one := range b.named[kindKey{siteOfKind(o.site, kind), kind, ""}] {
				names = append(names, one.name)
			}
		}
		if slices.Contains(kinds, "role") {
			for _, r := range lab.PredefinedRoles() {
				names = append(names, r.Name)
			}
		}
		b.add(path, "unknown-name", hintOf(name, names), "%s: %s has no %s %q", pathText(path), where, what, name)
	default:
		b.add(path, "ambiguous-name", "name what it belongs to as well, as in \"NETWORK/PROFILE\" or \"DATA CENTER/NETWORK\", or give the id",
			"%s: %s has %d %s named %q", pathText(path), siteText(o.site), len(found), kindWords(kinds[0]), name)
	}
	return nil
}

// siteOfKind is where objects of a kind are looked up from a site: LUNs are no site's.
func siteOfKind(site, kind string) string {
	if kind == "lun" {
		return ""
	}
	return site
}

// everywhere is the id of what every engine has without a word of the file, and of VM pools, which VMs name; "" is nothing.
func (b *builder) everywhere(site, kind, name string) string {
	switch kind {
	case "role":
		for _, r := range lab.PredefinedRoles() {
			if r.Name == name || r.ID == name {
				return r.ID
			}
		}
	case "group":
		if name == "Everyone" || name == lab.EveryoneID {
			return lab.EveryoneID
		}
	case "vm_pool":
		if s, ok := b.world.Site(site); ok && slices.ContainsFunc(s.VMs, func(v lab.VM) bool { return v.Pool == name }) {
			return lab.PoolID(site, name)
		}
	}
	return ""
}

// hintOf names the nearest of the known names, else all of a few.
func hintOf(name string, known []string) string {
	known = slices.Compact(slices.Clone(known))
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
	var all []*object
	for _, kind := range kindsOf(o, f) {
		all = append(all, b.named[kindKey{o.site, kind, ""}]...)
	}
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
	what := kindWord(f.refers)
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

// belongsTo tells whether an object is part of, or refers to, something of that name, or is in the data center of that name.
func (b *builder) belongsTo(o *object, name string) bool {
	if o.parent != nil && o.parent.name == name {
		return true
	}
	if center := b.dataCenter(o); center != nil && center.name == name {
		return true
	}
	for i := range o.shape.fields {
		f := &o.shape.fields[i]
		if f.refers == "" || slices.Contains(byText, f.refers) || f.typ.Kind() != reflect.String {
			continue
		}
		if to := b.target(o, f); to != nil && to.name == name {
			return true
		}
	}
	return false
}

// referByText checks a reference that stays a text.
func (b *builder) referByText(o *object, f *field) {
	value := o.value.FieldByIndex(f.index)
	path := append(slices.Clip(o.path), f.key)
	known := b.texts(o, f.refers)
	one := func(text string, path []any) {
		if text != "" && !slices.Contains(known, text) {
			b.add(path, "unknown-name", hintOf(text, known), "%s: there is no %s %q", pathText(path), textKinds[f.refers], text)
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

// textKinds names what byText holds.
var textKinds = map[string]string{"site": "site", "export": "export", "lun_set": "LUN set", "target": "target", "any_host": "host", "own_group": "group", "permit": "permit"}

// texts are the names that a reference of byText can hold.
func (b *builder) texts(o *object, kind string) []string {
	var names []string
	switch kind {
	case "site":
		for _, s := range b.world.Sites {
			names = append(names, s.Name)
		}
	case "export":
		for _, x := range b.world.Exports {
			names = append(names, lab.ExportName(x.Address, x.Path))
		}
		names = append(names, b.texts(o, "lun_set")...)
	case "lun_set":
		for _, s := range b.world.LUNSets {
			names = append(names, s.Name)
		}
	case "target":
		for _, t := range b.world.Targets {
			names = append(names, t.Name)
		}
	case "any_host":
		for _, s := range b.world.Sites {
			for _, h := range s.Hosts {
				names = append(names, h.Name)
			}
		}
	case "own_group":
		if d, ok := o.parent.value.Interface().(lab.AAADomain); ok {
			for _, g := range d.Groups {
				names = append(names, g.Name)
			}
		}
	case "permit":
		names = lab.Permits()
	}
	return names
}

// place finds that a storage domain lies nowhere: on no export, on one that there is not, or on a LUN set besides.
func (b *builder) place(o *object, d *lab.StorageDomain) {
	name := lab.ExportName(d.Address, d.Path)
	switch {
	case b.wrongInside(o, "address", "path", "lun_set"):
	case o.table["lun_set"] != nil && name != "":
		b.add(append(slices.Clip(o.path), "lun_set"), "bad-argument", "leave one of them out", "storage domain %q lies on an export, address and path, or on a LUN set", d.Name)
	case o.table["lun_set"] != nil:
	case d.Path == "":
		b.add(o.path, "missing-key", "add address and path, or lun_set", "storage domain %q lies nowhere", d.Name)
	case !b.exports[name]:
		b.add(append(slices.Clip(o.path), "path"), "unknown-name", hintOf(name, b.texts(o, "export")), "%s: there is no export %q", pathText(append(slices.Clip(o.path), "path")), name)
	}
}

// wrongInside tells that the type of one of these keys was wrong, which has been said.
func (b *builder) wrongInside(o *object, keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool {
		pos := b.c.At(append(slices.Clip(o.path), key)...)
		return pos != b.c.At(o.path...) && b.wrong[pos]
	})
}
