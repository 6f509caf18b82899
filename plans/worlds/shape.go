package worlds

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"

	"drrun/lua"
	"drrun/ovirt/lab"
)

// shape is a struct of lab.World as Lua sees it.
type shape struct {
	typ    reflect.Type
	kind   string // "vm", "storage_domain"; "" for what is no object with an id
	fields []field
}

// field is a key of a table.
type field struct {
	key      string // in Lua
	json     string
	index    []int
	typ      reflect.Type
	refers   string // the kind of object whose id it holds, or of byText; "" is no reference
	inside   *shape // of a struct, or of the structs in a list
	needed   bool   // has no meaning when it is left out, and no default
	optional bool   // Go leaves it out too where it is empty
	words    []string
	size     bool
}

// references are the fields whose names do not tell what they refer to, as KIND.FIELD or FIELD. Several kinds stand with a bar
// between them; byText says which are no kinds of objects.
var references = map[string]string{
	"profile_id": "vnic_profile", "base_id": "template", "pinned_to": "host", "lease_domain_id": "storage_domain",
	"vm_label_ids": "affinity_label", "host_label_ids": "affinity_label",
	"tag.parent_id": "tag", "cpu_profile.parent_id": "cluster", "disk_profile.parent_id": "storage_domain",
	"cluster_limit.object_id": "cluster", "storage_limit.object_id": "storage_domain",
	"user_id": "user|group", "permission.object_id": "permission.object",
	"lun": "lun",

	"blind": "export", "replication.source": "export", "replication.target": "export", "fault.export": "export",
	"storage_domain.lun_set": "lun_set", "lun_set.target": "target", "lun_set.hosts": "any_host", "user.groups": "own_group",
	"role.permits": "permit", "site": "site", "asked": "site",
}

// byText are the kinds of what is held by its name instead of an id.
var byText = []string{"site", "export", "lun_set", "target", "any_host", "own_group", "permit"}

// keys are those of references whose name would say less.
var keys = map[string]string{
	"cpu_profile.parent_id": "cluster", "disk_profile.parent_id": "storage_domain", "cluster_limit.object_id": "cluster",
	"storage_limit.object_id": "storage_domain",
}

// plain are the fields that look like references and are none.
var plain = []string{"instance_id"}

// words are the texts that a field can be.
var words = map[string][]string{
	"data_center.storage_format": {"v1", "v2", "v3", "v4", "v5"},
	"storage_domain.format":      {"v1", "v2", "v3", "v4", "v5"},
	"vm.status":                  {"", "suspended", "image_locked", "paused"},
	"vm.backup":                  {"", "initializing", "starting", "ready", "finalizing"},
	"disk.status":                {"", "ok", "locked", "illegal"},
	"data_center.quota_mode":     {"disabled", "audit", "enabled"},
	"cluster.bios_type":          {"", "cluster_default", "i440fx_sea_bios", "q35_ovmf", "q35_sea_bios", "q35_secure_boot"},
	"export.type":                {"nfs", "glusterfs", "posixfs"},
	"lun_set.type":               {"iscsi", "fcp"},
	"storage_domain.type":        {"data", "iso"},
	"permission.object":          {"system", "data_center", "cluster", "host", "storage_domain", "vm", "vm_pool", "template", "disk", "network", "vnic_profile"},
	"qos.type":                   {"storage", "cpu", "network", "hostnetwork"},
	"fault.kind":                 lab.FaultKinds(),
	"fault.reset":                {"before", "after"},
}

// counts are the large numbers that are no sizes in bytes.
var counts = []string{"disk.counter", "lun.counter", "fault.seed", "cluster_limit.memory", "cluster_limit.storage",
	"storage_limit.memory", "storage_limit.storage"}

// shapes knows the shape of every struct below lab.World.
type shapes struct {
	world *shape
	known map[shapeKey]*shape
	kinds map[string]bool
}

// shapeKey tells structs apart that stand below several keys, where their fields mean different things.
type shapeKey struct {
	typ  reflect.Type
	kind string
}

func newShapes() *shapes {
	s := &shapes{known: map[shapeKey]*shape{}, kinds: map[string]bool{}}
	s.findKinds(reflect.TypeFor[lab.World](), map[reflect.Type]bool{})
	s.world = s.of(reflect.TypeFor[lab.World](), "world")
	return s
}

// jsonName is the name of a field, and whether it is left out where it is empty; "" is a field without one.
func jsonName(f reflect.StructField) (name string, optional bool) {
	name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
	if !f.IsExported() || name == "-" {
		return "", false
	}
	return name, strings.Contains(rest, "omitempty") || strings.Contains(rest, "omitzero")
}

// singular is one of what a list holds: data_centers → data_center. Disks are disks whoever has them.
func singular(list string) string {
	list = strings.TrimPrefix(list, "floating_")
	if stem, ok := strings.CutSuffix(list, "ies"); ok {
		return stem + "y"
	}
	return strings.TrimSuffix(list, "s")
}

