package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

type demoOptions struct {
	Dir    string
	Speed  float64
	LoseVM string
}

const demoHelp = `Shows the whole story on two simulated sites. A lab is started, a plan is generated and checked. The primary site loses its power,
its storage is promoted at the secondary, and a failover brings the VMs up there, rank by rank. Then the power is back, the array
replicates the other way, and a failback brings the VMs home with all that they wrote meanwhile; the demo answers its questions as
the storage administrator would.

Every command is shown as you would type it, with what it prints. After each move the demo looks at the lab's world, not at what
drrun says of itself; it fails when a VM is missing or out of order, when data was lost on the way home, or when anything happened
that never must.

The plan, its inventory, the runs and the lab's environment stay in the folder that is named at the end.

EXAMPLES
drrun demo
drrun demo --dir demo --speed 60
`

// demoDomain is the storage domain of the lab that the demo runs.
var demoDomain = lab.DomainName(0)

func newDemoCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "show a failover and the way back on two simulated sites", UsageText: "drrun demo [flags]", Description: demoHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Usage: "`DIR` for everything that the demo makes; default: a new temporary folder"},
			&cli.Float64Flag{Name: "speed", Value: 30, Usage: "`X`: time runs X times faster than outside; default: 30"},
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
		d.say("The demo took %s. Its plan, inventory, runs and lab.env are in %s", span(d.model.Clock.Now().Sub(began)), d.dir)
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
