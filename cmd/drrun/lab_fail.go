package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

const labFailHelp = `Adds a rule by which the lab fails: what it meets, and what happens then. Without a KIND the rule is about HTTP requests. By
default it meets once; rules are tried in the order in which they were added. drrun lab faults lists them and takes them away.

A KIND of the world happens at once, or, with --method, --path, --nth or --asked, before a request that the rule meets. The others
wait for what they are about: a start, a registration, an import. Kinds, with what they need:
  engine-restart, site-down                    --site
  host-down, host-isolated, host-bmc           --subject HOST
  host-blind                                   --subject HOST --export ADDRESS:PATH
  storage-down                                 --export ADDRESS:PATH, or the name of a LUN set
  vm-boot, vm-shutdown, register-lost          --subject VM, or any
  activation, deactivate, ovf-unreadable       --subject DOMAIN, or any
  listing                                      --subject ADDRESS:PATH, or any
  job-failed                                   --path, such as /start$

EXAMPLES
drrun lab fail --site primary --path '/vms$' --status 503
drrun lab fail --method POST --path '/start$' --nth 3 --reset after
drrun lab fail vm-boot --subject vm1
drrun lab fail site-down --site primary --asked secondary --path '/register$'
`

func newLabFailCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "fail", Usage: "add a rule by which the lab fails", UsageText: "drrun lab fail [KIND] [flags]", Description: labFailHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "site", Usage: "requests to `SITE`, or what happens there; default: both"},
			&cli.StringFlag{Name: "method", Usage: "requests with `METHOD`; default: any"},
			&cli.StringFlag{Name: "path", Usage: "requests whose path matches `REGEXP`; default: any"},
			&cli.StringFlag{Name: "asked", Usage: "`SITE` whose requests count, where it is not --site"},
			&cli.IntFlag{Name: "nth", Usage: "pass the ones before the `N`-th; default: 1"},
			&cli.IntFlag{Name: "times", Usage: "meet `N` of them, -1 all; default: 1, with --probability all"},
			&cli.Float64Flag{Name: "probability", Usage: "meet each with probability `P`, above 0 and up to 1"},
			&cli.Uint64Flag{Name: "seed", Usage: "`N` decides which ones --probability meets"},
			&cli.DurationFlag{Name: "delay", Usage: "wait `SPAN` first, such as 30s, in time of the lab"},
			&cli.IntFlag{Name: "status", Usage: "answer with HTTP status `N` instead of doing anything"},
			&cli.StringFlag{Name: "reason", Usage: "`TEXT` of the fault's reason, with --status"},
			&cli.StringFlag{Name: "detail", Usage: "`TEXT` of the fault's detail, with --reason"},
			&cli.BoolFlag{Name: "html", Usage: "answer an HTML page: with --status instead of the effect, else after it"},
			&cli.BoolFlag{Name: "empty", Usage: "answer without a body, after the effect"},
			&cli.BoolFlag{Name: "truncate", Usage: "break the answer off in the middle, after the effect"},
			&cli.StringFlag{Name: "reset", Usage: "reset the connection `WHEN`: before or after the effect"},
			&cli.BoolFlag{Name: "restart", Usage: "restart the engine instead of answering"},
			&cli.StringFlag{Name: "subject", Usage: "`NAME` or id of the host, VM, storage domain or export that a KIND is about"},
			&cli.StringFlag{Name: "export", Usage: "`ADDRESS:PATH`, or LUN set, that a KIND is about"},
			controlFlag(), jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			path := []string{"drrun", "lab", "fail"}
			if c.NArg() > 1 {
				return usage("drrun lab fail takes one KIND, not %d", c.NArg()).of(path)
			}
			rule := lab.Fault{
				Kind: c.Args().First(), Site: c.String("site"), Method: c.String("method"), Path: c.String("path"), Asked: c.String("asked"),
				Nth: c.Int("nth"), Times: c.Int("times"), Probability: c.Float64("probability"), Seed: c.Uint64("seed"), Delay: c.Duration("delay"),
				Status: c.Int("status"), Reason: c.String("reason"), Detail: c.String("detail"), HTML: c.Bool("html"), Empty: c.Bool("empty"),
				Truncate: c.Bool("truncate"), Reset: c.String("reset"), Restart: c.Bool("restart"), Subject: c.String("subject"), Export: c.String("export"),
			}
			if rule == (lab.Fault{Site: rule.Site, Method: rule.Method, Path: rule.Path, Asked: rule.Asked, Nth: rule.Nth, Times: rule.Times, Probability: rule.Probability, Seed: rule.Seed}) {
				return usage("the rule says nothing that happens").of(path).hinted("add a KIND, --status, --html, --empty, --truncate, --reset, --restart or --delay; drrun lab fail --help")
			}
			inv.result = runLabFail(c.Context, c.String("control"), rule, inv)
			return nil
		},
	}
}

