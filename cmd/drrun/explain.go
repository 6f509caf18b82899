package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/lua"
	"drrun/plans/codes"
	"drrun/plans/runner"
)

const explainHelp = `Explains a VM of a plan, or the code of a finding.

Of a VM it tells when it starts and why, after what, in which cluster, on which networks, what keeps it from starting, which evidence is
needed, and which hooks are called for it, each with its line in the plan. No engine is asked: what only they can tell is said to be
unknown. --vm takes a name or an id.

A code is what stands in brackets behind a finding: what it means, why it matters, and what to do, with a wrong and a right example.
Without a code all of them are listed.

EXAMPLES
drrun explain plan.lua --vm db1
drrun explain plan.lua --vm db1 --from secondary
drrun explain plan.lua --vm db1 --json | jq '.extra.vm.nics'
drrun explain
drrun explain secret-in-clear
drrun explain --json | jq -r '.extra.codes[].code'
`

var explainPath = []string{"drrun", "explain"}

func newExplainCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "what happens to a VM and why, or what a finding's code means", UsageText: "drrun explain PLAN.lua --vm NAME [flags]\ndrrun explain [CODE] [--json]", Description: explainHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "vm", Usage: "explain the VM of that `NAME`, or id"}, fromFlag(),
			listFlag("lib", "`DIR` where require looks too; can be given several times"),
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			path := explainPath
			if c.IsSet("vm") {
				args, err := exactly(c, path, "PLAN.lua")
				if err != nil {
					return err
				}
				o, err := explainVMOf(c, args[0])
				if err != nil {
					return err
				}
				inv.result = runExplainVM(c.Context, o, inv)
				return nil
			}
			for _, flag := range []string{"from", "lib"} {
				if c.IsSet(flag) {
					return usage("--%s is for a VM of a plan", flag).hinted("drrun explain plan.lua --vm NAME --%s …", flag).of(path)
				}
			}
			if c.Args().Len() == 0 {
				inv.result = runExplainAll(inv)
				return nil
			}
			args, err := exactly(c, path, "CODE")
			if err != nil {
				return err
			}
			name := strings.Trim(args[0], "[]") // as it stands behind the finding
			if strings.HasSuffix(name, ".lua") {
				return usage("what of %s is to be explained?", name).hinted("a VM: drrun explain %s --vm NAME; the boot order: drrun graph %s", name, name).of(path)
			}
			code, known := codes.Find(name)
			if !known {
				problem := usage("no code %q is known", name).of(path)
				if nearest := lua.Nearest(name, codes.Names()); nearest != "" {
					return problem.hinted("did you mean %s? drrun explain %s", nearest, nearest)
				}
				return problem.hinted("drrun explain lists all codes")
			}
			inv.result = runExplain(code, inv)
			return nil
		},
	}
}

func runExplain(code codes.Code, inv *invocation) *runner.Result {
	if !inv.json {
		inv.screen.out(explainText(code))
	}
	return withExtra(done("explain"), "codes", []codes.Code{code})
}

func runExplainAll(inv *invocation) *runner.Result {
	if !inv.json {
		var b strings.Builder
		for i, group := range codes.Groups() {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(strings.ToUpper(group.Title) + "\n")
			var rows [][2]string
			for _, code := range group.Codes {
				rows = append(rows, [2]string{code.Name, code.Title})
			}
			definitions(&b, rows)
		}
		inv.screen.out(b.String())
	}
	return withExtra(done("explain"), "codes", codes.All())
}

func explainText(code codes.Code) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n%s\n", code.Name, code.Title, code.Meaning)
	if code.Remedy != "" {
		fmt.Fprintf(&b, "\nWhat to do: %s\n", code.Remedy)
	}
	for _, example := range []struct{ title, text string }{{"Wrong", code.Wrong}, {"Right", code.Right}} {
		if example.text != "" {
			fmt.Fprintf(&b, "\n%s:\n  %s\n", example.title, strings.ReplaceAll(example.text, "\n", "\n  "))
		}
	}
	return b.String()
}
