package stdlib

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"drrun/engine"
)

func TestExec(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	s.write("bin/show.sh", "#!/bin/sh\necho \"$0 $1 in $PWD\"; echo oops >&2\n")
	for _, c := range []struct{ name, code, want string }{
		{"arguments are not read by a shell", `{ argv = { "echo", "$HOME", "a b", ";", "*" } }`, "0|$HOME a b ; *\n|"},
		{"by place", `{ "echo", "x" }`, "0|x\n|"},
		{"a script beside the plan", `{ argv = { "./bin/show.sh", "x" }, folder = "bin" }`, "0|" + s.folder + "/bin/show.sh x in " + s.folder + "/bin\n|oops\n"},
		{"the plan's folder", `{ argv = { "pwd" } }`, "0|" + s.folder + "\n|"},
		{"a shell", `{ shell = "printf '%s' $((1 + 1)); exit 3", ok = { 0, 3 } }`, "3|2|"},
		{"standard input", `{ argv = { "cat" }, stdin = "hello" }`, "0|hello|"},
		{"variables", `{ shell = "echo $A$B$DRRUN_SECRET_X", env = { A = "1", B = "2" } }`, "0|12\n|"},
		{"an observation", `{ argv = { "echo", "x" }, observe = true }`, "0|x\n|"},
		{"no UTF-8", `{ shell = "printf 'a\\377b'" }`, "0|a\ufffdb|"},
		{"the end of a long output", `{ shell = "seq 1 100000", max_output = "12B" }`, "0|99999\n100000\n|"[:2] + "9999\n100000\n|"},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := `local r = require "exec".run ` + c.code
			if c.name == "by place" {
				call = `local r = require "exec".run(` + c.code + `)`
			}
			got := s.must(s.lua(call + ` return r.code .. "|" .. r.stdout .. "|" .. r.stderr`))
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestExecFails(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	for _, c := range []struct {
		name, code, want string
		words            []string
	}{
		{"an exit code", `{ shell = "echo working; echo no such volume >&2; exit 7" }`, "exec-failed", []string{"exit code 7", "it said: no such volume", "run echo working"}},
		{"no program", `{ argv = { "no-such-program-here" } }`, "exec-failed", []string{"no-such-program-here", "not found"}},
		{"no folder", `{ argv = { "true" }, folder = "gone" }`, "exec-failed", []string{"no folder", "/gone"}},
		{"killed by a signal", `{ shell = "kill -9 $$" }`, "exec-failed", []string{"signal: killed"}},
		{"both", `{ argv = { "true" }, shell = "true" }`, "bad-argument", []string{"either"}},
		{"neither", `{ timeout = "1s" }`, "bad-argument", []string{"either"}},
		{"no words", `{ argv = {} }`, "bad-argument", []string{"names no program"}},
		{"a secret as an argument", `{ argv = { "login", require "dr".secret "pw" } }`, "bad-argument", []string{"argv[2]", "a secret"}},
		{"a bad variable", `{ argv = { "true" }, env = { ["A=B"] = "x" } }`, "bad-argument", []string{"A=B"}},
		{"a secret that is not set", `{ argv = { "true" }, env = { A = require "dr".secret "none" } }`, "error", []string{`"none"`}},
		{"a bad duration", `{ argv = { "true" }, timeout = "1 minute" }`, "bad-argument", []string{"main.lua:1:58", "not a duration"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.lua(`return require "exec".run ` + c.code)
			raised(t, err, c.want, c.words...)
		})
	}
}

// TestExecTimeOut sees that a program is killed with all that it started.
func TestExecTimeOut(t *testing.T) {
	t.Parallel()
	s := newFastScene(t, 20).begin()
	begun := s.env.Clock.Now()
	_, err := s.lua(`return require "exec".run { shell = "sleep 600 & echo $! > child; echo begun; wait", timeout = "10s" }`)
	raised(t, err, "exec-failed", "did not end within 10s: it was killed", "it said: begun")
	if took := s.env.Clock.Now().Sub(begun); took > 5*time.Minute {
		t.Errorf("it took %s", took)
	}
	gone(t, filepath.Join(s.folder, "child"))
}

// gone waits until the process whose number is in a file is no more.
func gone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	status := "/proc/" + strings.TrimSpace(string(text)) + "/stat"
	for range 1_000_000 {
		if state, err := os.ReadFile(status); err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
	}
	t.Errorf("process %s still runs", text)
}

// TestExecCancelled sees that the second Ctrl-C kills what runs, and that the journal does not know what came of it.
func TestExecCancelled(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	pipe := filepath.Join(s.folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { // the program writes as soon as it runs
		if _, err := os.ReadFile(pipe); err == nil {
			s.cancel()
		}
	}()
	_, err := s.lua(`return require "exec".run { shell = "sleep 600 & echo $! > child; echo x > pipe; wait" }`)
	raised(t, err, "cancelled")
	gone(t, filepath.Join(s.folder, "child"))
	s.end()
	if got := s.steps(); len(got) != 1 || !strings.HasSuffix(got[0], ": "+engine.StepCut) {
		t.Errorf("steps %v", got)
	}
}

// TestExecSecrets hands secrets to a program that shows them, and looks for them in everything that is left.
func TestExecSecrets(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	s.secrets["pw"] = `hunter2 "quoted" & <more>`
	got := s.must(s.lua(`local pw = require "dr".secret "pw"
local exec = require "exec"
local r = exec.run { shell = "echo $PW; cat >&2; printf %s \"$PW\" | base64 -w0", env = { PW = pw }, stdin = pw }
local ok, err = pcall(exec.run, { shell = "echo $PW >&2; exit 1", env = { PW = pw } })
return { r.stdout, r.stderr, err.message }`)).([]any)
	for _, text := range got {
		if !strings.Contains(text.(string), "<secret pw>") {
			t.Errorf("%q does not show that there was a secret", text)
		}
	}
	s.end()
	if left := s.left(nil); strings.Contains(left, "hunter2") || strings.Contains(left, "aHVudGVyMi") {
		t.Error("the secret is in what is left")
	}
}

// count is how many lines a program of the scene has written into the file "count".
func (s *scene) count() int {
	text, err := os.ReadFile(filepath.Join(s.folder, "count"))
	if err != nil {
		return 0
	}
	return strings.Count(string(text), "\n")
}

const counting = `local exec = require "exec"; local function add(text) return exec.run { shell = "echo x >> count; echo " .. text .. " $DRRUN_RETRIED" }.stdout end
`

// TestChangesAreDurable sees that a resumed run gets the results of the changes that a hook made, and makes the others.
func TestChangesAreDurable(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, err := s.hook("first", counting+`local a = add "a"; if not ctx.retried then error "the hook breaks" end return a .. add "a" .. add "b"`)
	if err == nil || s.count() != 1 {
		t.Fatalf("%v, %d", err, s.count())
	}
	s.end()
	got := s.must(s.hook("first", counting+`local a = add "a"; if not ctx.retried then error "the hook breaks" end return a .. add "a" .. add "b"`))
	if want := "a false\na false\nb false\n"; got != want || s.count() != 3 {
		t.Errorf("got %q, %d", got, s.count())
	}
	// The hook as a whole is recorded now.
	s.end()
	if got := s.must(s.hook("first", counting+`return add "c"`)); got != "a false\na false\nb false\n" || s.count() != 3 {
		t.Errorf("got %q, %d", got, s.count())
	}
	// Another handler in the same task makes changes of the same name: they are its own, although the first has used none up this time.
	if got := s.must(s.hook("second", counting+`return add "a"`)); got != "a false\n" || s.count() != 4 {
		t.Errorf("got %q, %d", got, s.count())
	}
}

// TestCutChange sees what becomes of a change that a kill cut.
func TestCutChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, option, answer string
		count                int
		want                 any
	}{
		{"it is made again, and told", "", "", 2, "true\n"},
		{"a person says that it was done", `, on_cut = "ask"`, engine.CutDone, 1, "nil"},
		{"a person says to do it again", `, on_cut = "ask"`, engine.CutRedo, 2, "true\n"},
		{"nobody can be asked", `, on_cut = "ask"`, "", 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			code := `local r = require "exec".run { shell = "echo x >> count; test -e go || touch cut; echo $DRRUN_RETRIED; test -e go || sleep 600"` + c.option + ` }
return r == nil and "nil" or r.stdout`
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					if _, err := os.Stat(filepath.Join(s.folder, "cut")); err == nil || s.hard.Err() != nil {
						s.cancel()
						return
					}
				}
			}()
			if _, err := s.hook("h", code); err == nil {
				t.Fatal("it was not cut")
			}
			<-stopped
			s.end()
			s.write("go", "")
			s.uncancel()
			s.begin()
			s.session.Run.SetAsker(answering(c.answer))
			got, err := s.hook("h", code)
			if c.want == nil {
				raised(t, err, "step-cut", "it is not known whether it was done")
			} else if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v, %v", got, err)
			}
			if s.count() != c.count {
				t.Errorf("done %d times, want %d", s.count(), c.count)
			}
		})
	}
}

