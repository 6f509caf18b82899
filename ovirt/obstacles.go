package ovirt

import (
	"context"
	"net/url"
	"time"

	sdk "github.com/ovirt/go-ovirt"
)

// VMObstacles is a VM, with NICs and disks, and with what may stand in the way of shutting it down or of taking its storage domains
// out of the engine. Disk.Status tells of locked and illegal disks, DeleteProtected and Status of the rest.
type VMObstacles struct {
	VM
	PoolID         string // of the VM pool that it belongs to; the engine detaches no domain that holds all disks of such a VM
	Preview        bool   // one of its snapshots is in preview: the engine neither writes its OVF nor detaches its domains
	SnapshotLocked bool   // a snapshot is being made or removed: the engine does not write its OVF
	PinnedTo       []string
}

// Backup is one backup of a VM. Phase: ovirt-engine-api-model BackupPhase.java.
type Backup struct {
	ID, Phase string
	Started   time.Time
}

// Running reports whether the backup is under way. Ended ones are listed for some minutes more.
func (b Backup) Running() bool { return b.Phase != "succeeded" && b.Phase != "failed" }

var (
	decodeVMObstacles = list("vms", "vm", sdk.XMLVmReadOne, toVMObstacles)
	decodeDisks       = list("disks", "disk", sdk.XMLDiskReadOne, unattached)
	decodeDisk        = element("disk", sdk.XMLDiskReadOne, unattached)
	decodeBackups     = list("backups", "backup", sdk.XMLBackupReadOne, func(b *sdk.Backup) Backup {
		return Backup{ID: first(b.Id()), Phase: string(first(b.Phase())), Started: first(b.CreationDate()).UTC()}
	})
)

// unattached is a disk without what belongs to an attachment.
func unattached(d *sdk.Disk) Disk {
	a := &sdk.DiskAttachment{}
	a.SetDisk(d)
	return toDisk(a)
}

func toVMObstacles(vm *sdk.Vm) VMObstacles {
	out := VMObstacles{VM: toVM(vm), PoolID: idOf(vm.VmPool())}
	for _, snapshot := range items[*sdk.Snapshot](vm.Snapshots()) {
		switch first(snapshot.SnapshotStatus()) {
		case sdk.SNAPSHOTSTATUS_IN_PREVIEW:
			out.Preview = true
		case sdk.SNAPSHOTSTATUS_LOCKED:
			out.SnapshotLocked = true
		}
	}
	if policy, ok := vm.PlacementPolicy(); ok {
		for _, host := range items[*sdk.Host](policy.Hosts()) {
			out.PinnedTo = append(out.PinnedTo, first(host.Id()))
		}
	}
	return out
}

// Obstacles reads all VMs of the engine with what may stand in the way of a planned move, in one request, whatever their number; it
// costs the engine some internal calls per VM (ovirt-engine LinkFollower.java), so it is for a check and not for waiting.
//
// What it does not tell: which operation has locked a disk (VMBackups knows whether it is a backup), disks that no VM has attached
// (Disks has them), and locks that the engine holds in memory only.
func (s *Site) Obstacles(ctx context.Context) ([]VMObstacles, error) {
	return read(ctx, s, call{subject: Subject{Kind: "vms"}, path: "/vms", query: url.Values{"follow": {follow + ",snapshots"}}, timeout: inventoryTimeout}, decodeVMObstacles)
}

// Disks reads all disks of the engine, attached or not, those of templates and OVF stores too. What belongs to an attachment
// (Bootable, Active, Interface, ReadOnly) is zero.
func (s *Site) Disks(ctx context.Context) ([]Disk, error) {
	return read(ctx, s, call{subject: Subject{Kind: "disks"}, path: "/disks", timeout: inventoryTimeout}, decodeDisks)
}

// VMBackups reads the backups of one VM: the API has them nowhere else, so ask it of VMs with a locked disk only. A backup that
// refuses a shutdown keeps its disks locked from its start until it has been finalized (ovirt-engine StartVmBackupCommand.java,
// lockDisks); a hybrid one, which locks none, refuses nothing (VmCommand.java, isVmDuringBackup).
func (s *Site) VMBackups(ctx context.Context, vmID string) ([]Backup, error) {
	return read(ctx, s, call{subject: Subject{Kind: "backups of vm", ID: vmID}, path: "/vms/" + segment(vmID) + "/backups"}, decodeBackups)
}
