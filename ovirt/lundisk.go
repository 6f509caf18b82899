package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"drrun/internal/sabotage"
)

// looseLUNs finds the disks that are LUNs and that no VM has. An engine that cannot parse it finds none, and so nothing is removed.
const looseLUNs = "disk_type = lun and number_of_vms = 0"

// LooseLUNDisks reads the disks that are LUNs and that no VM has. They stay in an engine when the VM that had them leaves it with its
// storage domain (ovirt-engine storages_sp.sql, Remove_Entities_From_storage_domain).
func (s *Site) LooseLUNDisks(ctx context.Context) ([]Disk, error) {
	disks, err := read(ctx, s, call{subject: Subject{Kind: "disks"}, path: "/disks", query: url.Values{"search": {looseLUNs}}, timeout: inventoryTimeout}, decodeDisks)
	return slices.DeleteFunc(disks, func(d Disk) bool { return d.StorageType != "lun" || d.LUN.ID == "" }), err
}

// RemoveLUNDisk takes the entry of a LUN that no VM has out of the engine, which would not let the VM be registered again while it has the
// disk. The LUN itself is not touched: only the engine's books are (ovirt-engine RemoveDiskCommand.java, removeLunDisk). Any other disk
// is refused, since for an image the same request erases it. A disk that the engine does not know is fine.
func (s *Site) RemoveLUNDisk(ctx context.Context, diskID string) (changed bool, err error) {
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	e := &ensurance{change: change{op: OpRemoveLUNDisk, subject: Subject{Kind: KindDisk, ID: diskID}, method: http.MethodDelete, path: "/disks/" + segment(diskID), accept: acceptAction}}
	loose := func(ctx context.Context) (bool, error) {
		disks, err := s.LooseLUNDisks(ctx)
		if err != nil {
			return false, err
		}
		at := slices.IndexFunc(disks, func(d Disk) bool { return d.ID == diskID })
		if at >= 0 {
			e.change.subject.Name = disks[at].Alias
		}
		return at >= 0, nil
	}
	gone := func(ctx context.Context) (bool, error) {
		disk, err := read(ctx, s, call{subject: Subject{Kind: KindDisk, ID: diskID}, path: "/disks/" + segment(diskID)}, decodeDisk)
		if HasCode(err, CodeNotFound) {
			return true, nil
		}
		if err == nil && disk.StorageType != "lun" && !sabotage.On(sabotage.DisksUnasked) {
			no := s.fail(OpRemoveLUNDisk, Subject{Kind: KindDisk, ID: diskID, Name: disk.Alias}, CodeRefused, fmt.Errorf("it is a disk of type %q, whose data would be erased", disk.StorageType))
			return false, no
		}
		return false, err
	}
	e.look = func(ctx context.Context, _ bool) (bool, error) { return gone(ctx) }
	// Right before the request leaves: whether a VM has got the disk meanwhile.
	e.change.gate = func(ctx context.Context) error {
		found, err := loose(ctx)
		if err == nil && !found && !sabotage.On(sabotage.DisksUnasked) {
			err = errors.New("a VM has the disk, or it is no LUN")
		}
		return err
	}
	e.undone = func() *Error {
		return s.fail(OpRemoveLUNDisk, e.change.subject, CodeEngineError, errors.New("the engine said that it was removed, and still has it"))
	}
	return s.ensure(ctx, e)
}
