// Package libtest runs the tests of hook libraries, which are Lua files: each test has two simulated sites of its own, in this process and on a
// virtual clock, so that a whole failover takes about as long as its hooks compute.
//
// A test file sees the module "test" (Module). It is run once to learn which tests there are, and once for each test, so that no test sees
// what another one left in a variable. The plan of a test runs as any plan does, in an interpreter of its own, by package plans/runner.
package libtest

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"drrun/engine"
	"drrun/lua"
	"drrun/plans"
	"drrun/stdlib"
)

// Suffix is what the name of a test file ends with.
const Suffix = "_test.lua"

// Timeout is how long one test may take by the clock of the wall: one that never ends would keep the others from ending.
const Timeout = time.Minute

// Options say what to test.
type Options struct {
	Env     engine.Env // the real one: the sites have a virtual one each
	LibDirs []string   // where require looks, behind the folders of the test's own library
	Run     *regexp.Regexp
	// Ended is told of each test as soon as it has ended, one after the other; may be nil.
	Ended func(Case)
}

// Case is one test and what came of it.
type Case struct {
	File     string          `json:"file"`
	Name     string          `json:"name"`
	Line     int             `json:"line"`
	OK       bool            `json:"ok"`
	Seconds  float64         `json:"seconds"` // by the clock of the wall
	Asserts  int             `json:"asserts"`
	Findings []plans.Finding `json:"findings,omitempty"`
	Log      []string        `json:"log,omitempty"` // what the runs, the test and the lab said, in order
}

// Files finds the test files in folders and among files, sorted, without repetition.
func Files(places []string, look engine.FS) ([]string, error) {
	var found []string
	for _, place := range places {
		entry, err := look.Stat(place)
		switch {
		case err != nil:
			return nil, fmt.Errorf("look for tests in %s: %w", place, cause(err))
		case entry.Dir:
			below, err := filesBelow(place, look)
			if err != nil {
				return nil, err
			}
			found = append(found, below...)
		case !strings.HasSuffix(place, Suffix):
			return nil, fmt.Errorf("%s is no test: the name of a test file ends with %s", place, Suffix)
		default:
			found = append(found, filepath.Clean(place))
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func filesBelow(folder string, look engine.FS) ([]string, error) {
	entries, err := look.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("look for tests in %s: %w", folder, cause(err))
	}
	var found []string
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name)
		switch {
		case strings.HasPrefix(entry.Name, "."):
		case entry.Dir:
			below, err := filesBelow(path, look)
			if err != nil {
				return nil, err
			}
			found = append(found, below...)
		case strings.HasSuffix(entry.Name, Suffix):
			found = append(found, path)
		}
	}
	return found, nil
}

// cause drops the path from a file error, which the message names already.
func cause(err error) error {
	if file, ok := err.(*fs.PathError); ok {
		return file.Err
	}
	return err
}

// Run runs the tests of some files and returns them in the order of files and lines. Findings are what is wrong with the files themselves:
// then nothing has run.
func Run(ctx context.Context, o Options, files []string) ([]Case, lua.Diagnostics) {
	var all []Case
	var found lua.Diagnostics
	for _, file := range files {
		s := &suite{Options: o, file: file}
		declared, problems := s.list(ctx)
		found = append(found, problems...)
		for _, one := range declared {
			if o.Run == nil || o.Run.MatchString(one.name) {
				all = append(all, Case{File: file, Name: one.name, Line: one.pos.Line})
			}
		}
	}
	if len(found) > 0 || ctx.Err() != nil {
		return nil, found
	}
	side := runtime.GOMAXPROCS(0)
	turns, ended := make(chan int, len(all)), make(chan int, len(all))
	for i := range all {
		turns <- i
	}
	close(turns)
	for range min(side, len(all)) {
		o.Env.Go(func() {
			for i := range turns {
				if ctx.Err() == nil {
					(&suite{Options: o, file: all[i].File}).run(ctx, &all[i])
				}
				ended <- i
			}
		})
	}
	done := make([]bool, len(all))
	next := 0
	for range all {
		done[<-ended] = true
		for ; next < len(all) && done[next]; next++ { // told in order, whichever ends first
			if o.Ended != nil && ctx.Err() == nil {
				o.Ended(all[next])
			}
		}
	}
	return all, nil
}

// suite is one test file, being run.
type suite struct {
	Options
	file  string
	cases []declared
	only  string // the test that is run; "" while they are listed
}

// declared is a test of a file.
type declared struct {
	name  string
	pos   lua.Pos
	world string // a world file; "" is the two sites of the documentation
	fn    *lua.Function
}

// libFolders are where require looks: a library's folder is the one that was called lib, or that of the test.
func (s *suite) libFolders() []string {
	folder := filepath.Dir(s.file)
	root := folder
	for up := folder; ; up = filepath.Dir(up) {
		if filepath.Base(up) == "lib" {
			root = up
			break
		}
		if up == filepath.Dir(up) {
			break
		}
	}
	folders := []string{root, filepath.Join(root, "lib")}
	for _, other := range append(slices.Clone(s.LibDirs), folder) {
		if !slices.Contains(folders, other) {
			folders = append(folders, other)
		}
	}
	return folders
}

