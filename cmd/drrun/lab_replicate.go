package main

import (
	"github.com/urfave/cli/v2"

	"drrun/ovirt/lab"
)

func newLabReplicateCommand(inv *invocation) *cli.Command {
	return labChange{
		name: "replicate", usage: "replicate a storage domain from the side that counts", argument: "DOMAIN", do: (*lab.ControlClient).Replicate,
		said: "% is replicated again, from the side that was promoted or written to last",
		help: "Does what a storage administrator does at the array after a failover: replicates a storage domain from the side that counts now\nto the other, which is overwritten.\n\n" +
			"EXAMPLES\ndrrun lab replicate nfs_ds\n",
	}.command(inv)
}
