package stdlib

// The states of VMs and storage domains in output and report: a closed list.
const (
	StateStopped     = "stopped"     // VM: shut down at the source of a planned move, not registered on the target yet; or by an action of the plan's own
	StateReleased    = "released"    // storage domain: in maintenance at the source of a planned move
	StateLeft        = "left"        // what was stale has left the engine of the site that was cleaned
	StateImported    = "imported"    // storage domain: known to the target's engine, not attached yet
	StateActive      = "active"      // storage domain: attached and active on the target
	StateRegistered  = "registered"  // VM: registered on the target, not started yet
	StateStarting    = "starting"    // VM: its start was requested
	StateUp          = "up"          // VM: up, and its boot condition holds
	StateUnverified  = "unverified"  // VM: up, but its boot condition did not hold in time
	StateNotStarted  = "not_started" // VM: registered and left down on purpose
	StateMissing     = "missing"     // VM: not in the OVF store of its storage domains
	StateQuarantined = "quarantined" // left at the source of a planned move, with the storage domain that could not be released
	StateFailed      = "failed"      // the error says what failed
	StatePending     = "pending"     // not reached by this run yet
	StateUntouched   = "untouched"   // an action of the plan's own had nothing to do with it
)

// States lists them all.
var States = []string{StatePending, StateStopped, StateReleased, StateImported, StateActive, StateRegistered, StateStarting, StateUp, StateUnverified, StateNotStarted, StateMissing, StateQuarantined, StateFailed, StateLeft, StateUntouched}
