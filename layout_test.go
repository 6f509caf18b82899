package drrun_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed says which of our packages, and which guarded foreign ones, each folder may import. The longest prefix wins.
var allowed = map[string][]string{
	"cmd/drrun": {
		"drrun/docs",
		"drrun/docs/terminal",
		"drrun/engine",
		"drrun/internal/sabotage",
		"drrun/lua",
		"drrun/ovirt",
		"drrun/ovirt/lab",
		"drrun/plans",
		"drrun/plans/annotations",
		"drrun/plans/codes",
		"drrun/plans/explain",
		"drrun/plans/graph",
		"drrun/plans/libtest",
		"drrun/plans/report",
		"drrun/plans/runner",
		"drrun/plans/sarif",
		"drrun/plans/worlds",
		"drrun/stdlib",
		"github.com/fsnotify/fsnotify",
	},
	"plans":               {"drrun/plans", "drrun/plans/report", "drrun/stdlib", "drrun/lua", "drrun/engine", "drrun/ovirt", "drrun/internal/sabotage"},
	"plans/codes":         {},
	"plans/explain":       {"drrun/lua", "drrun/plans", "drrun/plans/report", "drrun/stdlib"},
	"plans/graph":         {"drrun/plans", "drrun/plans/report"},
	"plans/sarif":         {"drrun/lua", "drrun/plans", "drrun/plans/codes"},
	"plans/report":        {"drrun/stdlib", "drrun/engine", "drrun/ovirt"},
	"plans/worlds":        {"drrun/stdlib", "drrun/lua", "drrun/engine", "drrun/ovirt", "drrun/ovirt/lab"},
	"stdlib":              {"drrun/lua", "drrun/engine", "drrun/ovirt", "drrun/internal/sabotage"},
	"lua":                 {"drrun/engine", "github.com/yuin/gopher-lua"},
	"engine":              {"drrun/internal/sabotage"},
	"engine/sim":          {"drrun/engine"},
	"ovirt":               {"drrun/internal/sabotage", "github.com/ovirt/go-ovirt"},
	"ovirt/lab":           {},
	"examples":            {},
	"docs":                {},
	"docs/terminal":       {"github.com/yuin/goldmark"},
	"interop":             {},
	"plans/libtest":       {"drrun/plans", "drrun/plans/runner", "drrun/plans/worlds", "drrun/stdlib", "drrun/lua", "drrun/engine", "drrun/engine/sim", "drrun/ovirt", "drrun/ovirt/lab", "drrun/internal/sshhost"},
	"plans/annotations":   {"drrun/plans", "drrun/plans/worlds", "drrun/stdlib", "drrun/lua", "drrun/engine"},
	"internal/diagmarks":  {},
	"internal/sabotage":   {},
	"internal/sshhost":    {},
	"internal/mailserver": {},
	"internal/nameserver": {},
}

// guarded are the foreign packages that only the folders above that name them may import.
var guarded = []string{"github.com/yuin/gopher-lua", "github.com/ovirt/go-ovirt", "github.com/fsnotify/fsnotify", "github.com/chromedp", "github.com/yuin/goldmark"}

// seams are the only files that may ask the real clock, the real random source, or start a goroutine.
var seams = []string{"engine/system.go", "ovirt/lab/clock.go", "engine/sim/world.go"}

// sourceFiles parses every Go file that is not a test.
func sourceFiles(t *testing.T, mode parser.Mode) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "bin") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, mode)
			if err != nil {
				return err
			}
			files[filepath.ToSlash(path)] = file
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found %d files only", len(files))
	}
	return files
}

func under(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

// TestImports keeps the direction of dependency that docs/design draws.
func TestImports(t *testing.T) {
	t.Parallel()
	for path, file := range sourceFiles(t, parser.ImportsOnly) {
		folder := filepath.ToSlash(filepath.Dir(path))
		rule := ""
		for prefix := range allowed {
			if under(folder, prefix) && len(prefix) > len(rule) {
				rule = prefix
			}
		}
		if rule == "" {
			t.Errorf("%s: the folder has no rule", path)
			continue
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			ours := under(name, "drrun")
			guard := slices.ContainsFunc(guarded, func(g string) bool { return under(name, g) })
			if !ours && !guard {
				continue
			}
			if !slices.ContainsFunc(allowed[rule], func(a string) bool { return name == a || guard && under(name, a) }) {
				t.Errorf("%s imports %s; %s may import %v", path, name, rule, allowed[rule])
			}
		}
	}
}

// TestSeams keeps the clock, randomness and goroutines injectable, so that a whole run can be simulated from a seed.
func TestSeams(t *testing.T) {
	t.Parallel()
	forbidden := map[string][]string{
		"time":    {"Now", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Since", "Until"},
		"context": {"WithTimeout", "WithDeadline", "WithTimeoutCause", "WithDeadlineCause"},
	}
	for path, file := range sourceFiles(t, parser.SkipObjectResolution) {
		if slices.Contains(seams, path) {
			continue
		}
		for _, spec := range file.Imports {
			if name := strings.Trim(spec.Path.Value, `"`); !strings.HasPrefix(path, "engine/sim/") && (name == "math/rand" || name == "math/rand/v2" || strings.HasSuffix(name, "/uuid")) {
				t.Errorf("%s imports %s: take the random source from the environment", path, name)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch node := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine: use the environment's Go", path)
			case *ast.SelectorExpr:
				pkg, ok := node.X.(*ast.Ident)
				if ok && slices.Contains(forbidden[pkg.Name], node.Sel.Name) {
					t.Errorf("%s uses %s.%s: use the environment's clock", path, pkg.Name, node.Sel.Name)
				}
			case *ast.FuncDecl:
				if node.Recv == nil && node.Name.Name == "init" {
					t.Errorf("%s has an init function: wire explicitly", path)
				}
			}
			return true
		})
	}
}
