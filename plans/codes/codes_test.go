package codes_test

import (
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/plans/codes"
	"drrun/plans/worlds"
)

var update = flag.Bool("update", false, "rewrite docs/890-codes.md")

const base = `local dr = require "dr"
local plan = dr.plan {
%s
}
%s
return plan
`

// fields are the keys of a sound plan, for those that an example leaves out.
var fields = []struct{ key, text string }{
	{"name", `name = "Shop",`},
	{"sites", `sites = {
  primary = { url = "https://engine1.example", username = "admin@internal", password = dr.secret "primary_password" },
  secondary = { url = "https://engine2.example", username = "admin@internal", password = dr.secret "secondary_password" },
},`},
	{"storage_domains", `storage_domains = {
  { name = "shop", id = "00000005-0000-4000-8000-000000000001", type = "nfs",
    primary = { data_center = "Default", url = "nfs://10.0.0.1:/shop" }, secondary = { data_center = "Default", url = "nfs://10.1.0.1:/shop" } },
},`},
	{"vms", `vms = { { name = "web1", id = "00000007-0000-4000-8000-000000000009" } },`},
}

// planOf makes a whole plan of an example.
func planOf(place codes.Place, text string) string {
	keys, behind := "", ""
	switch place {
	case codes.InFile:
		return text
	case codes.InPlan:
		keys = text + ","
	case codes.Behind:
		behind = text
	case codes.InLibrary:
		behind = `plan:use(require "site")`
	}
	for _, field := range fields {
		if !regexp.MustCompile(`(?m)^` + field.key + ` *=`).MatchString(keys) {
			keys += "\n" + field.text
		}
	}
	return fmt.Sprintf(base, keys, behind)
}

// found returns the codes that an example raises, and their text.
func found(t *testing.T, place codes.Place, text string) ([]string, string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	var diagnostics lua.Diagnostics
	if place == codes.InWorld {
		_, diagnostics = worlds.Read(context.Background(), engine.SystemEnv(1), write("world.lua", text))
	} else {
		if place == codes.InLibrary {
			write("site.lua", text)
		}
		file := write("plan.lua", planOf(place, text))
		scheduler := engine.NewScheduler(engine.SystemEnv(1))
		if err := scheduler.Run(context.Background(), context.Background(), "example", func(task *engine.Task) error {
			rt := lua.New(lua.Options{Modules: []lua.Module{plans.DR(plans.Options{ReadFile: os.ReadFile})}, Path: []string{dir}, ReadFile: os.ReadFile})
			_, diagnostics = plans.Load(task, rt, file)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, d := range diagnostics {
		names = append(names, d.Code)
	}
	slices.Sort(names)
	return slices.Compact(names), diagnostics.Error()
}

// TestExamples runs the examples: the wrong one raises its code and no other, the right one none.
func TestExamples(t *testing.T) {
	t.Parallel()
	examples := 0
	for _, code := range codes.All() {
		if (code.In == "") != (code.Wrong == "") || (code.Wrong == "") != (code.Right == "") {
			t.Errorf("%s: an example is a place, a wrong text and a right one", code.Name)
		}
		if code.In == "" {
			continue
		}
		examples++
		t.Run(code.Name, func(t *testing.T) {
			t.Parallel()
			if names, text := found(t, code.In, code.Wrong); !slices.Equal(names, []string{code.Name}) {
				t.Errorf("the wrong example raises %v:\n%s", names, text)
			}
			if names, text := found(t, code.In, code.Right); len(names) > 0 {
				t.Errorf("the right example raises %v:\n%s", names, text)
			}
		})
	}
	if examples < 50 {
		t.Errorf("%d examples only", examples)
	}
}

// noCodes are words of the form of a code that are none.
var noCodes = []string{}

// composed are codes that the source puts together.
var composed = []string{"unknown-argument", "unknown-key", "missing-argument", "missing-key"}

var form = regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)

// raised returns every code that the packages can raise, with a place of it. A code is a text of several words joined by dashes, or the
// value of a field or constant named Code or …Code.
func raised(t *testing.T) map[string]string {
	t.Helper()
	places := map[string]string{}
	for _, dir := range []string{"../../lua", "..", "../worlds", "../libtest"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) < 5 {
			t.Fatal(dir, files, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			tree, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			add := func(e ast.Expr, anyForm bool) {
				literal, ok := e.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return
				}
				text, err := strconv.Unquote(literal.Value)
				if err == nil && (form.MatchString(text) || anyForm && regexp.MustCompile(`^[a-z]+$`).MatchString(text)) && !slices.Contains(noCodes, text) {
					places[text] = set.Position(literal.Pos()).String()
				}
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				switch node := n.(type) {
				case *ast.ImportSpec:
					return false
				case *ast.KeyValueExpr:
					key, ok := node.Key.(*ast.Ident)
					add(node.Value, ok && key.Name == "Code")
				case *ast.ValueSpec:
					for i, value := range node.Values {
						name := strings.ToLower(node.Names[min(i, len(node.Names)-1)].Name)
						add(value, strings.HasPrefix(name, "code") || strings.HasSuffix(name, "code"))
					}
				case *ast.CallExpr:
					called := ""
					switch fn := node.Fun.(type) {
					case *ast.Ident:
						called = fn.Name
					case *ast.SelectorExpr:
						called = fn.Sel.Name
					}
					single := slices.Contains([]string{"finding", "Errorf", "ErrorAt"}, called)
					for i, arg := range node.Args {
						add(arg, single && i == 1 && called == "finding" && len(node.Args) == 2)
					}
				case *ast.BasicLit:
					add(node, false)
				}
				return true
			})
		}
	}
	for _, code := range []string{"cycle", "duplicate"} { // single words, given by place
		places[code] = "a single word"
	}
	for _, code := range composed {
		places[code] = "put together"
	}
	for _, code := range []ovirt.Code{ovirt.CodeUnreachable, ovirt.CodeTimeout, ovirt.CodeTLS, ovirt.CodeCredentials, ovirt.CodeForbidden, ovirt.CodeNotAnEngine, ovirt.CodeBadReply, ovirt.CodeNotFound,
		ovirt.CodeAlreadyExists, ovirt.CodeNameInUse, ovirt.CodeLocked, ovirt.CodeConflict, ovirt.CodeBadRequest, ovirt.CodeEngineError, ovirt.CodeRefused, ovirt.CodeCancelled, ovirt.CodeWrongObject, ovirt.CodeGone} {
		places["site-"+string(code)] = "a site that cannot be read"
	}
	return places
}

