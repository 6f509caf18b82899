package lab

import "time"

// Latency is how long things take, in model time. A zero field means the default (DefaultLatency). The orders of magnitude
// follow the step lists and timers of ovirt-engine and vdsm; none is a promise of a real system.
type Latency struct {
	Login   time.Duration `json:"login,omitempty"`    // POST sso/oauth/token
	Read    time.Duration `json:"read,omitempty"`     // one GET
	PerItem time.Duration `json:"per_item,omitempty"` // added for each object of a list
	Write   time.Duration `json:"write,omitempty"`    // a change of the engine's database only

	Import       time.Duration `json:"import,omitempty"`         // mount and list an export, then import or create
	DeadMount    time.Duration `json:"dead_mount,omitempty"`     // mount from a server that does not answer (vdsTimeout)
	ISCSI        time.Duration `json:"iscsi,omitempty"`          // discover targets at a portal, or log in at one
	DeadPortal   time.Duration `json:"dead_portal,omitempty"`    // discover or log in at a portal that does not answer
	Rescan       time.Duration `json:"rescan,omitempty"`         // a host looks at all its devices
	Attach       time.Duration `json:"attach,omitempty"`         // attach without activation, on the SPM
	InitDC       time.Duration `json:"init_dc,omitempty"`        // create the storage pool of an uninitialized data center
	Activate     time.Duration `json:"activate,omitempty"`       // on the SPM
	Deactivate   time.Duration `json:"deactivate,omitempty"`     // OVF write, on the SPM
	Disconnect   time.Duration `json:"disconnect,omitempty"`     // preparing_for_maintenance
	Detach       time.Duration `json:"detach,omitempty"`         // on the SPM
	Remove       time.Duration `json:"remove,omitempty"`         // remove a storage domain
	OVFUpdate    time.Duration `json:"ovf_update,omitempty"`     // one storage domain, on the SPM
	Inactive     time.Duration `json:"inactive,omitempty"`       // StorageDomainFailureTimeoutInMinutes
	RegisterVM   time.Duration `json:"register_vm,omitempty"`    // one VM, on one of RegisterSlots
	RegisterTmpl time.Duration `json:"register_tmpl,omitempty"`  // one template
	Refresh      time.Duration `json:"refresh,omitempty"`        // host capabilities
	Fence        time.Duration `json:"fence,omitempty"`          // one question to a BMC, through a proxy host
	Schedule     time.Duration `json:"schedule,omitempty"`       // choose a host; serial in each cluster
	Launch       time.Duration `json:"launch,omitempty"`         // wait_for_launch
	PowerUp      time.Duration `json:"power_up,omitempty"`       // powering_up
	GuestAgent   time.Duration `json:"guest_agent,omitempty"`    // from up until fqdn, guest OS and IP are known
	Shutdown     time.Duration `json:"shutdown,omitempty"`       // powering_down of a guest that obeys
	Stop         time.Duration `json:"stop,omitempty"`           // power-off
	Suspend      time.Duration `json:"suspend,omitempty"`        // saving_state
	Migrate      time.Duration `json:"migrate,omitempty"`        // migrating
	Snapshot     time.Duration `json:"snapshot,omitempty"`       // a host works on images: snapshots, new disks
	EngineStart  time.Duration `json:"engine_start,omitempty"`   // from power until the engine answers
	HostBoot     time.Duration `json:"host_boot,omitempty"`      // from power until the host is up
	HostTimeout  time.Duration `json:"host_timeout,omitempty"`   // connecting until non_responsive (TimeoutToResetVdsInSeconds)
	HARetry      time.Duration `json:"ha_retry,omitempty"`       // between tries to restart an HA VM
	HATries      int           `json:"ha_tries,omitempty"`       // tries
	SPMSlots     int           `json:"spm_slots,omitempty"`      // operations that an SPM does at a time
	RegSlots     int           `json:"register_slots,omitempty"` // registrations that an engine does at a time
}