func plural(one string) string {
	if stem, ok := strings.CutSuffix(one, "y"); ok {
		return stem + "ies"
	}
	return one + "s"
}

// findKinds finds the lists of structs that have an id: their elements can be referred to.
func (s *shapes) findKinds(t reflect.Type, seen map[reflect.Type]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	for _, f := range reflect.VisibleFields(t) {
		elem := f.Type
		if elem.Kind() == reflect.Slice || elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		if elem.Kind() != reflect.Struct || elem == reflect.TypeFor[time.Time]() {
			continue
		}
		if name, _ := jsonName(f); f.Type.Kind() == reflect.Slice && hasID(elem) {
			s.kinds[singular(name)] = true
		}
		s.findKinds(elem, seen)
	}
}

func hasID(t reflect.Type) bool {
	return slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { name, _ := jsonName(f); return name == "id" })
}

// of makes the shape of a struct that stands below a key.
func (s *shapes) of(t reflect.Type, kind string) *shape {
	if done := s.known[shapeKey{t, kind}]; done != nil {
		return done
	}
	made := &shape{typ: t, kind: kind}
	s.known[shapeKey{t, kind}] = made
	taken := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		name, _ := jsonName(f)
		taken[name] = true
	}
	for _, f := range reflect.VisibleFields(t) {
		name, optional := jsonName(f)
		if f.Anonymous || name == "" {
			continue
		}
		it := field{key: name, json: name, index: f.Index, typ: f.Type, optional: optional, words: words[kind+"."+name]}
		if refers := s.refers(kind, name, f.Type); refers != "" {
			it.refers = refers
			if key := cmp.Or(keys[kind+"."+name], refKey(name)); !taken[key] {
				it.key = key
			}
		}
		elem := f.Type
		if elem.Kind() == reflect.Slice || elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		if elem.Kind() == reflect.Struct && elem != reflect.TypeFor[time.Time]() {
			below := name
			if f.Type.Kind() == reflect.Slice {
				below = singular(name)
			}
			it.inside = s.of(elem, below)
		}
		it.size = elem.Kind() == reflect.Int64 && elem != reflect.TypeFor[time.Duration]() && !slices.Contains(counts, kind+"."+name)
		it.needed = f.Type.Kind() == reflect.String && !optional && !leftOut[kind+"."+name] && name != "id" && (it.refers == "" || slices.Contains(byText, it.refers))
		made.fields = append(made.fields, it)
	}
	return made
}

// refKey is the key of a reference: cluster_id → cluster, network_ids → networks.
func refKey(name string) string {
	if stem, ok := strings.CutSuffix(name, "_ids"); ok {
		return plural(stem)
	}
	return strings.TrimSuffix(name, "_id")
}

// refers finds the kind of object whose id a field holds, by its name.
func (s *shapes) refers(kind, name string, t reflect.Type) string {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.String || slices.Contains(plain, name) {
		return ""
	}
	for _, known := range []string{kind + "." + name, name} {
		if to := references[known]; to != "" {
			return to
		}
	}
	stem, ok := strings.CutSuffix(strings.TrimSuffix(name, "s"), "_id")
	if !ok {
		return ""
	}
	if s.kinds[stem] {
		return stem
	}
	return ""
}

// luaType is what a value of a field is in Lua.
func (s *shapes) luaType(f field) lua.Type {
	return s.typeOf(f, f.typ)
}

func (s *shapes) typeOf(f field, t reflect.Type) lua.Type {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return lua.Duration
	case t == reflect.TypeFor[time.Time]():
		return lua.String
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.typeOf(f, t.Elem())
	case reflect.String:
		if len(f.words) > 0 {
			return lua.Enum(f.words...)
		}
		return lua.String
	case reflect.Bool:
		return lua.Bool
	case reflect.Int64:
		if f.size {
			return lua.OneOf(lua.Size, lua.Integer)
		}
		return lua.Integer
	case reflect.Int, reflect.Int32, reflect.Uint, reflect.Uint32, reflect.Uint64:
		return lua.Integer
	case reflect.Float64:
		return lua.Number
	case reflect.Slice:
		return lua.List(s.typeOf(f, t.Elem()))
	case reflect.Map:
		return lua.Map(s.typeOf(f, t.Elem()))
	case reflect.Struct:
		return lua.Table(s.params(f.inside)...)
	}
	panic("worlds: a field of lab.World has no form in Lua: " + f.json)
}

// params declares the keys of a shape.
func (s *shapes) params(of *shape) []lua.Param {
	params := make([]lua.Param, len(of.fields))
	for i, f := range of.fields {
		params[i] = lua.Param{Name: f.key, Type: s.luaType(f), Optional: !f.needed}
	}
	return params
}
