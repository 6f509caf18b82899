package lab

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The scheduler of an engine: internal filters in a row, each on the hosts that the one before left, then weights (ovirt-engine
// SchedulingManager).

// need is what the scheduler looks for a host for.
type need struct {
	vm   *vm
	only []*host // nil: any; else what the caller named (the white list)
	what string  // the words of the refusal: "run VM", "migrate VM"
	// despiteVMs ignores hard affinity between VMs, as a host that goes into maintenance does when nothing else fits
	// (ovirt-engine MigrateVmCommand.canScheduleVm).
	despiteVMs bool
	not        []*host // where it was tried already (the black list)
	free       map[*host]int64
}

// filter is a policy unit: it says why a host does not do, or "".
type filter struct {
	name string
	why  func(e *engine, n need, h *host) string
}

// filters in the order in which the lab asks them; the one that pins comes first (ovirt-engine PolicyUnitImpl, PinToHostPolicyUnit).
var filters = []filter{
	{"PinToHost", func(_ *engine, n need, h *host) string {
		if n.vm.mayRunOn(h) {
			return ""
		}
		return "the host is not present in the pinning list."
	}},
	{"Migration", func(_ *engine, n need, h *host) string {
		if n.vm.host != h || n.vm.status == "unknown" || n.vm.status == "down" {
			return ""
		}
		return "it currently hosts the VM."
	}},
	{"Compatibility-Version", func(_ *engine, n need, h *host) string {
		level := n.vm.level()
		if len(h.Levels) == 0 || slices.Contains(h.Levels, level) {
			return ""
		}
		return fmt.Sprintf("it doesn't support compatibility version '%s' which is required by the VM. Host supported compatibility versions are: %s.", level, strings.Join(h.Levels, ","))
	}},
	{"Memory", func(_ *engine, n need, h *host) string {
		if n.free[h] < n.vm.memory {
			return fmt.Sprintf("its available memory is too low (%d MB) to run the VM", n.free[h]>>20)
		}
		return ""
	}},
	{"VmAffinityGroups", vmAffinity},
	{"VmToHostsAffinityGroups", hostAffinity},
	{"VM leases ready", func(e *engine, n need, h *host) string {
		if n.vm.leaseDomainID == "" {
			return ""
		}
		// What the host reports, not what the engine thinks of the domain: the sanlock lockspace is there when the host reaches it.
		if d := e.domain(n.vm.leaseDomainID); d != nil && d.dc == n.vm.cluster.dc && d.export.online && d.export.writable && h.sees(d.export) {
			return ""
		}
		return "VM lease is not ready yet"
	}},
}

// level is the compatibility version that a VM needs: its own, else that of its cluster.
func (v *vm) level() string {
	if v.customLevel != "" {
		return v.customLevel
	}
	return v.cluster.Version
}

// mayRunOn reports whether a VM is not pinned elsewhere.
func (v *vm) mayRunOn(h *host) bool { return len(v.pinnedTo) == 0 || slices.Contains(v.pinnedTo, h.ID) }

// freeMemory is what the VMs that hosts run, or will run, leave of their memory.
func (e *engine) freeMemory() map[*host]int64 {
	free := map[*host]int64{}
	for _, h := range e.hosts {
		free[h] = h.Memory
	}
	for _, v := range e.vms {
		if v.host != nil && v.status != "down" && v.status != "suspended" {
			free[v.host] -= v.memory
		}
		if v.target != nil {
			free[v.target] -= v.memory
		}
	}
	return free
}

// schedule chooses a host: of those that no filter refuses the one that breaks the fewest soft rules, then the one with the most
// free memory.
func (e *engine) schedule(n need) (*host, *refusal) {
	var hosts []*host
	for _, h := range e.hosts {
		if h.cluster == n.vm.cluster && h.status == "up" && (n.only == nil || slices.Contains(n.only, h)) && !slices.Contains(n.not, h) {
			hosts = append(hosts, h)
		}
	}
	if len(hosts) == 0 { // a message without a type, so the status is the default one (ovirt-engine EngineMessage, ErrorMessageHelper)
		return nil, bad("There are no hosts to use. Check that the cluster contains at least one host in Up state.")
	}
	n.free = e.freeMemory()
	var why []string
	for _, f := range filters {
		hosts = slices.DeleteFunc(hosts, func(h *host) bool {
			reason := f.why(e, n, h)
			if reason != "" {
				why = append(why, fmt.Sprintf("The host %s did not satisfy internal filter %s because %s.", h.Name, f.name, reason))
			}
			return reason != ""
		})
	}
	if len(hosts) == 0 {
		return nil, conflict("Cannot %s. There is no host that satisfies current scheduling constraints. See below for details:, %s", n.what, strings.Join(why, ", "))
	}
	return slices.MaxFunc(hosts, func(a, b *host) int {
		return cmp.Or(cmp.Compare(e.softlyBroken(n.vm, b), e.softlyBroken(n.vm, a)), cmp.Compare(n.free[a], n.free[b]))
	}), nil
}
