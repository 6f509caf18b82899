package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// autoRecovery is how often the engine tries to bring up hosts that are non_operational (ovirt-engine AutoRecoverySchedule).
const autoRecovery = 5 * time.Minute

// stray is a VM that QEMU runs on a host while no engine has it in its books there: the engine was told that the host was
// rebooted, or lost the VM's storage domain, and the host was alive all the time.
type stray struct {
	host     *host
	id, name string
	memory   int64
	writing  []*counter
	lease    *export // where it holds its lease; nil without one
}

// loseSight takes a VM that may run on out of the engine's books. Its guest goes on writing.
func (e *engine) loseSight(v *vm) {
	if !v.running {
		return
	}
	s := &stray{host: v.host, id: v.id, name: v.name, memory: v.memory, writing: v.writing}
	if d := e.domain(v.leaseDomainID); d != nil {
		s.lease = d.export
	}
	e.lab.strays = append(e.lab.strays, s)
	v.writing, v.running = nil, false
}

// endStrays ends what still ran on a host that lost its power.
func (l *Lab) endStrays(h *host) {
	l.strays = slices.DeleteFunc(l.strays, func(s *stray) bool {
		if s.host == h {
			for _, k := range s.writing {
				k.end(l.now)
			}
		}
		return s.host == h
	})
}

// adopt lets the engine find, on a host that answers again, a VM that it had for down: it is up there. One that it does not have at all
// becomes an external VM, which keeps the id, so that nobody can register the real one (ovirt-engine AddUnmanagedVmsCommand).
func (e *engine) adopt(h *host) {
	e.lab.strays = slices.DeleteFunc(e.lab.strays, func(s *stray) bool {
		v := e.vm(s.id)
		if s.host != h || v != nil && v.status != "down" {
			return false
		}
		if v == nil {
			v = &vm{id: s.id, name: "external-" + s.name, external: true, cluster: h.cluster, templateID: blankID, memory: s.memory, created: e.lab.now}
			e.addVM(v)
		}
		v.seq++
		v.status, v.host, v.running, v.writing, v.exitError, v.agentUp = "up", h, true, s.writing, false, v.agent
		return true
	})
}

// silence is the engine losing contact with a host: connecting, then non_responsive.
func (e *engine) silence(h *host) {
	if h.status == "connecting" || h.status == "non_responsive" || h.status == "maintenance" {
		return
	}
	h.status = "connecting"
	h.seq++
	seq := h.seq
	e.lab.after(e.lab.lat.HostTimeout, func() {
		if h.seq == seq && h.status == "connecting" {
			h.status = "non_responsive"
			e.event(eventHostDown, "error", "Host "+h.Name+" is non responsive.", refs{host: h})
			e.unknown(h)
			e.loseSPM(h)
			e.restartLeased(h, leasedFirst)
		}
	})
	e.refreshDC(h.cluster.dc)
}

// isolate takes the network between a host and its engine away, and nothing else: the host keeps its power and its storage, and its
// VMs run and write on. The engine sees what it sees of a dead host: connecting, then non_responsive, its VMs unknown.
func (e *engine) isolate(h *host) {
	if !h.alive || h.isolated {
		return
	}
	h.isolated = true
	for _, v := range e.vms {
		if v.host != h {
			continue
		}
		v.seq++
		seq := v.seq
		if v.status == "powering_down" { // the guest has been asked, and obeys
			e.lab.after(e.lab.lat.Shutdown, func() {
				switch {
				case v.seq != seq:
				case h.isolated:
					v.running = false
					e.closeDisks(v)
				default:
					e.down(v, false, "VM "+v.name+" is down. Exit message: User shut down from within the guest", "")
				}
			})
		}
	}
	e.silence(h)
}