// atRunTime returns every code that a result, or an error that Lua sees, can carry while something is run, with a place of it: the values of
// constants of the type Code, of fields named Code, of methods Code, and the code among the arguments of what makes an error.
func atRunTime(t *testing.T) map[string]string {
	t.Helper()
	argument := map[string]int{"refuse": 0, "invalid": 0, "cannotUndo": 0, "Errorf": 0, "ErrorAt": 1, "failure": 2}
	word := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	places := map[string]string{}
	for _, dir := range []string{"../../stdlib", "../../ovirt", "../../engine", "../runner", "../../cmd/drrun"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) < 5 {
			t.Fatal(dir, files, err)
		}
		set, trees, constants := token.NewFileSet(), []*ast.File{}, map[string]ast.Expr{}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			tree, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			trees = append(trees, tree)
			for _, declared := range tree.Decls {
				group, ok := declared.(*ast.GenDecl)
				if !ok || group.Tok != token.CONST {
					continue
				}
				for _, spec := range group.Specs {
					named := spec.(*ast.ValueSpec)
					for i, value := range named.Values {
						constants[named.Names[i].Name] = value
					}
				}
			}
		}
		for _, tree := range trees {
			add := func(e ast.Expr) {
				if name, ok := e.(*ast.Ident); ok && constants[name.Name] != nil {
					e = constants[name.Name]
				}
				literal, ok := e.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return
				}
				if text, err := strconv.Unquote(literal.Value); err == nil && word.MatchString(text) {
					places[text] = set.Position(literal.Pos()).String()
				}
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				switch node := n.(type) {
				case *ast.FuncDecl:
					if node.Name.Name == "Code" {
						ast.Inspect(node, func(n ast.Node) bool {
							if answer, ok := n.(*ast.ReturnStmt); ok {
								add(answer.Results[0])
							}
							return true
						})
					}
				case *ast.KeyValueExpr:
					if key, ok := node.Key.(*ast.Ident); ok && strings.EqualFold(key.Name, "code") {
						add(node.Value)
					}
				case *ast.AssignStmt:
					for i, left := range node.Lhs {
						if field, ok := left.(*ast.SelectorExpr); ok && field.Sel.Name == "Code" {
							add(node.Rhs[min(i, len(node.Rhs)-1)])
						}
					}
				case *ast.ValueSpec:
					if kind, ok := node.Type.(*ast.Ident); ok && kind.Name == "Code" {
						for _, value := range node.Values {
							add(value)
						}
					}
				case *ast.CallExpr:
					called := ""
					switch fn := node.Fun.(type) {
					case *ast.Ident:
						called = fn.Name
					case *ast.SelectorExpr:
						called = fn.Sel.Name
					}
					if i, known := argument[called]; known && i < len(node.Args) {
						add(node.Args[i])
					}
				}
				return true
			})
		}
	}
	return places
}

// TestEveryCodeIsRegistered holds the register against the source, both ways.
func TestEveryCodeIsRegistered(t *testing.T) {
	t.Parallel()
	places := raised(t)
	maps.Copy(places, atRunTime(t))
	for name, place := range places {
		if _, known := codes.Find(name); !known {
			t.Errorf("%s: the code %q is not in the register", place, name)
		}
	}
	seen := map[string]bool{}
	for _, code := range codes.All() {
		if places[code.Name] == "" {
			t.Errorf("the register has %q, which nothing raises", code.Name)
		}
		if seen[code.Name] || code.Title == "" || code.Meaning == "" || strings.HasSuffix(code.Title, ".") || !strings.HasSuffix(code.Meaning, ".") {
			t.Errorf("%s: the entry is twice, not whole, or not written as the others", code.Name)
		}
		seen[code.Name] = true
	}
}

// TestPage keeps docs/890-codes.md as the register is.
func TestPage(t *testing.T) {
	t.Parallel()
	const file = "../../docs/890-codes.md"
	want := codes.Page()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s is stale (%v): go test ./plans/codes -run TestPage -update", file, err)
	}
}
