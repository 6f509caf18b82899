package worlds

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"drrun/lua"
	"drrun/ovirt/lab"
)

// builder makes a lab.World of the checked arguments of lab.world: it fills the Go values, gives ids to what has none, looks up what
// is named, and then fills in what was left out.
type builder struct {
	c      *lua.Call
	shapes *shapes
	world  lab.World
	wrong  map[lua.Pos]bool // places where the types are wrong: nothing more is said about them
	found  lua.Diagnostics

	objects []*object // in the order of the file
	named   map[kindKey][]*object
	exports map[string]bool // ADDRESS:PATH, and the names of LUN sets
	madeUp  map[string]bool // lists that are not in the file, as paths
}

// kindKey is where a name is looked up.
type kindKey struct{ site, kind, name string }

// object is a struct of the world that was filled from a table.
type object struct {
	shape  *shape
	value  reflect.Value
	table  map[string]any
	path   []any
	parent *object
	site   string // name of the site that it belongs to; "" outside of sites
	name   string
	id     string

	targets map[string]*object // by key: what its references lead to
	busy    bool               // its data center is being looked for
	taken   bool               // another object has the id that was made of its name
}

func newBuilder(c *lua.Call, known *shapes) *builder {
	b := &builder{c: c, shapes: known, wrong: map[lua.Pos]bool{}, named: map[kindKey][]*object{}, exports: map[string]bool{}, madeUp: map[string]bool{}}
	b.found = c.Findings()
	for _, d := range b.found {
		b.wrong[d.Pos] = true
	}
	return b
}

func (b *builder) build() {
	table := map[string]any{}
	for _, f := range b.shapes.world.fields {
		if b.c.Has(f.key) {
			table[f.key] = b.c.Value(f.key)
		}
	}
	for i, site := range list(table["sites"]) {
		if complete(site) {
			b.madeUp[fmt.Sprintf("sites[%d].vnic_profiles", i+1)] = true
		}
	}
	b.fill(b.shapes.world, reflect.ValueOf(&b.world).Elem(), table, nil, nil)
	for _, o := range b.objects {
		b.identify(o)
	}
	for _, o := range b.objects {
		for i := range o.shape.fields {
			b.refer(o, &o.shape.fields[i])
		}
		if d, ok := o.value.Addr().Interface().(*lab.StorageDomain); ok {
			b.place(o, d)
		}
	}
	for _, o := range b.objects {
		b.fillIn(o)
	}
	for _, o := range b.objects {
		b.sense(o)
	}
	b.check()
}

func (b *builder) findings() lua.Diagnostics { return b.found }

func (b *builder) add(path []any, code, hint, format string, args ...any) {
	b.found = append(b.found, finding(b.c.At(path...), code, hint, format, args...))
}

// fill sets a struct from a table and everything inside it. Wrong values are missing from the table.
func (b *builder) fill(of *shape, v reflect.Value, table map[string]any, path []any, parent *object) {
	o := &object{shape: of, value: v, table: table, path: path, parent: parent, targets: map[string]*object{}}
	if parent != nil {
		o.site = parent.site
	}
	if of.kind == "site" {
		o.site, _ = table["name"].(string)
	}
	b.objects = append(b.objects, o)
	for i := range of.fields {
		f := &of.fields[i]
		value, given := table[f.key]
		if !given || value == nil || f.refers != "" && !slices.Contains(byText, f.refers) {
			continue
		}
		b.set(f, v.FieldByIndex(f.index), value, append(slices.Clip(path), f.key), o)
	}
}

// set puts a checked value into a Go value.
func (b *builder) set(f *field, to reflect.Value, value any, path []any, in *object) {
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		b.set(f, to.Elem(), value, path, in)
	case reflect.Struct:
		if to.Type() == reflect.TypeFor[time.Time]() {
			t, err := time.Parse(time.RFC3339, str(value))
			if err != nil {
				b.add(path, "bad-argument", "write it as 2026-11-20T18:30:00Z", "%s is not a time: %q", pathText(path), str(value))
			}
			to.Set(reflect.ValueOf(t))
			return
		}
		table, _ := value.(map[string]any)
		b.fill(f.inside, to, table, path, in)
	case reflect.Slice:
		values := list(value)
		to.Set(reflect.MakeSlice(to.Type(), len(values), len(values)))
		for i, one := range values {
			if one != nil {
				b.set(f, to.Index(i), one, append(slices.Clip(path), i+1), in)
			}
		}
	case reflect.Map:
		table, _ := value.(map[string]any)
		to.Set(reflect.MakeMapWithSize(to.Type(), len(table)))
		for key, one := range table {
			inside := reflect.New(to.Type().Elem()).Elem()
			b.set(f, inside, one, append(slices.Clip(path), key), in)
			to.SetMapIndex(reflect.ValueOf(key), inside)
		}
	default:
		to.Set(number(value, to.Type()))
	}
}

// number converts what the checker gives to the Go type of a field: float64 for every number of Lua, int64 for a size.
func number(value any, to reflect.Type) reflect.Value {
	v := reflect.ValueOf(value)
	if v.CanConvert(to) && (v.Kind() == to.Kind() || v.CanFloat() || v.CanInt()) {
		return v.Convert(to)
	}
	return reflect.Zero(to)
}

