package lab

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// The storage pool manager of a data center. It is looked for by the engine, contends for the role on the storage, and has it until it
// gives it up or loses its power. A host that is silent keeps it: nobody knows whether it still writes (ovirt-engine IrsProxyImpl).
const (
	poolRefresh = 10 * time.Second // StoragePoolRefreshTimeInSeconds
	spmStart    = 5 * time.Second  // vdsm takes the lease on the master
	fenceAtRest = 5 * time.Minute  // DisableFenceAtStartupInSec
	poolReset   = 3 * time.Minute  // StoragePoolNonOperationalResetTimeoutInMin
)

// Event codes of what happens to data centers by itself (ovirt-engine AuditLogType).
const (
	eventForceSPM     = 159 // USER_FORCE_SELECTED_SPM
	eventSPM          = 204 // IRS_HOSTED_ON_VDS
	eventNoHostForSPM = 979
	eventPoolProblem  = 980
	eventNoMaster     = 983 // RECONSTRUCT_MASTER_FAILED_NO_MASTER
	eventNewMaster    = 984 // RECONSTRUCT_MASTER_DONE
	eventSearchingSPM = 986
	eventPoolRecovers = 989
	eventPoolReset    = 993
)

func (h *host) silent() bool { return h.status == "connecting" || h.status == "non_responsive" }

// refreshDC looks after the SPM, and computes the status of a data center with the statuses of its domains that depend on it.
func (e *engine) refreshDC(dc *dataCenter) {
	if dc.status == "uninitialized" || dc.busy || dc.electing && len(e.upHosts(dc)) > 0 {
		return
	}
	if m := e.master(dc); m != nil && m.status == "maintenance" { // the pool is not connected
		dc.spm = nil
		e.refreshStatus(dc)
		return
	}
	up := e.upHosts(dc)
	switch {
	case len(up) == 0:
		if dc.spm != nil && !dc.spm.silent() {
			dc.spm = nil
		}
		dc.electing, dc.contender = false, nil
		e.poolDown(dc, eventPoolProblem)
		for _, d := range e.attached(dc) {
			if d.status == "inactive" {
				d.status = "unknown" // nobody looks at it
			}
		}
	case dc.spm != nil && dc.spm.status == "up":
		e.poolUp(dc)
	case dc.spm != nil && dc.spm.silent():
		// It is replaced only after it was fenced or confirmed as rebooted (ovirt-site#2653).
		e.poolDown(dc, eventPoolProblem)
	default: // one that answers gives the role up when it is asked
		e.elect(dc)
	}
}

// poolDown is a data center without SPM: problematic, unless it is not operational already. Of its domains nothing is known.
func (e *engine) poolDown(dc *dataCenter, code int) {
	if dc.status != "problematic" && dc.status != "not_operational" {
		dc.status = "problematic"
		text := "Invalid status on Data Center " + dc.Name + ". Setting status to Non Responsive."
		if code == eventSearchingSPM {
			text = "Data Center is being initialized, please wait for initialization to complete."
		}
		e.event(code, "warning", text, refs{dc: dc})
	}
	for _, d := range e.attached(dc) {
		if d.status == "active" {
			d.status = "unknown"
		}
	}
}

// poolUp is what a data center with an SPM comes to.
func (e *engine) poolUp(dc *dataCenter) {
	for _, d := range e.attached(dc) {
		switch {
		case d.status != "unknown":
		case d.export.online && d.export.writable:
			d.status = "active"
			e.ownMaster(d)
		default:
			d.status = "inactive"
		}
	}
	e.refreshStatus(dc)
}

// elect looks for a host that becomes the SPM: the one that somebody asked for, else any that is up and sees the master.
func (e *engine) elect(dc *dataCenter) {
	dc.spm, dc.electing = nil, true
	e.poolDown(dc, eventSearchingSPM)
	again := func() {
		dc.electing, dc.contender = false, nil
		e.operation(e.lab.now.Add(poolRefresh), func() { e.refreshDC(dc) }, nil)
	}
	e.operation(e.lab.now.Add(poolRefresh/2), func() {
		m := e.master(dc)
		switch {
		case !dc.electing:
			return
		case m == nil: // the last domain has left meanwhile
			dc.electing = false
			return
		}
		may := e.seeing(dc, m.export)
		if !m.export.online || !m.export.writable || len(may) == 0 {
			e.poolUp(dc) // the hosts report what they reach; of what nobody reaches the engine has given up long ago
			again()
			return
		}
		h := pickSPM(may)
		if h == nil { // all of them are kept from it by their priority
			again()
			return
		}
		if slices.Contains(may, dc.preferred) {
			h = dc.preferred
		}
		dc.contender, dc.preferred, dc.status = h, nil, "contend"
		e.operation(e.lab.now.Add(spmStart), func() {
			if dc.contender != h || m.dc != dc {
				return
			}
			if h.status != "up" || !m.export.online || !m.export.writable {
				dc.status = "problematic"
				again()
				return
			}
			dc.spm, dc.electing, dc.contender = h, false, nil
			e.event(eventSPM, "normal", fmt.Sprintf("Storage Pool Manager runs on Host %s (Address: %s), Data Center %s.", h.Name, h.Address, dc.Name), refs{host: h, dc: dc})
			e.poolUp(dc)
		}, nil)
	}, nil)
}

