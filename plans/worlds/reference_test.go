package worlds

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	referenceFile = "../../docs/810-worlds.md"
	introFile     = "testdata/reference.md"
)

// TestReference holds docs/810-worlds.md against the declarations of the lab's world: each key with its type, with what it is when it
// is left out (of testdata/minimal.lua), and with its comment in ovirt/lab.
func TestReference(t *testing.T) {
	t.Parallel()
	intro, err := os.ReadFile(introFile)
	if err != nil {
		t.Fatal(err)
	}
	r := &reference{t: t, known: newShapes(), comments: comments(t), defaults: map[string]string{}}
	world := sound(t, "testdata/minimal.lua")
	r.values(r.known.world, reflect.ValueOf(world))
	r.b.Write(intro)
	r.write(r.known.world, "lab.world", map[*shape]string{})
	text := r.b.String()
	if *update {
		if err := os.WriteFile(referenceFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if committed, err := os.ReadFile(referenceFile); err != nil || string(committed) != text {
		t.Errorf("docs/810-worlds.md is stale (%v): go test ./plans/worlds -run TestReference -update", err)
	}
}

// The worlds of the page are worlds.
func TestReferenceExamples(t *testing.T) {
	t.Parallel()
	intro, err := os.ReadFile(introFile)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```lua\n(.*?)```").FindAllSubmatch(intro, -1)
	if len(blocks) < 1 {
		t.Fatal("the page shows no world")
	}
	for _, block := range blocks {
		file := filepath.Join(t.TempDir(), "world.lua")
		if err := os.WriteFile(file, block[1], 0o600); err != nil {
			t.Fatal(err)
		}
		sound(t, file)
	}
}

// A key that ends in _id holds an id that nobody knows: each must be a name.
func TestReferencesAreNames(t *testing.T) {
	t.Parallel()
	for key, s := range newShapes().known {
		for _, f := range s.fields {
			if f.refers == "" && (strings.HasSuffix(f.json, "_id") || strings.HasSuffix(f.json, "_ids")) && !slices.Contains(plain, f.json) {
				t.Errorf("%s.%s refers to nothing: add it to references in shape.go", key.kind, f.json)
			}
		}
	}
}

type reference struct {
	t        *testing.T
	b        strings.Builder
	known    *shapes
	comments map[string]string // by TYPE and by TYPE.FIELD
	defaults map[string]string // by KIND.KEY, of the minimal world
}

// comments reads what the lab says of its types and fields.
func comments(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../ovirt/lab/*.go")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			d, ok := n.(*ast.GenDecl)
			if !ok {
				return true
			}
			for _, spec := range d.Specs {
				named, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				of, ok := named.Type.(*ast.StructType)
				if !ok {
					continue
				}
				said[named.Name.Name] = oneLine(d.Doc.Text())
				for _, field := range of.Fields.List {
					for _, name := range field.Names {
						said[named.Name.Name+"."+name.Name] = oneLine(field.Doc.Text() + " " + field.Comment.Text())
					}
				}
			}
			return true
		})
	}
	return said
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// values notes what each field is in a world that says nothing of it; of several objects the first.
func (r *reference) values(s *shape, v reflect.Value) {
	for _, f := range s.fields {
		value := v.FieldByIndex(f.index)
		switch {
		case f.inside != nil && value.Kind() == reflect.Slice:
			for i := range value.Len() {
				r.values(f.inside, value.Index(i))
			}
			continue
		case f.inside != nil:
			r.values(f.inside, value)
			continue
		}
		key := s.kind + "." + f.key
		if _, done := r.defaults[key]; !done && !value.IsZero() {
			r.defaults[key] = shown(f, value)
		}
	}
}

// shown writes a value as a world file does.
func shown(f field, v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case int64:
		if f.size && x%gib == 0 {
			return fmt.Sprintf("%dGiB", x/gib)
		}
	case []string:
		return strings.Join(x, ", ")
	}
	return fmt.Sprint(v.Interface())
}

// general says what fields are that need no comment beside the lab's own code, by name.
var general = map[string]string{
	"id": "UUID", "name": "its name", "description": "free text", "alias": "its name", "site": "the site that it belongs to",
	"address": "host name or IP address", "path": "the directory there", "username": "user name", "password": "the password; secret to nobody",
	"version": "version", "from": "first address", "to": "last address", "fence_agent": "type of the one agent, such as ipmilan; less than `fence_agents`",
	"port": "port, where it is not the agent's usual one", "order": "the place in which it is asked", "options": "options of the agent", "format": "storage format",
	"files": "names of images of CDs", "ha_priority": "1, 50 or 100: the order in which an engine restarts", "fqdn": "what the guest agent reports",
	"ip": "what the guest agent reports", "mac": "MAC address", "priority": "which group gives way to which", "namespace": "as the provider says",
	"first_name": "first name", "last_name": "last name", "email": "address of mail", "department": "department", "vcpus": "virtual CPUs",
	"cluster_hard_limit_pct": "see above", "storage_soft_limit_pct": "see above", "storage_hard_limit_pct": "see above", "value": "the search",
	"serial": "as the array reports", "vendor": "as the array reports", "product": "as the array reports", "lag": "how far the copy is behind",
	"kind": "what fails, of the kinds in [the lab](040-the-lab.md); left out, requests do", "subject": "id or name of what a kind is about",
	"seed": "decides which ones a probability meets",
}

// absences say what a key means that is left out, where the minimal world does not show it.
var absences = map[string]string{
	"cluster.networks": "all of its data center", "vm.template": "`Blank`", "storage_domain.data_center": "unattached", "storage_domain.address": "",
	"storage_domain.path": "", "storage_domain.master": "true for the first one of a data center", "disk.bootable": "true for the first one of a VM", "vm.agent": "",
	"template.cluster": "the only one", "disk.storage_domain": "the only one", "lun_set.target": "", "site.instance_id": "made of the name",
	"site.vnic_profiles": "one for each network of VMs", "site.mac_pools": "one", "lun.id": "made of the names", "lun.serial": "made of the names",
	"fault.path": "any", "fault.status": "", "tag.parent": "the tag `root`", "export.address": "", "permission.object_id": "of `system` nothing",
}

func (r *reference) write(s *shape, heading string, done map[*shape]string) {
	done[s] = heading
	fmt.Fprintf(&r.b, "\n## %s\n\n%s\n\n| key | value | left out | |\n| --- | --- | --- | --- |\n", heading, r.words(s, upper(strings.TrimPrefix(r.comments[s.typ.Name()], s.typ.Name()+" is "))))
	type part struct {
		shape   *shape
		heading string
	}
	var below []part
	for _, f := range s.fields {
		text := r.words(s, r.comments[r.owner(s.typ, f)])
		if text == "" {
			text = general[f.key]
		}
		if f.inside != nil {
			place := done[f.inside]
			if place == "" {
				place = strings.TrimPrefix(heading+" › "+f.key, "lab.world › ")
				below = append(below, part{f.inside, place})
				done[f.inside] = place
			}
			text = strings.TrimSpace(text + " → *" + place + "*")
		}
		if text == "" && f.refers == "" && f.typ.Kind() != reflect.Bool {
			r.t.Errorf("%s.%s has no comment in ovirt/lab", s.typ.Name(), f.json)
		}
		absent, special := absences[s.kind+"."+f.key]
		switch value := r.defaults[s.kind+"."+f.key]; {
		case special:
		case f.needed:
			absent = "needed"
		case f.refers != "" && !f.optional && f.typ.Kind() == reflect.String && !slices.Contains(byText, f.refers):
			absent = "the only one"
		case f.key == "id":
			absent = "made of the names"
		case value != "" && f.inside == nil && f.refers == "":
			absent = "`" + value + "`"
		}
		fmt.Fprintf(&r.b, "| `%s` | %s | %s | %s |\n", f.key, r.value(f, f.typ), absent, strings.ReplaceAll(text, "|", "\\|"))
	}
	for _, p := range below {
		r.write(p.shape, p.heading, done)
	}
}

func upper(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// owner is where the comment of a field stands: fields of embedded structs have it there.
func (r *reference) owner(t reflect.Type, f field) string {
	for _, i := range f.index[:len(f.index)-1] {
		t = t.Field(i).Type
	}
	return t.Name() + "." + t.Field(f.index[len(f.index)-1]).Name
}

// words turns the Go names of a comment into keys.
func (r *reference) words(s *shape, text string) string {
	return strings.ReplaceAll(goName.ReplaceAllStringFunc(text, func(word string) string {
		typ, name, qualified := strings.Cut(word, ".")
		if !qualified {
			typ, name = s.typ.Name(), word
		}
		for _, of := range r.known.known {
			if of.typ.Name() != typ {
				continue
			}
			for _, f := range of.fields {
				if of.typ.FieldByIndex(f.index).Name == name && !slices.Contains(abbreviations, name) {
					return "`" + f.key + "`"
				}
			}
		}
		return word
	}), ", by id", "")
}

// abbreviations are names that are words as well.
var abbreviations = []string{"LUN", "LUNs", "HTML", "IP", "VMs"}

var goName = regexp.MustCompile(`\b(?:[A-Z]\w+\.)?[A-Z]\w*\b`)

func (r *reference) value(f field, t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "span"
	case t == reflect.TypeFor[time.Time]():
		return "time"
	case f.refers == "permission.object":
		return "name of the object"
	case f.refers != "":
		of := strings.ReplaceAll(kindWord(f.refers), "|", " or ")
		if name, ok := textKinds[f.refers]; ok {
			of = name
		}
		if strings.ContainsAny(of[:1], "aei") {
			of = "n " + of
		} else {
			of = " " + of
		}
		of = "name of a" + of
		if t.Kind() == reflect.Slice {
			return "list: " + of
		}
		return of
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list: " + r.value(f, t.Elem())
	case reflect.Map:
		return "table by name: " + r.value(f, t.Elem())
	case reflect.Struct:
		return "table"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "number"
	case reflect.String:
		if len(f.words) > 0 {
			var words []string
			for _, w := range f.words {
				if w != "" {
					words = append(words, "`"+w+"`")
				}
			}
			return strings.Join(words, ", ")
		}
		return "text"
	case reflect.Int64:
		if f.size {
			return "size"
		}
	}
	return "whole number"
}
