package main

import (
	"github.com/urfave/cli/v2"

	"drrun/ovirt/lab"
)

func newLabPromoteCommand(inv *invocation) *cli.Command {
	return labChange{
		name: "promote", usage: "make the copy of a storage domain writable", argument: "DOMAIN", do: (*lab.ControlClient).Promote,
		said: "the copy of % is writable; replication is split",
		help: "Does what a storage administrator does at the array: makes the replica of a storage domain writable and ends the replication.\n\n" +
			"EXAMPLES\ndrrun lab promote nfs_ds\n",
	}.command(inv)
}