// loseSPM is the end of the grace of a silent SPM. Soon after the engine's start nothing is fenced, and the data center becomes not
// operational, which is tried to be mended once (ovirt-engine VdsNotRespondingTreatmentCommand, StoragePoolStatusHandler).
func (e *engine) loseSPM(h *host) {
	dc := h.cluster.dc
	if dc.spm != h || e.started.IsZero() || e.lab.now.Sub(e.started) >= fenceAtRest {
		e.refreshDC(dc)
		return
	}
	e.poolDown(dc, eventPoolProblem)
	dc.status = "not_operational"
	e.event(eventNoHostForSPM, "error", "Fencing failed on Storage Pool Manager "+h.Name+" for Data Center "+dc.Name+". Setting status to Non-Operational.", refs{host: h, dc: dc})
	e.operation(e.lab.now.Add(poolReset), func() {
		if dc.status == "not_operational" && len(e.upHosts(dc)) > 0 {
			dc.status = "problematic"
			e.event(eventPoolRecovers, "normal", "Try to recover Data Center "+dc.Name+". Setting status to Non Responsive.", refs{dc: dc})
			e.refreshDC(dc)
		}
	}, nil)
}

// postForceSelectSPM asks the SPM to give its role to a host; the answer comes before that has happened (ovirt-engine ForceSelectSPMCommand).
func (c *call) postForceSelectSPM(h *host) *reply {
	e, dc := c.engine, h.cluster.dc
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	const what = "Cannot force select SPM. "
	tasks := slices.ContainsFunc(e.attached(dc), e.taskOn)
	switch {
	case h.status != "up":
		return c.refuse(conflict(what+"The Host %s is not active.", h.Name))
	case dc.spm == h || dc.contender == h:
		return c.refuse(conflict(what+"The Host %s is already SPM or contending.", h.Name))
	case h.priority() < 0:
		return c.refuse(bad(what+"The SPM priority of Host %s is set to 'never'. This Host cannot be elected as SPM.", h.Name))
	case dc.status != "up":
		return c.refuse(poolNotUp("force select SPM"))
	case tasks:
		return c.refuse(conflict(what + "The Storage Pool has running tasks."))
	}
	dc.preferred = h
	e.event(eventForceSPM, "normal", "Host "+h.Name+" was force selected by "+e.userName(), refs{host: h, dc: dc, correlation: c.correlation, user: e.userName()})
	c.effect("force host %s to be the SPM", h.Name)
	e.elect(dc)
	return c.doneHost(h, c.doneJob("Selecting Host "+h.Name+" as the SPM"))
}

// lose puts a domain out of use that no host of its data center reaches. A master's role goes to another domain
// (ovirt-engine IrsProxyImpl.processDomainFailure, ReconstructMasterDomainCommand).
func (e *engine) lose(d *storageDomain) {
	d.status = "inactive"
	e.event(eventDeactivatedBySys, "warning", "Storage Domain "+d.name+" (Data Center "+d.dc.Name+") was deactivated by system because it's not visible by any of the hosts.", refs{domain: d})
	if d.master {
		if next := e.electable(d); next != nil {
			e.makeMaster(d, next)
			e.event(eventNewMaster, "normal", "Reconstruct Master Domain for Data Center "+d.dc.Name+" completed.", refs{domain: next, dc: d.dc})
		} else {
			e.event(eventNoMaster, "warning", "No valid Data Storage Domains are available in Data Center "+d.dc.Name+" (please check your storage infrastructure).", refs{dc: d.dc})
		}
	}
	e.refreshStatus(d.dc)
}

// ownMaster corrects the metadata of a domain that was away when its data center got another master.
func (e *engine) ownMaster(d *storageDomain) {
	c := d.export.copy
	if c == nil || !d.export.writable || c.now().pool != d.dc.ID || c.now().master == d.master {
		return
	}
	c.change(e.lab.now, func(next *contents) { next.master = d.master })
}

const (
	leasedFirst = 30 * time.Second // NumberVdsRefreshesBeforeTryToStartUnknownVms
	leasedRetry = 5 * time.Minute  // NumberVdsRefreshesBeforeRetryToStartUnknownVms
)

// restartLeased tries to run elsewhere what a non_responsive host ran with a lease, the most important first: sanlock knows whether it
// still runs there, so that nobody has to be asked (ovirt-engine VdsManager.restartVmsWithLeaseIfNeeded).
func (e *engine) restartLeased(h *host, d time.Duration) {
	seq := h.seq
	e.operation(e.lab.now.Add(d), func() {
		if h.seq != seq || h.status != "non_responsive" {
			return
		}
		var list []*vm
		for _, v := range e.vms {
			if v.host == h && v.status == "unknown" && v.leaseDomainID != "" {
				list = append(list, v)
			}
		}
		byPriority(list)
		for _, v := range list {
			if to, no := e.canRun(need{vm: v}, true); no == nil && e.cannotOpen(v, to) == "" {
				e.launch(v, to, "", "")
			}
		}
		e.restartLeased(h, leasedRetry)
	}, nil)
}

func byPriority(list []*vm) {
	slices.SortStableFunc(list, func(a, b *vm) int { return cmp.Compare(b.haPriority, a.haPriority) })
}

// restartAll takes up the highly available ones of VMs that ended by an error, the most important first (ovirt-engine
// HaAutoStartVmsRunner).
func (e *engine) restartAll(ended []*vm) {
	list := slices.Clone(ended)
	byPriority(list)
	for _, v := range list {
		if v.ha && v.exitError && v.status == "down" {
			e.restartHA(v, time.Second)
		}
	}
}
