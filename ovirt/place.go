package ovirt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"drrun/internal/sabotage"
)

// The storage types of the domains that can be imported, as the API spells them.
const (
	storageNFS       = "nfs"
	storageGlusterFS = "glusterfs"
	storagePOSIX     = "posixfs"
	storageISCSI     = "iscsi"
	storageFCP       = "fcp"
)

// block reports whether the domain lies on LUNs.
func (spec ImportSpec) block() bool { return spec.Type == storageISCSI || spec.Type == storageFCP }

func (spec ImportSpec) check() error {
	switch spec.Type {
	case storageNFS:
		if spec.Address == "" {
			return errors.New("an NFS storage domain needs an address")
		}
	case storagePOSIX, storageGlusterFS:
		if spec.VFSType == "" {
			return fmt.Errorf("a %s storage domain needs a vfs_type", spec.Type)
		}
	case storageISCSI, storageFCP:
	default:
		return fmt.Errorf("storage domains of type %q cannot be imported", spec.Type)
	}
	switch {
	case spec.ID == "":
		return errors.New("the expected id is missing")
	case spec.Path == "" && !spec.block():
		return errors.New("the path is missing")
	case spec.HostID == "":
		return errors.New("the host is missing")
	}
	return nil
}

// request is the body of the import. It has no name and no LUNs.
func (spec ImportSpec) request() any {
	if spec.block() {
		body := importBlockXML{ID: spec.ID, Type: "data", Host: refXML{ID: spec.HostID}}
		body.Storage.Type = spec.Type
		return body
	}
	body := importXML{ID: spec.ID, Type: "data", Host: refXML{ID: spec.HostID}}
	body.Storage.Type, body.Storage.Address, body.Storage.Path = spec.Type, spec.Address, spec.Path
	body.Storage.VFSType, body.Storage.MountOptions, body.Storage.NFSVersion = spec.VFSType, spec.MountOptions, spec.NFSVersion
	if sabotage.On(sabotage.ImportNamed) {
		return struct {
			importXML
			Name string `xml:"name"`
		}{body, spec.Name}
	}
	return body
}

// place is where the storage is, for messages.
func (spec ImportSpec) place() string {
	switch {
	case spec.block() && len(spec.LUNs) == 0:
		return "the " + spec.Type + " LUNs that the host sees"
	case spec.block():
		return spec.Type + " LUN " + strings.Join(spec.LUNs, ", ")
	case spec.Address == "":
		return spec.Path
	}
	return spec.Address + ":" + spec.Path
}

// keys names what of the plan says where the storage is.
func (spec ImportSpec) keys() string {
	if spec.block() {
		return "the luns or the id"
	}
	return "the url or the id"
}

// replicaHint is the first thing to check when a host cannot import from the place.
func (spec ImportSpec) replicaHint(site string) string {
	switch spec.Type {
	case storageISCSI:
		return "see that the replica is promoted, and that its targets show its LUNs to the hosts of " + site
	case storageFCP:
		return "see that the replica is promoted, and that its LUNs are zoned and mapped to the hosts of " + site
	}
	return "see that the replica is promoted, and exported read-write to the hosts of " + site
}

// noAccess recognises the engine's words for a storage that is mounted and cannot be written to: mostly a copy that is not promoted, or
// is exported read-only (ovirt-engine AppErrors.properties, StorageServerAccessPermissionError).
func noAccess(failure *Error) bool {
	return strings.Contains(failure.words(), "Permission settings on the specified path do not allow access")
}

// ShownPlace is how an engine shows the address and path of a file domain. It keeps one string and takes it apart at the first and the
// second colon, so that a specification with ports in it comes out mutilated; an IPv6 address in brackets does not (ovirt-engine
// BackendStorageDomainsResource.java, mapFileDomain).
func ShownPlace(address, path string) (shownAddress, shownPath string) {
	place := path
	if address != "" {
		place = address + ":" + path
	}
	if strings.HasPrefix(place, "[") {
		if a, p, ok := strings.Cut(place, "]:"); ok {
			return a + "]", p
		}
	}
	parts := strings.Split(place, ":")
	if len(parts) == 1 {
		return "", place
	}
	return parts[0], parts[1]
}

// blurred reports whether the engine shows the place mutilated, so that other places look the same.
func (spec ImportSpec) blurred() bool {
	_, path := ShownPlace(spec.Address, spec.Path)
	return path != spec.Path
}

// at reports whether an address and path that the engine shows are those of the place.
func (spec ImportSpec) at(address, path string) bool {
	join := func(address, path string) string {
		return strings.ToLower(strings.Trim(address, "[]")) + ":" + strings.TrimRight(path, "/")
	}
	shown := join(address, path)
	return join(spec.Address, spec.Path) == shown || join(ShownPlace(spec.Address, spec.Path)) == shown
}

// rightPlace refuses a domain that the engine knows at another place than the plan's: it may be the original, not the replica. One that
// this very call has added is taken out again.
func (s *Site) rightPlace(ctx context.Context, spec ImportSpec, sd StorageDomain, added bool) error {
	if spec.block() {
		return s.rightLUNs(ctx, spec, sd, added)
	}
	if sd.Path == "" && sd.Address == "" || spec.at(sd.Address, sd.Path) {
		return nil
	}
	known := ImportSpec{Address: sd.Address, Path: sd.Path}
	e := s.fail(OpImportDomain, Subject{Kind: KindStorageDomain, ID: sd.ID, Name: sd.Name}, CodeConflict,
		fmt.Errorf("this engine knows it already, at %s and not at %s", known.place(), spec.place()))
	e.State = attachment(sd)
	e.Hint = "correct the url of the storage domain in the plan, or remove the domain from this engine (never with format)"
	return e
}

// rightLUNs compares the LUNs of a block domain with those of the plan, and with those of the other site: a host that sees the original
// may have imported that.
func (s *Site) rightLUNs(ctx context.Context, spec ImportSpec, sd StorageDomain, added bool) error {
	if sabotage.On(sabotage.LUNsNotCompared) {
		return nil
	}
	var why error
	has, want := sd.LUNIDs(), sortedIDs(spec.LUNs)
	for _, id := range has {
		if slices.Contains(spec.OtherLUNs, id) && !slices.Contains(want, id) {
			why = fmt.Errorf("it lies on LUN %s, which is the one of the other site: this is the original and not the replica", id)
			break
		}
	}
	if why == nil && len(want) > 0 && !slices.Equal(has, want) {
		why = fmt.Errorf("it lies on LUN %s, and the plan says LUN %s", orNone(has), strings.Join(want, ", "))
	}
	switch {
	case why == nil:
		return nil
	case added:
		return s.takeOut(ctx, spec, sd, why)
	}
	e := s.fail(OpImportDomain, Subject{Kind: KindStorageDomain, ID: sd.ID, Name: sd.Name}, CodeConflict, fmt.Errorf("this engine knows it already: %w", why))
	e.State = attachment(sd)
	e.Hint = "correct the luns of the storage domain in the plan, or remove the domain from this engine (never with format)"
	return e
}

// LUNIDs returns the ids of the domain's LUNs, sorted, each once.
func (sd StorageDomain) LUNIDs() []string {
	ids := make([]string, 0, len(sd.LUNs))
	for _, lun := range sd.LUNs {
		ids = append(ids, lun.ID)
	}
	return sortedIDs(ids)
}

func sortedIDs(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }

func orNone(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}