func (s *suite) runtime() *lua.Runtime {
	modules := append([]lua.Module{plans.DR(plans.Options{}), s.module()}, stdlib.Modules(stdlib.Surroundings{})...)
	return lua.New(lua.Options{
		Modules: modules, Embedded: stdlib.Embedded(), Path: s.libFolders(), ReadFile: s.Env.FS.ReadFile, MathSeed: 1,
	})
}

// list runs the file to learn which tests it has.
func (s *suite) list(ctx context.Context) (cases []declared, found lua.Diagnostics) {
	err := s.within(ctx, func(t *engine.Task, rt *lua.Runtime) error {
		_, err := rt.RunFile(t, s.file)
		return err
	})
	if err != nil {
		return nil, lua.AsDiagnostics(err)
	}
	if len(s.cases) == 0 {
		return nil, lua.Diagnostics{{Pos: lua.Pos{File: s.file}, Subject: "test", Code: "no-tests", Message: "the file has no test",
			Hint: "add one: test.case(\"what it does\", function(t) … end)"}}
	}
	return s.cases, nil
}

// run runs one test of the file, in an interpreter and a world of its own.
func (s *suite) run(ctx context.Context, one *Case) {
	begun := s.Env.Clock.Now()
	s.only = one.Name
	limited, cancel := s.Env.Clock.WithTimeout(ctx, Timeout)
	defer cancel()
	var t *trial
	err := s.within(limited, func(task *engine.Task, rt *lua.Runtime) error {
		if _, err := rt.RunFile(task, s.file); err != nil {
			return err
		}
		at := slices.IndexFunc(s.cases, func(d declared) bool { return d.name == one.Name })
		t = newTrial(s, task, s.cases[at])
		defer t.close()
		_, err := s.cases[at].fn.Call(task, lua.NewObject(trialClass, t))
		return err
	})
	problems := lua.AsDiagnostics(err)
	if limited.Err() != nil && ctx.Err() == nil {
		problems = lua.Diagnostics{{Pos: lua.Pos{File: s.file, Line: one.Line}, Subject: "test", Code: "test-timeout",
			Message: fmt.Sprintf("test %q did not end within %s and was stopped", one.Name, Timeout), Hint: "a loop in it, or in the library, has no end"}}
	}
	if t != nil {
		if len(problems) == 0 {
			problems = t.verdict()
		}
		one.Asserts, one.Log = t.asserts, t.said(0)
	}
	one.OK = len(problems) == 0
	one.Findings = plans.FromDiagnostics(problems)
	one.Seconds = s.Env.Clock.Now().Sub(begun).Seconds()
}

func (s *suite) within(ctx context.Context, main func(*engine.Task, *lua.Runtime) error) error {
	s.cases = nil
	return engine.NewScheduler(s.Env).Run(ctx, ctx, "test", func(t *engine.Task) error { return main(t, s.runtime()) })
}

// module declares the module "test" of this file.
func (s *suite) module() lua.Module {
	m := Module()
	m.Funcs[0].Run = func(c *lua.Call) (any, error) {
		one := declared{name: strings.TrimSpace(c.String("name")), pos: c.At("name"), fn: c.Func("fn"), world: c.String("world")}
		if one.name == "" {
			return nil, c.Errorf("bad-argument", "name", "the name of the test is empty")
		}
		if at := slices.IndexFunc(s.cases, func(d declared) bool { return d.name == one.name }); at >= 0 {
			return nil, c.Errorf("test-twice", "name", "there is a test %q already, at %s", one.name, s.cases[at].pos)
		}
		s.cases = append(s.cases, one)
		return nil, nil
	}
	return m
}

// Module declares the Lua module "test", which only test files can require.
func Module() lua.Module {
	return lua.Module{
		Name: "test",
		Doc:  "Tests of hook libraries. Each has two simulated sites of its own, where a whole failover takes no time.",
		Funcs: []lua.Func{{
			Name: "case", Effect: lua.Pure,
			Doc: "A test. fn gets t: it runs plans, plays the outside world, and says what must hold. A test that asserts nothing fails.",
			Params: []lua.Param{
				{Name: "name", Type: lua.String, Positional: true, Doc: "What the library does, in words."},
				{Name: "fn", Type: lua.FunctionType, Positional: true, Doc: "function(t)."},
				{Name: "world", Type: lua.String, Optional: true, Doc: "A world file, beside the test, for the two sites. Default: two sites with three VMs on the storage domain nfs_ds."},
			},
			Run: func(*lua.Call) (any, error) { return nil, nil },
		}},
	}
}

// Class is what a test gets: t, with its methods.
func Class() *lua.Class { return trialClass }

// Classes are all the objects of tests, for documentation and editors.
func Classes() []*lua.Class {
	return []*lua.Class{trialClass, labClass, httpClass, sshClass, portClass}
}

// Count is how many of some tests failed.
func Count(cases []Case) (failed int) {
	for _, one := range cases {
		if !one.OK {
			failed++
		}
	}
	return failed
}

// At is where a test stands.
func (c Case) At() string { return fmt.Sprintf("%s:%d", c.File, cmp.Or(c.Line, 1)) }
