package codes

import (
	"fmt"
	"strings"
)

// Page returns the register as a page of Markdown, docs/890-codes.md.
func Page() string {
	var b strings.Builder
	b.WriteString("# Codes of findings\n\nGenerated from the register of codes; `go test ./plans/codes -run TestPage -update` writes it.\n\n" +
		"Every finding about a plan, a library, a world or the two sites, and every error of a run, ends with its code in brackets; in Lua it is err.code. `drrun explain CODE` shows the same text as this page.\n")
	for _, group := range Groups() {
		fmt.Fprintf(&b, "\n## %s\n", group.Title)
		for _, code := range group.Codes {
			fmt.Fprintf(&b, "\n### %s\n\n%s.\n\n%s\n", code.Name, code.Title, code.Meaning)
			if code.Remedy != "" {
				fmt.Fprintf(&b, "\n**What to do:** %s\n", code.Remedy)
			}
			if code.Wrong != "" {
				fmt.Fprintf(&b, "\nWrong:\n\n```lua\n%s\n```\n\nRight:\n\n```lua\n%s\n```\n", code.Wrong, code.Right)
			}
		}
	}
	return b.String()
}
