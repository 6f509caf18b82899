package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

type demoOptions struct {
	Dir    string
	Speed  float64
	LoseVM string
}

const demoHelp = `Shows the whole story on two simulated sites: a lab is started, a plan is generated and checked, the primary site loses its
power, the storage is promoted, and the failover brings the VMs up on the secondary site, rank by rank. Every command is
shown as you would type it, with what it prints. At the end the demo looks at the lab's world and says what came up and when;
it fails when a VM is missing, out of order, or anything happened that never must.

The plan, its inventory, the run and the lab's environment stay in the folder that is named at the end.

EXAMPLES
drrun demo
drrun demo --dir demo --speed 60
`

// demoDomain is the storage domain of the lab that the demo runs.
var demoDomain = lab.DomainName(0)

func newDemoCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "show a failover on two simulated sites", UsageText: "drrun demo [flags]", Description: demoHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Usage: "`DIR` for everything that the demo makes; default: a new temporary folder"},
			&cli.Float64Flag{Name: "speed", Value: 20, Usage: "`X`: time runs X times faster than outside; default: 20"},
			&cli.StringFlag{Name: "lose-vm", Hidden: true},
		},
		Action: func(c *cli.Context) error {
			if _, err := exactly(c, []string{"drrun", "demo"}); err != nil {
				return err
			}
			inv.result = interrupted(c.Context, runDemo(c.Context, demoOptions{Dir: c.String("dir"), Speed: c.Float64("speed"), LoseVM: c.String("lose-vm")}, inv))
			return nil
		},
	}
}

// labGenerate are the arguments that generate a plan for a lab, after sourcing its lab.env.
func labGenerate(primaryCA, secondaryCA string) []string {
	return []string{"generate", "--name", "Plan_Recovery",
		"--primary-url", "$LAB_PRIMARY_URL", "--primary-username", "$LAB_PRIMARY_USERNAME", "--primary-ca", primaryCA,
		"--secondary-url", "$LAB_SECONDARY_URL", "--secondary-username", "$LAB_SECONDARY_USERNAME", "--secondary-ca", secondaryCA,
		"--primary-storage", "$LAB_PRIMARY_STORAGE", "--secondary-storage", "$LAB_SECONDARY_STORAGE", "-o", "plan.lua"}
}

func runDemo(ctx context.Context, o demoOptions, inv *invocation) *runner.Result {
	if !(o.Speed > 0) || o.Speed > maxSpeed {
		return usage("--speed must be above 0 and at most %.0f, not %g", maxSpeed, o.Speed).of([]string{"drrun", "demo"}).result()
	}
	d := &demo{inv: inv, model: inv.env.wall(), speed: o.Speed}
	if refused := d.folder(o.Dir); refused != nil {
		return refused
	}
	began := d.model.Clock.Now()
	defer d.stopLab(ctx)
	result := d.story(ctx, o)
	if result.Error == nil {
		d.say("The demo took %s. Its plan, inventory, run and lab.env are in %s", span(d.model.Clock.Now().Sub(began)), d.dir)
	} else {
		d.say("What the demo made is in %s", d.dir)
	}
	return withExtra(result, "folder", d.dir)
}

// demo is one showing. Everything in it that changes a site is done by child processes, as an operator would do it.
type demo struct {
	inv     *invocation
	model   engine.Env
	speed   float64
	dir     string
	environ []string
	lab     *child
	client  *lab.ControlClient
}

func (d *demo) say(format string, args ...any) {
	d.inv.screen.out("\n# " + fmt.Sprintf(format, args...) + "\n")
}

// folder makes the folder of the demo. One that holds a plan is somebody's work.
func (d *demo) folder(dir string) *runner.Result {
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "drrun-demo-"+d.model.NewID()[:8])
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = d.model.FS.MkdirAll(dir)
	}
	if err != nil {
		return failure(runner.ExitInvalid, runner.StatusInvalid, "folder", fmt.Errorf("make the folder of the demo: %w", err), "name another one with --dir")
	}
	if _, err := d.model.FS.Stat(filepath.Join(dir, "plan.lua")); !errors.Is(err, fs.ErrNotExist) {
		return failure(runner.ExitInvalid, runner.StatusInvalid, "exists", fmt.Errorf("%s holds a plan.lua already", dir), "name another folder with --dir")
	}
	d.dir = dir
	return nil
}

