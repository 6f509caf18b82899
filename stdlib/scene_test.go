package stdlib

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/lua"
)

// scene is a folder with a plan in it, and an attempt of a run that code of the plan can be called in. Model time runs speed times
// faster than the wall, so that time-outs of seconds pass in no time.
type scene struct {
	t       *testing.T
	env     engine.Env
	folder  string
	state   string
	session *Session // nil: the plan is being loaded
	events  []engine.Event
	secrets map[string]string
	vars    map[string]string
	params  map[string]any     // ctx.params
	cancel  context.CancelFunc // the second Ctrl-C
	hard    context.Context
}

func newScene(t *testing.T) *scene {
	t.Helper()
	return newFastScene(t, 1)
}

func newFastScene(t *testing.T, speed float64) *scene {
	t.Helper()
	s := &scene{t: t, env: engine.SystemEnv(speed), folder: t.TempDir(), state: t.TempDir(), secrets: map[string]string{}, vars: map[string]string{}, params: map[string]any{}}
	s.hard, s.cancel = context.WithCancel(context.Background())
	t.Cleanup(s.cancel)
	return s
}

// begin makes an attempt: the first begins the run, each further one goes on with it.
func (s *scene) begin() *scene {
	s.t.Helper()
	runs, err := engine.ListRuns(s.env, s.state)
	if err != nil {
		s.t.Fatal(err)
	}
	var run *engine.Run
	if len(runs) == 0 {
		run, err = engine.CreateRun(s.env, s.state, engine.Head{Plan: "p", Action: "failover"}, nil)
	} else {
		run, err = engine.OpenRun(s.env, s.state, runs[0].ID)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	run.Observe(func(e engine.Event) { s.events = append(s.events, e) })
	s.t.Cleanup(func() { _ = run.Close() })
	s.session = NewSession(s.env, run, &Facts{Source: "primary", Target: "secondary"}, nil, nil)
	return s
}

// end gives the attempt up, as a crash would.
func (s *scene) end() {
	if err := s.session.Run.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.session = nil
}

func (s *scene) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// secretModule gives the secrets of the scene, as dr.secret does.
func (s *scene) secretModule() lua.Module {
	return lua.Module{Name: "dr", Funcs: []lua.Func{{
		Name: "secret", Effect: lua.Pure, Params: []lua.Param{{Name: "name", Type: lua.String, Positional: true}},
		Run: func(c *lua.Call) (any, error) {
			name := c.String("name")
			return lua.NewSecret(name, func(context.Context) (string, error) {
				if value, known := s.secrets[name]; known {
					return value, nil
				}
				return "", fmt.Errorf("find secret %q: it is not set", name)
			}), nil
		},
	}}}
}

// within runs fn as a task of the attempt.
func (s *scene) within(fn func(t *engine.Task, rt *lua.Runtime) error) error {
	rt := lua.New(lua.Options{
		Modules: append([]lua.Module{s.secretModule()}, Modules(Surroundings{
			Session: func() *Session { return s.session }, Folder: s.folder,
			Getenv: func(name string) (string, bool) { value, set := s.vars[name]; return value, set },
		})...),
		ReadFile: s.env.FS.ReadFile, Path: []string{s.folder},
	})
	return engine.NewScheduler(s.env).Run(s.hard, s.hard, "failover", func(t *engine.Task) error { return fn(t, rt) })
}

// lua runs code of the plan's workflow and returns its result.
func (s *scene) lua(code string) (result any, err error) {
	s.t.Helper()
	path := s.write("main.lua", code)
	err = s.within(func(t *engine.Task, rt *lua.Runtime) error {
		result, err = rt.RunFile(t, path)
		return err
	})
	return result, err
}

// hook runs code as the body of a handler of before_run named name, which gets ctx.
func (s *scene) hook(name, code string) (result any, err error) {
	s.t.Helper()
	return s.handler(name, "return function(ctx)\n"+code+"\nend")
}

// handler runs the function that a file returns as a handler of before_run named name.
func (s *scene) handler(name, file string) (result any, err error) {
	s.t.Helper()
	if s.session == nil {
		s.begin()
	}
	s.session.Params = s.params
	path := s.write("hook.lua", file)
	err = s.within(func(t *engine.Task, rt *lua.Runtime) error {
		fn, err := rt.RunFile(t, path)
		if err != nil {
			return err
		}
		s.session.Hooks["before_run"] = []Handler{{Point: "before_run", Name: name, Func: fn.(*lua.Function)}}
		result, err = s.session.RunHook(t, "before_run", engine.Subject{Kind: "run", ID: "r"}, nil)
		return err
	})
	return result, err
}

// must is for code that cannot fail.
func (s *scene) must(result any, err error) any {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return result
}

// left is everything that an attempt leaves: its files, its events, and what it raised.
func (s *scene) left(err error) string {
	s.t.Helper()
	var all strings.Builder
	walkErr := filepath.WalkDir(s.state, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	events, jsonErr := json.Marshal(s.events)
	if err := errors.Join(walkErr, jsonErr); err != nil {
		s.t.Fatal(err)
	}
	return all.String() + string(events) + fmt.Sprint(err)
}

// steps are the durable steps of the run: title and outcome.
func (s *scene) steps() []string {
	s.t.Helper()
	runs, err := engine.ListRuns(s.env, s.state)
	if err != nil || len(runs) != 1 {
		s.t.Fatalf("%d runs, %v", len(runs), err)
	}
	info, err := engine.ReadRun(s.env, s.state, runs[0].ID)
	if err != nil {
		s.t.Fatal(err)
	}
	var steps []string
	for _, step := range info.Steps() {
		steps = append(steps, step.Title+": "+step.Outcome)
	}
	return steps
}

// raised checks code, and what the message of an error must hold.
func raised(t *testing.T, err error, code string, words ...string) {
	t.Helper()
	var d *lua.Diagnostic
	if !errors.As(err, &d) {
		t.Fatalf("got the error %v, want one with the code %s", err, code)
	}
	if d.Code != code {
		t.Errorf("code %s, want %s: %v", d.Code, code, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) && !strings.Contains(d.Hint, word) {
			t.Errorf("%v (hint: %s) does not hold %q", err, d.Hint, word)
		}
	}
}

// uncancel takes the second Ctrl-C back, for the next attempt.
func (s *scene) uncancel() {
	s.hard, s.cancel = context.WithCancel(context.Background())
	s.t.Cleanup(s.cancel)
}

// inCondition runs the function that a file returns as a boot condition is run.
func (s *scene) inCondition(path string) error {
	return s.within(func(t *engine.Task, rt *lua.Runtime) error {
		fn, err := rt.RunFile(t, path)
		if err != nil {
			return err
		}
		return s.session.RunCheck(t, "l", fn.(*lua.Function), nil, nil)
	})
}

// answering is a person with one answer; "" is nobody.
type answering string

func (a answering) Ask(context.Context, engine.Question) (string, error) {
	if a == "" {
		return "", engine.ErrNoAnswer
	}
	return string(a), nil
}
