package lab

import (
	"slices"
	"strconv"
)

// domainSettings are what an administrator sets of a storage domain, apart from its name. They are the engine's, not the domain's: an
// import begins with the engine's defaults (engine-config WarningLowSpaceIndicator, CriticalSpaceActionBlocker).
type domainSettings struct {
	backup, wipe, discard bool
	warning, critical     *int
}

// orDefault is a number, or the engine's default where nobody has set one.
func orDefault(n *int, value int) int64 {
	if n != nil {
		value = *n
	}
	return int64(value)
}

// readSettings takes over what a request says of the settings of a domain (ovirt-engine StorageDomainMapper).
func readSettings(doc *node, s *domainSettings) *refusal {
	for _, f := range []struct {
		name string
		to   *bool
	}{{"backup", &s.backup}, {"wipe_after_delete", &s.wipe}, {"discard_after_delete", &s.discard}} {
		on, set, r := doc.flag(f.name)
		if r != nil {
			return r
		}
		if set {
			*f.to = on
		}
	}
	for _, f := range []struct {
		name string
		to   **int
	}{{"warning_low_space_indicator", &s.warning}, {"critical_space_action_blocker", &s.critical}} {
		text := doc.value(f.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return invalidValue(f.name, text)
		}
		*f.to = &n
	}
	return nil
}

// canSet validates a change of a domain's settings and name (ovirt-engine UpdateStorageDomainCommand, StorageDomainValidator). Only the
// name needs the domain active and its data center up: it is written to the storage.
func (e *engine) canSet(d *storageDomain, next *domainSettings, name string) *refusal {
	const what = "edit Storage"
	switch {
	case d.status == "locked":
		return statusIllegal(what, d.status)
	case name != d.name && d.status != "active":
		return statusIllegal(what, d.status)
	case name != d.name && d.dc != nil && d.dc.status != "up":
		return poolNotUp(what)
	case next.discard && !d.settings.discard && !d.export.block():
		return bad("Cannot %s. Discard after delete is supported only by block domains.", what)
	case next.discard && !d.settings.discard:
		return bad("Cannot %s. Discard after delete is not supported by the underlying storage of %s.", what, d.name)
	case next.warning != nil && (*next.warning < 0 || *next.warning > 100):
		return bad(`Storage Domain's "Warning Low Space Indicator" must be an integer between 0 and 100.`)
	case next.critical != nil && *next.critical < 0:
		return bad(`Storage Domain's "Critical Space Action Blocker" must be a non-negative integer.`)
	}
	if next.backup && !d.settings.backup {
		for _, v := range e.vms {
			plugged := slices.ContainsFunc(v.disks, func(a *attachment) bool { return a.active && slices.Contains(a.disk.domains, d) })
			if v.status != "down" && (plugged || v.leaseDomainID == d.id) {
				return conflict("Cannot %s. The storage domain contains disks which are attached to running VMs or VMs with leases.", what)
			}
		}
	}
	return nil
}