// mend ends an isolation, a silent BMC, and the blindness that a fault brought.
func (e *engine) mend(h *host) {
	h.bmcSilent, h.blind = false, nil
	switch {
	case h.isolated:
		h.isolated = false
		e.lab.after(e.lab.lat.Refresh, func() {
			if h.alive && !h.isolated {
				e.hostSeen(h)
			}
		})
	case h.alive && h.status == "non_operational":
		e.lab.after(autoRecovery, func() {
			if h.alive && !h.isolated && h.status == "non_operational" {
				e.hostSeen(h)
			}
		})
	}
}

// unknown is what the engine thinks of the VMs of a host that has become non_responsive; while it was connecting they kept their status
// (ovirt-engine VdsManager.handleNetworkException).
func (e *engine) unknown(h *host) {
	for _, v := range e.vms {
		if v.host == h && v.status != "unknown" {
			v.before, v.status, v.agentUp = v.status, "unknown", false
		}
	}
}

// reappear is the engine seeing again a VM that ran on unseen.
func (v *vm) reappear(now time.Time) {
	was := v.status
	if was == "unknown" {
		was = v.before
	}
	switch was {
	case "powering_down":
		if v.status != "unknown" { // it is on its way still
			return
		}
	case "paused":
		v.seq++
		v.status, v.agentUp = "paused", false
		return
	case "powering_up":
		v.upAt = now
	}
	v.seq++
	v.status, v.agentUp = "up", v.agent
}

// sees reports whether a host reaches an export.
func (h *host) sees(x *export) bool {
	return !h.blind[x.String()] && !slices.Contains(h.Blind, x.String()) && (!x.block() || x.isPresented(h))
}

// seeing returns the hosts of a data center that are up and reach an export.
func (e *engine) seeing(dc *dataCenter, x *export) []*host {
	return slices.DeleteFunc(e.upHosts(dc), func(h *host) bool { return !h.sees(x) })
}

// nonOperational puts a host that cannot reach the active storage domains of its data center out of use. Its VMs stay where they
// are (ovirt-engine SetNonOperationalVdsCommand, STORAGE_DOMAIN_UNREACHABLE).
func (e *engine) nonOperational(h *host, names []string) {
	h.status = "non_operational"
	e.event(eventHostNonOp, "warning", fmt.Sprintf("Host %s cannot access the Storage Domain(s) %s attached to the Data Center %s. Setting Host state to Non-Operational.",
		h.Name, strings.Join(names, ","), h.cluster.dc.Name), refs{host: h})
	e.refreshDC(h.cluster.dc)
}

// unreachable returns the names of the active storage domains of its data center that a host does not reach.
func (e *engine) unreachable(h *host) []string {
	var names []string
	for _, d := range e.attached(h.cluster.dc) {
		if d.status == "active" && !h.sees(d.export) {
			names = append(names, d.name)
		}
	}
	return names
}

// refreshHosts is what follows an activation: hosts of the data center that do not reach the domain are put out of use
// (ovirt-engine ActivateStorageDomainCommand, refreshAllVdssInPool).
func (e *engine) refreshHosts(dc *dataCenter) {
	for _, h := range e.upHosts(dc) {
		if names := e.unreachable(h); len(names) > 0 {
			e.nonOperational(h, names)
		}
	}
}

// blindfold takes an export away from one host. Its engine notices in its time: a host that alone misses a storage domain is put out
// of use; a domain that no host reaches becomes inactive (ovirt-engine IrsProxy, StorageDomainFailureTimeoutInMinutes).
func (e *engine) blindfold(h *host, x *export) {
	if h.blind == nil {
		h.blind = map[string]bool{}
	}
	h.blind[x.String()] = true
	e.lab.after(e.lab.lat.Inactive, func() {
		if h.sees(x) || h.status != "up" {
			return
		}
		for _, d := range e.attached(h.cluster.dc) {
			if d.export == x && d.status == "active" && len(e.seeing(d.dc, x)) == 0 {
				e.lose(d)
			}
		}
		if names := e.unreachable(h); len(names) > 0 {
			e.nonOperational(h, names)
		}
	})
}