// identify gives an object its name, an id where the file gives none, and its place among those that can be referred to. A derived id
// depends on the names of the object and of what it belongs to, so it stays when something else is added.
func (b *builder) identify(o *object) {
	switch x := o.value.Addr().Interface().(type) {
	case *lab.Export:
		b.exports[lab.ExportName(x.Address, x.Path)] = true
	case *lab.LUNSet:
		b.exports[x.Name] = true
	case *lab.Site:
		if x.InstanceID == "" {
			x.InstanceID = lab.ID(x.Name + "/engine")
		}
	}
	nameUnnamed(o)
	for _, f := range o.shape.fields {
		if f.json == "name" || (f.json == "alias" || f.json == "login") && o.name == "" {
			o.name = o.value.FieldByIndex(f.index).String()
		}
	}
	at := slices.IndexFunc(o.shape.fields, func(f field) bool { return f.json == "id" })
	if o.shape.kind == "" || at < 0 {
		return
	}
	id := o.value.FieldByIndex(o.shape.fields[at].index)
	if id.String() == "" {
		id.SetString(madeID(o))
	}
	o.id = id.String()
	byID, byName := kindKey{o.site, o.shape.kind, o.id}, kindKey{o.site, o.shape.kind, o.name}
	if first := b.named[byID]; len(first) > 0 && o.id != lab.BlankID {
		if o.taken = o.table["id"] == nil; !o.taken {
			b.add(append(slices.Clip(o.path), "id"), "duplicate", "give each an id of its own", "%s has two %s with the id %s: %s and %s", siteText(o.site), kindWords(o.shape.kind), o.id, first[0].name, o.name)
		}
		return
	}
	b.named[byID] = append(b.named[byID], o)
	if o.name != "" && o.name != o.id {
		b.named[byName] = append(b.named[byName], o)
	}
	all := kindKey{o.site, o.shape.kind, ""}
	b.named[all] = append(b.named[all], o)
}

// madeID is the id of an object to which the file gives none. The id of a LUN is its WWID.
func madeID(o *object) string {
	if o.shape.kind == "lun" {
		return "36001405" + strings.ReplaceAll(lab.ID(o.name), "-", "")[:25]
	}
	return lab.ID(idName(o))
}

// idName is the text that the id of an object is derived from: primary/vm/web01/disk/web01_Disk1. Networks of several data centers,
// and profiles of several networks, may have one name.
func idName(o *object) string {
	own := o.shape.kind + "/" + o.name
	if o.name == "" {
		own += strconv.Itoa(o.index())
	}
	switch of, _ := o.table[map[string]string{"network": "data_center", "vnic_profile": "network"}[o.shape.kind]].(string); {
	case of == "" || of == o.name:
	case o.shape.kind == "vnic_profile" || len(o.parent.value.Interface().(lab.Site).DataCenters) > 1:
		own = o.shape.kind + "/" + of + "/" + o.name
	}
	switch {
	case o.parent == nil || o.parent.shape.kind == "world":
		return own
	case o.parent.shape.kind == "site":
		return o.site + "/" + own
	}
	return idName(o.parent) + "/" + own
}

func siteText(site string) string {
	if site == "" {
		return "the world"
	}
	return "site " + strconv.Quote(site)
}

// kindWord names a kind, kindWords in the plural.
func kindWord(kind string) string {
	for _, spelled := range []string{"VM", "LUN", "NIC", "VM pool", "vNIC profile", "MAC pool"} {
		if strings.EqualFold(spelled, strings.ReplaceAll(kind, "_", " ")) {
			return spelled
		}
	}
	return strings.ReplaceAll(kind, "_", " ")
}
func kindWords(kind string) string { return plural(kindWord(kind)) }

// check runs what the lab itself asks of a world, when nothing is wrong yet.
func (b *builder) check() {
	if b.c.Has("sites") && len(b.world.Sites) > 0 {
		for _, need := range []string{"primary", "secondary"} {
			if _, ok := b.world.Site(need); !ok {
				b.add([]any{"sites"}, "missing-site", "a lab serves exactly the sites \"primary\" and \"secondary\"", "there is no site %q", need)
			}
		}
		for i, s := range b.world.Sites {
			if s.Name != "primary" && s.Name != "secondary" && s.Name != "" {
				b.add([]any{"sites", i + 1, "name"}, "unknown-site", lua.DidYouMean(s.Name, []string{"primary", "secondary"}), "a lab has no site %q", s.Name)
			}
		}
	}
	if len(b.found) > 0 {
		return
	}
	for _, err := range b.world.Problems() {
		hint := ""
		var known *lab.ControlError
		if errors.As(err, &known) {
			hint = known.Hint()
		}
		b.add(b.about(err.Error()), "bad-world", hint, "%s", err)
	}
}

// about finds the object that a message of the lab names: its kind, its name, and its site; of a fault, its number.
func (b *builder) about(text string) []any {
	var n int
	if _, err := fmt.Sscanf(text, "fault %d:", &n); err == nil {
		return []any{"faults", n}
	}
	var path []any
	longest := 0
	for _, o := range b.objects {
		name := strings.ReplaceAll(o.shape.kind, "_", " ") + " " + o.name
		if o.name == "" || o.site != "" && !strings.Contains(text, siteText(o.site)) || len(name) <= longest {
			continue
		}
		if strings.Contains(strings.ToLower(text), strings.ToLower(name)) {
			path, longest = o.path, len(name)
		}
	}
	return path
}

func list(value any) []any {
	l, _ := value.([]any)
	return l
}

func str(value any) string {
	s, _ := value.(string)
	return s
}

// pathText renders the path of a value as Lua: sites[1].vms[3].cluster.
func pathText(path []any) string {
	var b strings.Builder
	for i, part := range path {
		switch v := part.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(v) + "]")
		case string:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(v)
		}
	}
	return b.String()
}
