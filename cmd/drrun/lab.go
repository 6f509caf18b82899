package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/report"
	"drrun/plans/runner"
	"drrun/plans/worlds"
)

type labOptions struct {
	VMs, Domains                int
	Primary, Secondary, Control string
	World                       string
	Dir                         string
	Speed                       float64
	LoseVM                      string
	UntilStdinCloses            bool
}

const labHelp = `Serves two simulated oVirt engines with their hosts, networks and replicated storage, until Ctrl-C: engine1 with the VMs,
engine2 with none. They answer as real engines do, and break when you break them. Into --dir it writes the engines' CA
certificates and lab.env, the environment that drrun needs to work with them.

With --world they serve what a Lua file describes: sites, clusters, storage of all kinds, VMs, and the faults that they begin with. A
file with errors is refused with all of them (exit code 2). What can stand in it: docs/810-worlds.md; examples: examples/worlds.

Each site's storage array is served too, for hooks to be tried on: REST at $LAB_PRIMARY_ARRAY_URL/api/v1, and a command line by SSH at
$LAB_PRIMARY_ARRAY_SSH (type: help); likewise SECONDARY. lab.env has user and password, and the files for SSH.

From another terminal the commands below show and change what lies outside the engines: power, storage and faults. They use the
control API, plain HTTP at --control, which describes itself: curl http://127.0.0.1:7070/openapi.json

EXAMPLES
drrun lab --speed 20
drrun lab --world examples/worlds/two-centers.lua
source lab.env; drrun lab status
drrun lab disaster primary
drrun lab promote nfs_ds
`

// labReady begins the line by which a lab says that it serves; demo waits for it.
const labReady = "lab ready: control "

// The bounds of a lab's size: memory, not principle.
const (
	labMaxVMs     = 20000
	labMaxDomains = 200
)

func newLabCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "lab", Usage: "serve two simulated engines to try drrun on", UsageText: "drrun lab [flags]\ndrrun lab COMMAND [flags]", Description: labHelp,
		Subcommands: []*cli.Command{
			newLabStatusCommand(inv), newLabDisasterCommand(inv), newLabHealCommand(inv), newLabPromoteCommand(inv), newLabReplicateCommand(inv), newLabWaitCommand(inv),
			newLabFailCommand(inv), newLabFaultsCommand(inv),
		},
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "world", Usage: "`FILE.lua` with the world to begin with; default: two small sites"},
			&cli.IntFlag{Name: "vms", Value: 3, Usage: "`N` VMs on the primary site; default: 3"},
			&cli.IntFlag{Name: "domains", Value: 1, Usage: "`N` replicated storage domains; default: 1"},
			&cli.StringFlag{Name: "primary", Value: "127.0.0.1:8443", Usage: "`ADDRESS` of the primary engine; default: 127.0.0.1:8443, port 0 is any free one"},
			&cli.StringFlag{Name: "secondary", Value: "127.0.0.1:9443", Usage: "`ADDRESS` of the secondary engine; default: 127.0.0.1:9443"},
			&cli.StringFlag{Name: "control", Value: defaultControl, Usage: "`ADDRESS` of the control API; default: " + defaultControl},
			&cli.StringFlag{Name: "dir", Value: ".", Usage: "`DIR` for lab.env and the CA certificates; default: the current folder"},
			&cli.Float64Flag{Name: "speed", Value: 1, Usage: "`X`: time in the lab runs X times faster than outside; default: 1"},
			&cli.StringFlag{Name: "lose-vm", Hidden: true},
			&cli.BoolFlag{Name: "until-stdin-closes", Hidden: true},
		},
		Action: func(c *cli.Context) error {
			if _, err := exactly(c, []string{"drrun", "lab"}); err != nil {
				return err
			}
			for _, flag := range []string{"vms", "domains", "lose-vm"} {
				if c.IsSet("world") && c.IsSet(flag) {
					return usage("--%s and --world do not go together: the file says what there is", flag).of([]string{"drrun", "lab"})
				}
			}
			inv.result = runLab(c.Context, labOptions{
				World: c.String("world"), VMs: c.Int("vms"), Domains: c.Int("domains"), Primary: c.String("primary"), Secondary: c.String("secondary"), Control: c.String("control"),
				Dir: c.String("dir"), Speed: c.Float64("speed"), LoseVM: c.String("lose-vm"), UntilStdinCloses: c.Bool("until-stdin-closes"),
			}, inv)
			return nil
		},
	}
}

func (o labOptions) wrong() *usageError {
	switch {
	case o.VMs < 1 || o.VMs > labMaxVMs:
		return usage("--vms must be from 1 to %d, not %d", labMaxVMs, o.VMs)
	case o.Domains < 1 || o.Domains > labMaxDomains:
		return usage("--domains must be from 1 to %d, not %d", labMaxDomains, o.Domains)
	case !(o.Speed > 0) || o.Speed > maxSpeed:
		return usage("--speed must be above 0 and at most %.0f, not %g", maxSpeed, o.Speed)
	}
	return nil
}

