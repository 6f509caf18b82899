package lab

import "fmt"

// Kinds of violations.
const (
	// ViolationSplitBrain: QEMU runs the same VM on both sites.
	ViolationSplitBrain = "split-brain"
	// ViolationStaleCopy: a VM was started on a copy of its disk that is behind the copy of the other side, while the newer one
	// could be reached. (A copy that is behind because the other side is lost is what an unplanned failover has to accept.)
	ViolationStaleCopy = "stale-copy"
	// ViolationDataDestroyed: a storage domain was formatted, an image was deleted, or a copy that running VMs used was overwritten.
	ViolationDataDestroyed = "data-destroyed"
	// ViolationEmptyDomain: a new, empty storage domain was created where an import was possible or meant.
	ViolationEmptyDomain = "empty-domain"
	// ViolationAttachedTwice: a domain was attached while the engine of the other site, alive, had it active.
	ViolationAttachedTwice = "attached-twice"
)

func (e *engine) violation(kind, subject, format string, args ...any) {
	e.lab.violations = append(e.lab.violations, Violation{Time: e.lab.now, Kind: kind, Site: e.name, Subject: subject, Text: fmt.Sprintf(format, args...)})
}

// watchStart is called when QEMU starts a VM.
func (e *engine) watchStart(v *vm) {
	l := e.lab
	for _, other := range l.engines {
		if o := other.vm(v.id); other != e && o != nil && o.running {
			e.violation(ViolationSplitBrain, v.id, "vm %s runs on %s and on %s", v.name, other.name, e.name)
		}
	}
	for _, s := range l.strays {
		if s.id == v.id {
			e.violation(ViolationSplitBrain, v.id, "vm %s runs on host %s, which its engine has forgotten, and on %s", v.name, s.host.Name, e.name)
		}
	}
	for _, a := range v.disks {
		for _, at := range e.places(a.disk) {
			p := l.pairOf(at.export)
			if p == nil {
				continue
			}
			far := p.other(at.export)
			if p.state != split && p.source == at.export || !far.online {
				continue
			}
			_, mine := l.content(at.export)
			_, theirs := l.content(far)
			if have, newest := mine(at.key), theirs(at.key); have < newest {
				e.violation(ViolationStaleCopy, v.id, "vm %s starts on %s with disk %s at %d; %s has it at %d", v.name, at.export, a.disk.alias, have, far, newest)
			}
		}
	}
}

// watchAttach is called when a domain is attached.
func (e *engine) watchAttach(d *storageDomain) {
	for _, other := range e.lab.engines {
		if o := other.domain(d.id); other != e && !other.disaster && o != nil && o.dc != nil && o.status == "active" {
			e.violation(ViolationAttachedTwice, d.id, "storage domain %s is attached to %s while it is active on %s", d.name, e.name, other.name)
		}
	}
}

// overwritten is called before the content of an export is replaced from outside.
func (l *Lab) overwritten(x *export) {
	for _, e := range l.engines {
		for _, v := range e.vms {
			if v.running && e.uses(v, x) {
				e.violation(ViolationDataDestroyed, v.id, "the disks of vm %s on %s are overwritten while it runs", v.name, x)
				e.pause(v)
			}
		}
	}
}

func (e *engine) uses(v *vm, x *export) bool {
	for _, a := range v.disks {
		for _, p := range e.places(a.disk) {
			if p.export == x {
				return true
			}
		}
	}
	return false
}