// story shows one command after the other and verifies what came of them.
func (d *demo) story(ctx context.Context, o demoOptions) *runner.Result {
	d.say("Two sites: engine1 with three VMs on a replicated storage domain, engine2 with none. Time runs %gx.", o.Speed)
	if err := d.startLab(ctx, o); err != nil {
		return failure(runner.ExitInternal, runner.StatusInternal, "demo", err, "")
	}
	before, err := d.client.World(ctx)
	if err != nil {
		return failure(runner.ExitInternal, runner.StatusInternal, "demo", err, "")
	}
	failoverLine := []string{"failover", "plan.lua", "--state", "state", "--confirm-source-down", "Demo: the power of the primary site was cut",
		"--answer", "promote_storage=writable,as_of=unknown"}
	for _, step := range []struct {
		why  string
		args []string
	}{
		{"A plan from the live engines.", labGenerate("primary-ca.pem", "secondary-ca.pem")},
		{"The plan: a Lua program for you to edit.", nil},
		{"Is it sound, and do both sites have what it needs?", []string{"check", "plan.lua"}},
		{"Disaster: the primary site loses its power.", []string{"lab", "disaster", "primary"}},
		{"The storage administrator makes the copy on the secondary site writable.", []string{"lab", "promote", demoDomain}},
	} {
		d.say("%s", step.why)
		if step.args == nil {
			if err := d.showPlan(); err != nil {
				return failure(runner.ExitInternal, runner.StatusInternal, "demo", err, "")
			}
			continue
		}
		exit, err := d.step(ctx, step.args)
		if err == nil && exit != runner.ExitDone {
			err = fmt.Errorf("drrun %s ended with exit code %d", step.args[0], exit)
		}
		if err != nil {
			return failure(cmp.Or(exit, runner.ExitInternal), runner.StatusStopped, "demo", err, "")
		}
	}
	d.say("Failover.")
	began, err := d.client.World(ctx)
	if err != nil {
		return failure(runner.ExitInternal, runner.StatusInternal, "demo", err, "")
	}
	exit, err := d.step(ctx, failoverLine)
	if err != nil {
		return failure(runner.ExitInternal, runner.StatusInternal, "demo", err, "")
	}
	after, err := d.client.World(ctx)
	if err != nil {
		return failure(runner.ExitInternal, runner.StatusInternal, "demo", err, "")
	}
	problems := d.verify(before, after, began.Time)
	if exit != runner.ExitDone {
		problems = append([]string{fmt.Sprintf("drrun failover ended with exit code %d", exit)}, problems...)
	}
	if len(problems) > 0 {
		return failure(cmp.Or(exit, runner.ExitPartial), runner.StatusPartial, "demo-failed", errors.New(strings.Join(problems, "\n")), "drrun history --state "+shellWord(filepath.Join(d.dir, "state")))
	}
	return done("demo")
}

func (d *demo) showPlan() error {
	text, err := d.model.FS.ReadFile(filepath.Join(d.dir, "plan.lua"))
	if err != nil {
		return fmt.Errorf("show the plan: %w", err)
	}
	d.inv.screen.out("$ cat plan.lua\n" + string(text))
	return nil
}

// step shows a command line, runs it as a child process and returns its exit code.
func (d *demo) step(ctx context.Context, args []string) (exit int, err error) {
	d.inv.screen.out("$ " + strings.Join(typed(args...), "\n") + "\n")
	return d.runChild(ctx, args)
}

// demoVM is what became of one VM.
type demoVM struct {
	name          string
	rank          int
	status        string
	started, up   time.Time
	counted, here bool
}

// verify looks at the lab's world, not at what drrun says of itself: every VM that ran at the primary runs at the secondary, no rank
// started before the one below it was up, and the monitor saw nothing that must never happen.
func (d *demo) verify(before, after lab.View, began time.Time) (problems []string) {
	ranks, err := d.ranks()
	if err != nil {
		problems = append(problems, err.Error())
	}
	var vms []demoVM
	for _, was := range before.Sites[plans.Primary].VMs {
		if !was.Running {
			continue
		}
		vm := demoVM{name: was.Name, status: "missing"}
		vm.rank, vm.counted = ranks[was.ID]
		for _, now := range after.Sites[plans.Secondary].VMs {
			if now.ID != was.ID {
				continue
			}
			vm.status, vm.here = now.Status, true
			if now.StartedAt != nil {
				vm.started = *now.StartedAt
			}
			if now.UpAt != nil {
				vm.up = *now.UpAt
			}
		}
		vms = append(vms, vm)
	}
	slices.SortStableFunc(vms, func(a, b demoVM) int { return cmp.Compare(a.rank, b.rank) })
	d.showVMs(vms, began, len(after.Violations))
	for _, vm := range vms {
		switch {
		case !vm.here:
			problems = append(problems, fmt.Sprintf("VM %s is not on the secondary site", vm.name))
		case vm.status != "up":
			problems = append(problems, fmt.Sprintf("VM %s is %s on the secondary site, not up", vm.name, vm.status))
		case !vm.counted:
			problems = append(problems, fmt.Sprintf("VM %s is in no rank of the run", vm.name))
		}
		for _, lower := range vms {
			if lower.rank < vm.rank && !vm.started.IsZero() && lower.up.After(vm.started) {
				problems = append(problems, fmt.Sprintf("VM %s of rank %d was started before VM %s of rank %d was up", vm.name, vm.rank, lower.name, lower.rank))
			}
		}
	}
	for _, v := range after.Violations {
		problems = append(problems, fmt.Sprintf("the lab saw a violation: %s: %s", v.Kind, v.Text))
	}
	return problems
}

func (d *demo) showVMs(vms []demoVM, began time.Time, violations int) {
	d.say("What the lab's world shows on the secondary site, in its time since the failover began; violations: %d.", violations)
	since := func(at time.Time) string {
		if at.IsZero() {
			return ""
		}
		return offset(at.Sub(began))
	}
	rows := [][]string{{"RANK", "VM", "STATUS", "STARTED", "UP"}}
	for _, vm := range vms {
		rows = append(rows, []string{strconv.Itoa(vm.rank), vm.name, vm.status, since(vm.started), since(vm.up)})
	}
	var b strings.Builder
	writeTable(&b, "", rows)
	d.inv.screen.out(b.String())
}

// ranks reads from the run's report which VM has which rank.
func (d *demo) ranks() (map[string]int, error) {
	state := filepath.Join(d.dir, "state")
	runs, err := engine.ListRuns(d.model, state)
	if err != nil {
		return nil, err
	}
	if len(runs) == 0 {
		return nil, errors.New("the failover left no run")
	}
	text, err := d.model.FS.ReadFile(filepath.Join(runDir(state, runs[0].ID), "report.json"))
	if err != nil {
		return nil, fmt.Errorf("read the report of the run: %w", err)
	}
	var report runner.Result
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, fmt.Errorf("read the report of the run: %w", err)
	}
	ranks := map[string]int{}
	for _, vm := range report.VMs {
		if vm.Rank != nil {
			ranks[vm.ID] = *vm.Rank
		}
	}
	return ranks, nil
}