func runLabFail(ctx context.Context, control string, rule lab.Fault, inv *invocation) *runner.Result {
	view, err := inv.env.control(control).AddFault(ctx, rule)
	if err != nil {
		return interrupted(ctx, labFailure(err))
	}
	if !inv.json {
		inv.screen.out(fmt.Sprintf("rule %d: %s\nwhat it met: drrun lab faults; take it away: drrun lab faults --drop %d\n", view.N, view.Text, view.N))
	}
	return withExtra(done("lab fail"), "rule", view)
}

type labFaultsOptions struct{ Control, Drop string }

func newLabFaultsCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "faults", Usage: "list the rules by which the lab fails, or take them away", UsageText: "drrun lab faults [flags]",
		Description: "Lists the rules by which the lab fails, those of its world file and those of drrun lab fail: how many requests, or uses, each had\nbefore it, how many it met, and when it did so last.\n\n" +
			"EXAMPLES\ndrrun lab faults\ndrrun lab faults --drop 2\ndrrun lab faults --drop all\n",
		Flags: []cli.Flag{&cli.StringFlag{Name: "drop", Usage: "take rule `N` away, or all; what it did stays"}, controlFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := exactly(c, []string{"drrun", "lab", "faults"}); err != nil {
				return err
			}
			inv.result = runLabFaults(c.Context, labFaultsOptions{Control: c.String("control"), Drop: c.String("drop")}, inv)
			return nil
		},
	}
}

func runLabFaults(ctx context.Context, o labFaultsOptions, inv *invocation) *runner.Result {
	client := inv.env.control(o.Control)
	if o.Drop != "" {
		n := 0
		if _, err := fmt.Sscanf(o.Drop, "%d", &n); o.Drop != "all" && (err != nil || n < 1) {
			return usage("--drop must be the number of a rule, or all, not %q", o.Drop).of([]string{"drrun", "lab", "faults"}).result()
		}
		if err := client.DropFault(ctx, n); err != nil {
			return interrupted(ctx, labFailure(err))
		}
	}
	rules, err := client.Faults(ctx)
	if err != nil {
		return interrupted(ctx, labFailure(err))
	}
	if !inv.json {
		inv.screen.out(faultsText(rules))
	}
	return withExtra(done("lab faults"), "rules", rules)
}

func faultsText(rules []lab.FaultView) string {
	if len(rules) == 0 {
		return "no rules: the lab fails where an engine would\n"
	}
	rows := [][]string{{"RULE", "SEEN", "MET", "LAST", "WHAT"}}
	for _, r := range rules {
		last, met := "-", fmt.Sprint(r.Used)
		if len(r.Fired) > 0 {
			last = clockTime(&r.Fired[len(r.Fired)-1].Time)
		}
		if r.Spent {
			met += ", spent"
		}
		rows = append(rows, []string{fmt.Sprint(r.N), fmt.Sprint(r.Seen), met, last, r.Text})
	}
	var b strings.Builder
	writeTable(&b, "", rows)
	return b.String()
}
