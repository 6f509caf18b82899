package main

import (
	"cmp"
	"os/exec"
	"strings"
)

// page shows a text on the terminal behind Stdout: by a pager when it is longer than the screen, at once otherwise, and where there is no
// pager.
func (inv *invocation) page(text string) {
	pager, _ := inv.env.Getenv("PAGER")
	words := strings.Fields(cmp.Or(pager, "less -R"))
	program, err := exec.LookPath(words[0])
	if height := inv.env.Height(inv.env.Stdout); err != nil || height == 0 || strings.Count(text, "\n") < height {
		inv.screen.styled(text)
		return
	}
	command := exec.Command(program, words[1:]...)
	command.Stdin = strings.NewReader(text)
	command.Stdout, command.Stderr = inv.env.Stdout, inv.env.Stderr
	// A reader that leaves in the middle ends the pager with an error too; only one that could not begin has shown nothing.
	if err := command.Start(); err != nil {
		inv.screen.styled(text)
		return
	}
	_ = command.Wait()
}
