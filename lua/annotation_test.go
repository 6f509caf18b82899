package lua

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	glua "github.com/yuin/gopher-lua"
)

// fields of the base library that a plan reads although they are no functions of a library.
var declaredName = regexp.MustCompile(`(?m)^(?:function ([\w.]+)\(|(\w+) = |---@field (\w+) )`)

// TestBaseLibrary keeps the annotations of the base library equal to what the sandbox leaves of it.
func TestBaseLibrary(t *testing.T) {
	t.Parallel()
	rt := New(Options{})
	var there []string
	for key, value := rt.builtins.Next(glua.LNil); key != glua.LNil; key, value = rt.builtins.Next(key) {
		name := key.String()
		if name == joinName || name == concatName {
			continue // no plan can write these names
		}
		there = append(there, name)
		if library, ok := value.(*glua.LTable); ok {
			for _, function := range libraryNames(t, rt, name, library) {
				there = append(there, name+"."+function)
			}
		}
	}
	var declared []string
	for _, match := range declaredName.FindAllStringSubmatch(BaseLibrary, -1) {
		switch {
		case match[3] != "":
			declared = append(declared, "math."+match[3])
		default:
			declared = append(declared, match[1]+match[2])
		}
	}
	slices.Sort(there)
	slices.Sort(declared)
	for _, name := range there {
		if !slices.Contains(declared, name) {
			t.Errorf("plans have %s, and base_library.lua does not declare it", name)
		}
	}
	for _, name := range declared {
		if !slices.Contains(there, name) {
			t.Errorf("base_library.lua declares %s, which plans do not have", name)
		}
	}
}

// libraryNames asks a frozen library for each name that the original one has.
func libraryNames(t *testing.T, rt *Runtime, name string, frozen *glua.LTable) []string {
	t.Helper()
	plain := glua.NewState()
	defer plain.Close()
	var names []string
	original, ok := plain.GetGlobal(name).(*glua.LTable)
	if !ok {
		t.Fatalf("no library %s", name)
	}
	for _, function := range keysOf(original) {
		err := rt.state.CallByParam(glua.P{Fn: frozen.Metatable.(*glua.LTable).RawGetString("__index"), NRet: 1, Protect: true}, frozen, glua.LString(function))
		if err == nil {
			names = append(names, function)
			rt.state.Pop(1)
		}
	}
	if len(names) < 5 {
		t.Fatalf("%s has %v only", name, names)
	}
	return names
}

func TestAnnotation(t *testing.T) {
	t.Parallel()
	class := func(Type) string { return "a_class" }
	condition := FunctionOf("fun(vm: vm): boolean")
	for _, test := range []struct {
		name string
		in   Type
		want string
	}{
		{"text", String, "string"},
		{"enum", Enum("a", "b c"), `"a"|"b c"`},
		{"list of a union", List(OneOf(String, SecretT)), "(string|secret)[]"},
		{"list of functions", List(condition), "(fun(vm: vm): boolean)[]"},
		{"list of a union with a function", List(OneOf(condition, String)), "((fun(vm: vm): boolean)|string)[]"},
		{"map", Map(List(Integer)), "table<string, integer[]>"},
		{"table", Table(Param{Name: "x"}), "a_class"},
		{"called table", Called(Table(Param{Name: "x"}), "point"), "a_class"},
		{"called text", Called(String, "vm_name"), "vm_name"},
		{"the same twice", OneOf(String, Called(String, "string"), Bool), "string|boolean"},
		{"object", ObjectType(&Class{Name: "vm"}), "vm"},
		{"with a hint", WithHint(Duration, "…"), "duration"},
	} {
		if got := test.in.Annotation(class); got != test.want {
			t.Errorf("%s: %s, not %s", test.name, got, test.want)
		}
	}
	if !strings.HasPrefix(BaseLibrary, "---@meta _\n") {
		t.Error("the base library is no definition file")
	}
}