func runLab(ctx context.Context, o labOptions, inv *invocation) *runner.Result {
	if problem := o.wrong(); problem != nil {
		return problem.of([]string{"drrun", "lab"}).result()
	}
	world, refused := o.world(ctx, inv)
	if refused != nil {
		return refused
	}
	if o.LoseVM != "" && !slices.ContainsFunc(world.Sites[0].VMs, func(vm lab.VM) bool { return vm.Name == o.LoseVM }) {
		return usage("--lose-vm: the lab has no VM %q", o.LoseVM).of([]string{"drrun", "lab"}).result()
	}
	since := inv.env.wall().Clock.Now()
	model := inv.env.Engine(o.Speed, since)
	served := lab.New(world, model.Clock, labSeed)
	boundMemory(world)
	server, err := lab.Serve(ctx, served, lab.ServeOptions{
		Primary: o.Primary, Secondary: o.Secondary, Control: o.Control, Dir: o.Dir, Speed: o.Speed, Since: since, Go: model.Go,
	})
	if err != nil {
		return failure(runner.ExitRefused, runner.StatusRefused, "serve", err, "choose other addresses with --primary, --secondary and --control (port 0 is any free one), and a folder to write to with --dir")
	}
	if o.UntilStdinCloses {
		model.Go(func() {
			_, _ = io.Copy(io.Discard, inv.env.Stdin) // however it ends, whoever started this lab is gone
			_ = server.Close()
		})
	}
	inv.screen.out(labText(o, world, server))
	server.Wait()
	return done("lab")
}

// boundMemory gives back what reading a world took, ten times its size, and has the collector keep the lab below 110 MB and 12 kB for
// each VM: the whole list of 5,000 VMs with NICs and disks is an answer of 80 MB, and fits in.
func boundMemory(world lab.World) {
	vms := 0
	for _, s := range world.Sites {
		vms += len(s.VMs)
	}
	debug.SetMemoryLimit(110<<20 + int64(vms)*12<<10)
	debug.FreeOSMemory()
}

// world is what the lab begins with: what the file of --world says, else the two-site world.
func (o labOptions) world(ctx context.Context, inv *invocation) (lab.World, *runner.Result) {
	if o.World == "" {
		return lab.TwoSites(lab.TwoSitesOptions{VMs: o.VMs, Domains: o.Domains, LoseVM: o.LoseVM}), nil
	}
	world, found := worlds.Read(ctx, inv.env.wall(), o.World)
	if len(found) == 0 {
		return world, nil
	}
	findings := plans.FromDiagnostics(found)
	inv.screen.line(findingsText(findings))
	refused := failure(runner.ExitInvalid, runner.StatusInvalid, "world", fmt.Errorf("the world %s has errors; no lab was started", o.World), "correct the file, then start the lab again")
	refused.Findings = findings
	return world, interrupted(ctx, refused)
}

// labSeed decides the ids that come into being in a lab; they are the same in all.
const labSeed = 1

func labText(o labOptions, world lab.World, server *lab.Server) string {
	var b strings.Builder
	vms, domains := 0, 0
	if primary, ok := world.Site("primary"); ok {
		vms, domains = len(primary.VMs), len(primary.StorageDomains)
	}
	file := func(name string) string { return shellWord(filepath.Join(o.Dir, name)) }
	fmt.Fprintf(&b, "%s%s\n", labReady, server.Control)
	fmt.Fprintf(&b, "  primary    %s  (CA: %s), %s on %s\n", server.PrimaryURL, file("primary-ca.pem"), report.Count(vms, "VM"), report.Count(domains, "storage domain"))
	fmt.Fprintf(&b, "  secondary  %s  (CA: %s)\n", server.SecondaryURL, file("secondary-ca.pem"))
	for _, a := range server.Arrays.Arrays {
		fmt.Fprintf(&b, "  array of %-9s  %s/api/v1, ssh %s@%s\n", a.Site, a.URL, a.Username, a.SSH)
	}
	fmt.Fprintf(&b, "  time runs %s times as fast as outside\n\n", strconv.FormatFloat(o.Speed, 'g', -1, 64))
	fmt.Fprintf(&b, "in another terminal, in this folder:\n  source %s\n", sourceable(file("lab.env")))
	for _, line := range typed(labGenerate(filepath.Join(o.Dir, "primary-ca.pem"), filepath.Join(o.Dir, "secondary-ca.pem"))...) {
		b.WriteString("  " + line + "\n")
	}
	b.WriteString("  drrun check plan.lua\n  drrun lab disaster primary\n")
	back := "  drrun lab heal primary"
	for _, r := range world.Replications {
		fmt.Fprintf(&b, "  drrun lab promote %s\n", shellWord(r.Domain))
		back += " && drrun lab replicate " + shellWord(r.Domain)
	}
	fmt.Fprintf(&b, "  drrun failover plan.lua --confirm-source-down 'YOUR NAME: HOW YOU KNOW' --answer 'promote_storage=writable,as_of=unknown'\n")
	fmt.Fprintf(&b, "%s\n  drrun lab wait primary\n  drrun failback plan.lua\n\nCtrl-C ends the lab\n", back)
	return b.String()
}

// sourceable makes a path that the shell's source does not look for in PATH.
func sourceable(path string) string {
	if strings.ContainsRune(path, '/') {
		return path
	}
	return "./" + path
}
