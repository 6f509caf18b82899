package libtest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
	"drrun/lua"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
	"drrun/plans/worlds"
)

// trial is one test while it runs: its two sites, the plan, and what it has asserted so far.
type trial struct {
	suite *suite
	task  *engine.Task
	about declared

	asserts int
	saying  sync.Mutex
	log     []string
	expects bool // the test looked at the violations itself

	folder string // of the plan, on the real disk: hooks run programs in it
	sites  lab.World
	world  *sim.World
	lab    *lab.Lab
	broken error // why there is no world

	lost     map[string]bool
	uses     string // Lua text behind the generated plan
	secrets  map[string]string
	env      map[string]string
	fakes    []func()        // end the outside world
	faults   lua.Diagnostics // of the functions that play it
	arrays   *lab.ArrayServer
	turn     sync.Mutex
	killed   bool // the process that runs the plan is to be killed before it writes another record
	kills    int
	hookSaid *string // JSON of what the only hook of a unit test returned
}

func newTrial(s *suite, task *engine.Task, one declared) *trial {
	return &trial{suite: s, task: task, about: one, lost: map[string]bool{}, secrets: map[string]string{}, env: map[string]string{}}
}

// close ends what the test has started.
func (t *trial) close() {
	for _, end := range t.fakes {
		end()
	}
	if t.world != nil {
		t.world.Close()
	}
	if t.folder != "" {
		_ = os.RemoveAll(t.folder) // a temporary folder: what is left of it is the system's to clean
	}
}

// stateDir is where the runs of a test lie, on the disk of the simulation: a killed process leaves there what a crash would.
const stateDir = "/drrun-state"

// setUp makes the sites and generates a plan for them, when they are first needed.
func (t *trial) setUp(c *lua.Call) error {
	if t.world != nil || t.broken != nil {
		return t.broken
	}
	t.broken = t.begin(c)
	return t.broken
}

func (t *trial) begin(c *lua.Call) (err error) {
	if t.sites, err = t.readWorld(c); err != nil {
		return err
	}
	if t.folder, err = os.MkdirTemp("", "drrun-test-*"); err != nil {
		return fmt.Errorf("make a folder for the plan: %w", err)
	}
	world := sim.New(1)
	world.Quiet = true
	t.lab = lab.New(t.sites, world.Clock(), 1)
	t.world = world
	return t.generate(c.Lua)
}

func (t *trial) readWorld(c *lua.Call) (lab.World, error) {
	if t.about.world == "" {
		return lab.TwoSites(lab.TwoSitesOptions{}), nil
	}
	file := filepath.Join(filepath.Dir(t.suite.file), t.about.world)
	world, found := worlds.Read(c.Lua, t.suite.Env, file)
	if len(found) > 0 {
		return lab.World{}, found
	}
	for _, name := range []string{plans.Primary, plans.Secondary} {
		if site(world, name) == nil {
			return lab.World{}, fmt.Errorf("the world %s has no site %q", file, name)
		}
	}
	return world, nil
}

func site(world lab.World, name string) *lab.Site {
	at := slices.IndexFunc(world.Sites, func(s lab.Site) bool { return s.Name == name })
	if at < 0 {
		return nil
	}
	return &world.Sites[at]
}

// planFile is where the plan of the test lies.
func (t *trial) planFile() string { return filepath.Join(t.folder, "plan.lua") }

