package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/lua"
	"drrun/plans/codes"
	"drrun/plans/runner"
)

const explainHelp = `Explains the code that stands in brackets behind a finding: what it means, why it matters, and what to do, with a wrong and a right
example. Without a code all of them are listed.

EXAMPLES
drrun explain
drrun explain secret-in-clear
drrun explain --json | jq -r '.extra.codes[].code'
`

func newExplainCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "what a finding's code means, and what to do", UsageText: "drrun explain [CODE] [--json]", Description: explainHelp,
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			path := []string{"drrun", "explain"}
			if c.Args().Len() == 0 {
				inv.result = runExplainAll(inv)
				return nil
			}
			args, err := exactly(c, path, "CODE")
			if err != nil {
				return err
			}
			name := strings.Trim(args[0], "[]") // as it stands behind the finding
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