// TestChangesInAStep sees that they are a part of the step: recorded with it, made again with it.
func TestChangesInAStep(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	code := counting + `return ctx:step("both", function() local a = add "a"; if not ctx.retried then error "breaks" end return a .. add "b" end)`
	if _, err := s.hook("h", code); err == nil {
		t.Fatal("no error")
	}
	s.end()
	if got := s.must(s.hook("h", code)); got != "a true\nb true\n" || s.count() != 3 {
		t.Errorf("got %q, %d", got, s.count())
	}
	s.end()
	if got := s.steps(); !reflect.DeepEqual(got, []string{"hook before_run (h): done", "step both: done"}) {
		t.Errorf("steps %v", got)
	}
}

// TestChangesRefused sees where nothing may be changed: while a plan is loaded, in a boot condition, in a dry run.
func TestChangesRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, err := s.lua(counting + `return add "a"`)
	raised(t, err, "outside-a-run", "plan:on")
	s.begin()
	s.session.Dry = NewDryRun(s.session.Facts)
	got := s.must(s.lua(counting + `return add "a" .. require "exec".run { argv = { "echo", "seen" }, observe = true }.stdout`))
	if assumed := s.session.Dry.Assumed(); got != "seen\n" || len(assumed) != 1 || !strings.Contains(assumed[0], "exec echo x >> count") {
		t.Errorf("got %q, assumed %q", got, assumed)
	}
	s.session.Dry = nil
	path := s.write("condition.lua", counting+`return function(ctx, fn) if require "exec".run { argv = { "echo", "seen" }, observe = true }.code == 0 then add "a" end end`)
	err = s.inCondition(path)
	raised(t, err, "condition-changes", "may only observe")
	if s.count() != 0 {
		t.Errorf("%d changes were made", s.count())
	}
}

// TestBigResult sees that a change does not fail for what it had to say.
func TestBigResult(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	got := s.must(s.lua(`local r = require "exec".run { shell = "head -c 300000 /dev/zero | tr '\\0' '\\001'; echo end; head -c 100000 /dev/zero | tr '\\0' 'y' >&2", max_output = "1MiB" }
return { r.truncated, r.stdout:sub(-4), #r.stdout > 1000, #r.stderr > 1000 }`))
	if want := []any{true, "end\n", true, true}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}
