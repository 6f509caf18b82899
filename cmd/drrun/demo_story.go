package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// scene is one command of the story, with a line that says why.
type scene struct {
	why  string // "" goes on with the scene before
	args []string
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
	var running []lab.VMView
	for _, vm := range before.Sites[plans.Primary].VMs {
		if vm.Running {
			running = append(running, vm)
		}
	}
	for _, part := range []func(context.Context, []lab.VMView) *runner.Result{d.failover, d.wayBack} {
		if r := part(ctx, running); r.Error != nil {
			return r
		}
	}
	return done("demo")
}

// failover loses the primary site and brings its VMs up on the secondary one.
func (d *demo) failover(ctx context.Context, running []lab.VMView) *runner.Result {
	if r := d.scenes(ctx, scene{"A plan from the live engines.", labGenerate("primary-ca.pem", "secondary-ca.pem")}); r != nil {
		return r
	}
	d.say("The plan: a Lua program for you to edit.")
	if err := d.showPlan(); err != nil {
		return failure(runner.ExitInternal, runner.StatusInternal, "demo", err, "")
	}
	if r := d.scenes(ctx,
		scene{"Is it sound, and do both sites have what it needs?", []string{"check", "plan.lua"}},
		scene{"Disaster: the primary site loses its power.", []string{"lab", "disaster", plans.Primary}},
		scene{"The storage administrator makes the copy on the secondary site writable.", []string{"lab", "promote", demoDomain}},
	); r != nil {
		return r
	}
	began, asOf, err := d.now(ctx)
	if err != nil {
		return failure(runner.ExitInternal, runner.StatusInternal, "demo", err, "")
	}
	d.say("Failover.")
	exit, err := d.step(ctx, []string{"failover", "plan.lua", "--confirm-source-down", "Demo: the power of the primary site was cut",
		"--answer", "promote_storage=writable,as_of=" + asOf})
	if err != nil {
		return failure(runner.ExitInternal, runner.StatusInternal, "demo", err, "")
	}
	return d.judge(ctx, move{action: plans.ActionFailover, site: plans.Secondary, exit: exit, running: running, began: began})
}

// wayBack gives the primary its power back and brings the VMs home, while the demo answers as the storage administrator.
func (d *demo) wayBack(ctx context.Context, running []lab.VMView) *runner.Result {
	if r := d.scenes(ctx,
		scene{"The power is back. At once, before a host is up there, the old copy becomes the target of the replication: a highly available\n" +
			"# VM could start on it otherwise, while it runs on the secondary.", []string{"lab", "heal", plans.Primary}},
		scene{"", []string{"lab", "replicate", demoDomain}},
		scene{"", []string{"lab", "wait", plans.Primary}},
		scene{"Where is everything now, and what is next?", []string{"status", "plan.lua"}},
	); r != nil {
		return r
	}
	began, _, err := d.now(ctx)
	if err != nil {
		return failure(runner.ExitInternal, runner.StatusInternal, "demo", err, "")
	}
	d.say("Failback. It asks, and drrun answer answers it from another terminal.")
	failback := d.beside(ctx, []string{"failback", "plan.lua", "--wait-for-answers"})
	var atShutdown map[string]int64
	refused := d.scenes(failback.while, scene{"", []string{"answer", "--wait"}}, scene{"", []string{"answer", "replication", "yes"}}, scene{"", []string{"answer", "--wait"}})
	if refused == nil {
		var world lab.View
		if world, err = d.client.World(ctx); err == nil { // the VMs are down, and their storage released
			atShutdown = written(world, plans.Secondary)
			refused = d.scenes(failback.while, scene{"The storage administrator makes the copy at home writable, when all has arrived.", []string{"lab", "promote", demoDomain}},
				scene{"", []string{"answer", "promote_storage", "writable,in_sync"}})
		}
	}
	exit, ended := failback.wait(ctx)
	switch {
	case err != nil || ended != nil:
		return failure(runner.ExitInternal, runner.StatusInternal, "demo", errors.Join(err, ended), "")
	case refused != nil && exit == runner.ExitDone:
		return refused
	}
	return d.judge(ctx, move{action: plans.ActionFailback, site: plans.Primary, exit: exit, running: running, began: began, atLeast: atShutdown})
}

// now returns the time of the lab, and as of when the copy of the storage is.
func (d *demo) now(ctx context.Context) (at time.Time, asOf string, err error) {
	world, err := d.client.World(ctx)
	if err != nil {
		return at, "", err
	}
	r, err := labReplication(world, demoDomain)
	return world.Time, r.AsOf.UTC().Format(time.RFC3339), err
}

// scenes shows commands that must end well; nil when they did.
func (d *demo) scenes(ctx context.Context, scenes ...scene) *runner.Result {
	for _, s := range scenes {
		if s.why != "" {
			d.say("%s", s.why)
		}
		exit, err := d.step(ctx, s.args)
		if err == nil && exit != runner.ExitDone {
			err = fmt.Errorf("drrun %s ended with exit code %d", s.args[0], exit)
		}
		if err != nil {
			return failure(cmp.Or(exit, runner.ExitInternal), runner.StatusStopped, "demo", err, "")
		}
	}
	return nil
}

// judge verifies a move by the lab's world.
func (d *demo) judge(ctx context.Context, m move) *runner.Result {
	after, err := d.client.World(ctx)
	if err != nil {
		return failure(runner.ExitInternal, runner.StatusInternal, "demo", err, "")
	}
	problems := d.verify(m, after)
	if m.exit != runner.ExitDone {
		problems = append([]string{fmt.Sprintf("drrun %s ended with exit code %d", m.action, m.exit)}, problems...)
	}
	if len(problems) > 0 {
		return failure(cmp.Or(m.exit, runner.ExitPartial), runner.StatusPartial, "demo-failed", errors.New(strings.Join(problems, "\n")), "drrun history --state "+shellWord(filepath.Join(d.dir, "state")))
	}
	return done("demo")
}