// generate writes the plan and its inventory, as drrun generate does.
func (t *trial) generate(ctx context.Context) error {
	var made *plans.Generated
	err := t.do(ctx, func(ctx context.Context, env engine.Env) error {
		open := func(name string) (*ovirt.Site, plans.SiteSpec, error) {
			of := site(t.sites, name)
			spec := plans.SiteSpec{URL: of.URL, Username: of.Username, Insecure: true}
			opened, err := ovirt.Open(ctx, ovirt.Options{
				Name: name, URL: of.URL, Username: of.Username, Password: of.Password, Transport: wire{t}, Clock: env.Clock, Go: env.Go,
			})
			return opened, spec, err
		}
		primary, primarySpec, err := open(plans.Primary)
		if err != nil {
			return err
		}
		secondary, secondarySpec, err := open(plans.Secondary)
		if err != nil {
			return err
		}
		from, to := t.lab.ReplicatedStorage()
		made, err = plans.Generate(ctx, plans.GenerateOptions{
			Name: "Test", File: t.planFile(), Primary: primary, Secondary: secondary, PrimarySpec: primarySpec, SecondarySpec: secondarySpec,
			PrimaryStorage: from, SecondaryStorage: to, Now: env.Clock.Now(),
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("generate a plan for the test: %w", err)
	}
	inventory, err := made.Inventory.Encode()
	if err != nil {
		return fmt.Errorf("write the inventory of the test: %w", err)
	}
	if err := os.WriteFile(plans.InventoryFile(t.planFile()), inventory, 0o600); err != nil {
		return err
	}
	return os.WriteFile(t.generated(), made.Plan, 0o600)
}

// generated keeps the plan as it was generated: each action may add other text to it.
func (t *trial) generated() string { return filepath.Join(t.folder, "generated.lua") }

// do runs something in virtual time, as a process of its own that a test can kill: then it ends with errKilled.
func (t *trial) do(ctx context.Context, fn func(ctx context.Context, env engine.Env) error) (err error) {
	defer func() {
		if value := recover(); value != nil { // the simulation gives up: everybody waits for something that cannot happen
			err = fmt.Errorf("the simulation gave up: %v", value)
		}
	}()
	group := t.world.Group("drrun")
	err = errKilled
	group.Run(func() {
		env := group.Env()
		env.FS = disk{runs: env.FS, files: t.suite.Env.FS, beforeWrite: func() {
			if t.killed {
				t.killed = false
				group.Kill()
			}
		}}
		err = fn(ctx, env)
	})
	return err
}

// wire carries requests to the lab, which works on goroutines of its own: killing drrun does not cut its operations.
type wire struct{ trial *trial }

func (w wire) RoundTrip(request *http.Request) (*http.Response, error) {
	var answer *http.Response
	var err error
	done := make(chan struct{})
	w.trial.world.Daemon("lab").Go(func() {
		defer close(done)
		answer, err = w.trial.lab.Transport().RoundTrip(request.WithContext(context.WithoutCancel(request.Context())))
	})
	if _, waitErr := w.trial.world.Clock().Wait(request.Context(), -1, done); waitErr != nil {
		return nil, waitErr
	}
	return answer, err
}

// wait lets virtual time pass.
func (t *trial) wait(ctx context.Context, d time.Duration) error {
	return t.do(ctx, func(ctx context.Context, env engine.Env) error {
		_, err := env.Clock.Wait(ctx, d, nil)
		return err
	})
}

// lose takes a site away, once.
func (t *trial) lose(name string) error {
	if t.lost[name] {
		return nil
	}
	t.lost[name] = true
	return t.lab.Disaster(name)
}

// say adds a line to the log of the test.
func (t *trial) say(line string) {
	t.saying.Lock()
	defer t.saying.Unlock()
	t.log = append(t.log, t.tidy(line))
}

// said is the log from a line on.
func (t *trial) said(from int) []string {
	t.saying.Lock()
	defer t.saying.Unlock()
	return slices.Clone(t.log[from:])
}

// verdict is what is wrong with a test whose function has ended without an error.
func (t *trial) verdict() lua.Diagnostics {
	place := lua.Diagnostic{Pos: t.about.pos, Subject: "test.case", Source: t.sourceLine(t.about.pos)}
	found := slices.Clone(t.faults)
	if t.asserts == 0 {
		d := place
		d.Code, d.Message = "test-asserts-nothing", fmt.Sprintf("test %q asserts nothing, so it cannot fail", t.about.name)
		d.Hint = "say what must hold: t:equal(result.exit, 0)"
		found = append(found, &d)
	}
	if t.lab != nil && !t.expects {
		for _, violation := range t.lab.View().Violations {
			d := place
			d.Code, d.Message = "lab-violation", fmt.Sprintf("the lab saw what must never happen, at %s: %s", violation.Site, violation.Text)
			d.Hint = "where the test brings it about on purpose, look at it: t.lab:violations()"
			found = append(found, &d)
		}
	}
	return found
}

func (t *trial) sourceLine(pos lua.Pos) string {
	text, err := t.suite.Env.FS.ReadFile(pos.File)
	lines := strings.Split(string(text), "\n")
	if err != nil || pos.Line < 1 || pos.Line > len(lines) {
		return ""
	}
	return lines[pos.Line-1]
}

// kill asks for the death of the process that runs the plan, before it writes another record.
func (t *trial) kill() { t.killed = true }

// maxKills bounds how often one action is killed and resumed.
const maxKills = 20

// perform runs an action to its end: where the test kills it, it is resumed, as often as that happens.
func (t *trial) perform(ctx context.Context, o runner.Options, killAfter string) (*runner.Result, error) {
	var result *runner.Result
	runs := map[string]bool{}
	for attempt := 1; ; attempt++ {
		err := t.do(ctx, func(ctx context.Context, env engine.Env) error {
			with := o
			with.Env = env
			group := t.world.Group("drrun")
			with.Observe = func(e engine.Event) {
				t.hear(e)
				if killAfter != "" && isEndOfHook(e, killAfter) {
					killAfter = ""
					group.Kill()
				}
			}
			if attempt == 1 {
				list, err := engine.ListRuns(env, stateDir)
				if err != nil {
					return err
				}
				for _, run := range list {
					runs[run.ID] = true
				}
				result = runner.Start(ctx, ctx, with)
				return nil
			}
			id, err := newestRun(env, runs)
			if err != nil {
				return err
			}
			result = runner.Resume(ctx, ctx, id, with)
			return nil
		})
		if err != errKilled {
			if err == nil && killAfter != "" {
				err = fmt.Errorf("the run never came to the end of a hook %s, so it was not killed", killAfter)
			}
			return result, err
		}
		if t.kills++; attempt > maxKills {
			return nil, fmt.Errorf("the run was killed %d times and resumed as often: it does not get on", maxKills)
		}
		t.say("killed, and resumed")
	}
}

// newestRun is the run that was begun since the others were seen.
func newestRun(env engine.Env, seen map[string]bool) (string, error) {
	runs, err := engine.ListRuns(env, stateDir)
	if err != nil {
		return "", err
	}
	for _, run := range runs {
		if !seen[run.ID] {
			return run.ID, nil
		}
	}
	return "", fmt.Errorf("the run was killed before it was begun, so there is nothing to resume")
}

// isEndOfHook tells whether an event is the recorded end of a handler of a hook point.
func isEndOfHook(e engine.Event, point string) bool {
	return strings.HasPrefix(e.Text, "hook "+point+" (") && strings.HasSuffix(e.Text, "): done")
}

// besideThePlan are the operations that show a run in an engine, or lock it: they tell the reader of a test nothing.
var besideThePlan = []string{"event.", "job.", "step.", "affinity_label."}

// hear takes what the run says.
func (t *trial) hear(e engine.Event) {
	if e.Kind == "log" {
		if said, ours := strings.CutPrefix(e.Text, hookMark); ours {
			t.hookSaid = &said
			return
		}
	}
	switch {
	case e.Text == "" || e.Kind == "intent" && slices.ContainsFunc(besideThePlan, func(prefix string) bool { return strings.HasPrefix(e.Text, prefix) }):
	case e.Kind == "intent" || e.Kind == "mark":
		t.say(e.Time.Format("15:04:05") + " " + e.Text + " " + e.Subject.String())
	default:
		t.say(e.Time.Format("15:04:05") + " " + e.Text)
	}
}