// DefaultLatency is a small site with healthy storage.
func DefaultLatency() Latency {
	return Latency{
		Login: 60 * time.Millisecond, Read: 10 * time.Millisecond, PerItem: 20 * time.Microsecond, Write: 30 * time.Millisecond,
		Import: 8 * time.Second, DeadMount: 180 * time.Second,
		ISCSI: 5 * time.Second, DeadPortal: 120 * time.Second, Rescan: 4 * time.Second,
		Attach: 10 * time.Second, InitDC: 30 * time.Second, Activate: 10 * time.Second,
		Deactivate: 8 * time.Second, Disconnect: 7 * time.Second, Detach: 8 * time.Second, Remove: 4 * time.Second,
		OVFUpdate: 4 * time.Second, Inactive: 5 * time.Minute,
		RegisterVM: 3 * time.Second, RegisterTmpl: 4 * time.Second, Refresh: 2 * time.Second, Fence: 3 * time.Second,
		Schedule: 100 * time.Millisecond, Launch: 2 * time.Second, PowerUp: 15 * time.Second, GuestAgent: 10 * time.Second,
		Shutdown: 20 * time.Second, Stop: 2 * time.Second,
		Suspend: 10 * time.Second, Migrate: 20 * time.Second, Snapshot: 5 * time.Second,
		EngineStart: 45 * time.Second, HostBoot: 90 * time.Second, HostTimeout: 60 * time.Second,
		HARetry: 30 * time.Second, HATries: 10,
		SPMSlots: 1, RegSlots: 8,
	}
}

// orDefaults fills the zero fields.
func (l Latency) orDefaults() Latency {
	d := DefaultLatency()
	for _, f := range []struct{ have, want *time.Duration }{
		{&l.Login, &d.Login}, {&l.Read, &d.Read}, {&l.PerItem, &d.PerItem}, {&l.Write, &d.Write},
		{&l.Import, &d.Import}, {&l.DeadMount, &d.DeadMount}, {&l.ISCSI, &d.ISCSI}, {&l.DeadPortal, &d.DeadPortal}, {&l.Rescan, &d.Rescan}, {&l.Attach, &d.Attach}, {&l.InitDC, &d.InitDC},
		{&l.Activate, &d.Activate}, {&l.Deactivate, &d.Deactivate}, {&l.Disconnect, &d.Disconnect}, {&l.Detach, &d.Detach},
		{&l.Remove, &d.Remove}, {&l.OVFUpdate, &d.OVFUpdate}, {&l.Inactive, &d.Inactive}, {&l.RegisterVM, &d.RegisterVM},
		{&l.RegisterTmpl, &d.RegisterTmpl}, {&l.Refresh, &d.Refresh}, {&l.Fence, &d.Fence}, {&l.Schedule, &d.Schedule}, {&l.Launch, &d.Launch},
		{&l.PowerUp, &d.PowerUp}, {&l.GuestAgent, &d.GuestAgent}, {&l.Shutdown, &d.Shutdown}, {&l.Stop, &d.Stop},
		{&l.Suspend, &d.Suspend}, {&l.Migrate, &d.Migrate},
		{&l.Snapshot, &d.Snapshot}, {&l.EngineStart, &d.EngineStart}, {&l.HostBoot, &d.HostBoot}, {&l.HostTimeout, &d.HostTimeout}, {&l.HARetry, &d.HARetry},
	} {
		if *f.have == 0 {
			*f.have = *f.want
		}
	}
	for _, f := range []struct{ have, want *int }{{&l.HATries, &d.HATries}, {&l.SPMSlots, &d.SPMSlots}, {&l.RegSlots, &d.RegSlots}} {
		if *f.have == 0 {
			*f.have = *f.want
		}
	}
	return l
}

// resource is something of an engine that does a limited number of things at a time, first come, first served.
type resource struct{ free []time.Time }

func newResource(slots int) *resource { return &resource{free: make([]time.Time, slots)} }

// take occupies the slot that is free first and returns when the work of length d will be done.
func (r *resource) take(now time.Time, d time.Duration) time.Time {
	best := 0
	for i := range r.free {
		if r.free[i].Before(r.free[best]) {
			best = i
		}
	}
	start := now
	if r.free[best].After(start) {
		start = r.free[best]
	}
	r.free[best] = start.Add(d)
	return r.free[best]
}
