package main

import (
	"github.com/urfave/cli/v2"

	"drrun/ovirt/lab"
)

func newLabHealCommand(inv *invocation) *cli.Command {
	return labChange{
		name: "heal", usage: "give a site its power back", argument: "SITE", do: (*lab.ControlClient).Heal,
		said: "site % has power again: its hosts boot, its engine starts, and highly available VMs come back where they can",
		help: "Gives a site of the lab its power back. As in a real site its hosts boot and its engine restarts the highly available VMs whose\nstorage it can write to.\n\n" +
			"EXAMPLES\ndrrun lab heal primary\n",
	}.command(inv)
}
