package stdlib

import (
	"fmt"
	"time"

	"drrun/engine"
	"drrun/ovirt"
)

// FactsSchema names the layout of Facts in a journal.
const FactsSchema = "drrun.facts/1"

// Facts is all that a run decides by: journaled before its first change and immutable for the run (design: "ctx.facts").
// A resumed run reads them from its journal, never from the engines again, so it goes on with the order and the ids it began with.
type Facts struct {
	Schema  string `json:"schema"`
	Action  string `json:"action"`
	Plan    string `json:"plan"`
	Source  string `json:"source"` // site name: primary or secondary
	Target  string `json:"target"`
	Planned bool   `json:"planned,omitempty"` // the source takes part: its VMs are shut down and its storage is released
	// Own is set for an action of the plan's own: nothing moves, and the target is the site that has the VMs.
	Own bool `json:"own,omitempty"`
	// Quarantine lets what cannot be released stay at the source of a planned move, instead of stopping it.
	Quarantine bool         `json:"quarantine,omitempty"`
	Taken      time.Time    `json:"taken"`
	MovedAt    time.Time    `json:"moved_at,omitzero"` // failback and clean: when the VMs had left the target
	RunSet     RunSetOrigin `json:"run_set"`
	// LeaseExpiry is how long after the last possible write at a source that was not released nothing is attached on the target, in seconds.
	LeaseExpiry float64      `json:"lease_expiry,omitempty"`
	Domains     []FactDomain `json:"storage_domains"`
	LUNs        []FactLUN    `json:"luns,omitempty"` // mapped
	Templates   []FactEntity `json:"templates"`
	VMs         []FactVM     `json:"vms"` // in plan order within ascending rank
}

// Where the knowledge of what ran comes from, the best first.
const (
	RunSetLive      = "live"      // the source, asked now
	RunSetInventory = "inventory" // the file beside the plan
	RunSetOVF       = "ovf"       // the OVF stores, which the target reads when it has the storage
)

// RunSetOrigin says where the knowledge of what ran comes from, and how old it is.
type RunSetOrigin struct {
	From  string    `json:"from"` // RunSetLive, RunSetInventory or RunSetOVF
	Taken time.Time `json:"taken,omitzero"`
}

// FactEntity is an object that the run only names.
type FactEntity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// FactDomain is a storage domain of the plan, with its place on the target.
type FactDomain struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Type   string    `json:"type"`  // nfs, glusterfs, posixfs, iscsi or fcp
	Group  string    `json:"group"` // consistency group for storage hooks
	Source FactPlace `json:"source"`
	Target FactPlace `json:"target"`
	// UpgradeFormat is the plan's consent to an attach that upgrades its storage format.
	UpgradeFormat bool `json:"upgrade_format,omitempty"`
	// Settings are what an administrator set of it at the source; nil where that is not known.
	Settings *ovirt.DomainSettings `json:"settings,omitempty"`
	// CameBy is the run that took it to the target last, or left it there; "" where none is known or a later one took it away.
	CameBy string `json:"came_by,omitempty"`
	// Unrecorded is set where the state folder knows of no move of it, so that nothing proves which site's copy is the older one.
	Unrecorded bool `json:"unrecorded,omitempty"`
	// Arrived is set where a planned move does not have to move it: it is at the target already, by the run CameBy.
	Arrived bool `json:"arrived,omitempty"`
}

// FactPlace is where a storage domain lives on one site.
type FactPlace struct {
	DataCenter   string       `json:"data_center"`
	DataCenterID string       `json:"data_center_id,omitempty"`
	Address      string       `json:"address,omitempty"` // as it is mounted: an IPv6 address in brackets
	Path         string       `json:"path,omitempty"`
	VFSType      string       `json:"vfs_type,omitempty"`
	NFSVersion   string       `json:"nfs_version,omitempty"`
	MountOptions string       `json:"mount_options,omitempty"`
	Targets      []FactTarget `json:"targets,omitempty"` // iscsi
	LUNs         []string     `json:"luns,omitempty"`    // iscsi, fcp: the ids that the plan names; at the source also those that its engine showed
}

// FactTarget is an iSCSI target. The password that CHAP asks for is not among the facts: the session has it.
type FactTarget struct {
	Address  string `json:"address"`
	Port     int    `json:"port"`
	IQN      string `json:"iqn"`
	Username string `json:"username,omitempty"`
}

// FactLUN is a LUN that is a disk of a VM at the source, with the one that takes its place.
type FactLUN struct {
	Source        string       `json:"source"`
	SourceTargets []FactTarget `json:"source_targets,omitempty"`
	Target        string       `json:"target,omitempty"` // "" where there is none
	Targets       []FactTarget `json:"targets,omitempty"`
	Optional      bool         `json:"optional,omitempty"` // its VM can do without it
}

// FactLUNDisk is a disk of a VM that is a LUN.
type FactLUNDisk struct {
	Disk  string `json:"disk"` // id
	Alias string `json:"alias"`
	LUN   string `json:"lun"` // id of the LUN at the source
}

// FactVM is a VM of the plan: what it was on the source, and what it is to be on the target.
type FactVM struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Rank     int      `json:"rank"`
	Required bool     `json:"required"`
	OnError  string   `json:"on_error"` // continue or stop
	Start    string   `json:"start"`    // as_before, yes, no
	Ran      string   `json:"ran"`      // up, down or unknown, by RunSet or RanFrom
	After    []string `json:"after,omitempty"`
	// RanFrom is where Ran comes from; nil when it is where Facts.RunSet says.
	RanFrom         *RunSetOrigin `json:"ran_from,omitempty"`
	Boot            string        `json:"boot,omitempty"` // the condition, for people
	SourceCluster   string        `json:"source_cluster,omitempty"`
	SourceHost      string        `json:"source_host,omitempty"`
	Template        string        `json:"template,omitempty"` // id of the template that it is based on, "" for none
	HA              bool          `json:"ha"`
	HAPriority      int           `json:"ha_priority,omitempty"`
	LeaseDomain     string        `json:"lease,omitempty"` // id of the storage domain of its lease
	DeleteProtected bool          `json:"delete_protected"`
	Grace           float64       `json:"grace,omitempty"`      // how long a shutdown may take, in seconds
	ForceStop       bool          `json:"force_stop,omitempty"` // switch it off when the grace is over
	Comment         string        `json:"comment,omitempty"`    // as the source has it
	TargetCluster   string        `json:"target_cluster"`
	TargetClusterID string        `json:"target_cluster_id"`
	NICs            []FactNIC     `json:"nics,omitempty"`
	Disks           []string      `json:"disks,omitempty"` // ids
	LUNs            []FactLUNDisk `json:"luns,omitempty"`
	Domains         []string      `json:"storage_domains,omitempty"`
	Arrived         string        `json:"arrived,omitempty"` // its status at the target, where it was before a planned move began
}

// FactNIC is a NIC of a VM with the vNIC profile that it gets on the target.
type FactNIC struct {
	ID              string `json:"id"`
	Name            string `json:"name"`
	MAC             string `json:"mac"`
	SourceNetwork   string `json:"source_network"`
	SourceProfile   string `json:"source_profile"`
	TargetProfile   string `json:"target_profile"` // data center/network/profile, for people
	TargetProfileID string `json:"target_profile_id"`
}

// VM returns the VM with that id, or with that name when no id matches.
func (f *Facts) VM(idOrName string) (*FactVM, bool) {
	for i := range f.VMs {
		if f.VMs[i].ID == idOrName {
			return &f.VMs[i], true
		}
	}
	for i := range f.VMs {
		if f.VMs[i].Name == idOrName {
			return &f.VMs[i], true
		}
	}
	return nil, false
}

// Domain returns the storage domain with that id or name.
func (f *Facts) Domain(idOrName string) (*FactDomain, bool) {
	for i := range f.Domains {
		if f.Domains[i].ID == idOrName || f.Domains[i].Name == idOrName {
			return &f.Domains[i], true
		}
	}
	return nil, false
}

// Unreached is the state of what a run has not reached: an action of the plan's own may have nothing to do with it.
func (f *Facts) Unreached() string {
	if f.Own {
		return StateUntouched
	}
	return StatePending
}

// LivesAtTarget tells of a storage domain whether it was at the target when an action of the plan's own began, and no run known here has
// taken it away from there since: that the other engine does not know it is how things are then, and no riddle.
func (f *Facts) LivesAtTarget(domainID string) bool {
	domain, known := f.Domain(domainID)
	return known && f.Own && domain.Target.DataCenterID != "" && (domain.CameBy != "" || domain.Unrecorded)
}

// Template reports whether a template with that id is part of the run.
func (f *Facts) Template(id string) (FactEntity, bool) {
	for _, template := range f.Templates {
		if template.ID == id {
			return template, true
		}
	}
	return FactEntity{}, false
}

// ToStart reports whether the run starts this VM, and why (not).
// ranByOVF is the status the target read from the OVF store ("" when not read yet): the last resort when nothing else knows.
func (vm *FactVM) ToStart(ranByOVF string) (start bool, why string) {
	switch vm.Start {
	case "no":
		return false, "the plan says start = false"
	case "yes":
		return true, "the plan says start = true"
	}
	switch {
	case vm.Ran == "up":
		return true, "it ran before"
	case vm.Ran == "down":
		return false, "it did not run before"
	case ranByOVF == "" || ranByOVF == "down":
		return false, "the OVF store shows it as down when it was last written, and nothing newer is known"
	}
	return true, fmt.Sprintf("the OVF store shows it as %s when it was last written", ranByOVF)
}

// TargetStates are the rows of a board that are about the target, by kind and id.
func (f *Facts) TargetStates(board []engine.Status) map[string]engine.Status {
	states := map[string]engine.Status{}
	for _, status := range board {
		if status.Subject.Site == f.Target || status.Subject.Site == "" {
			states[status.Subject.Kind+"/"+status.Subject.ID] = status
		}
	}
	return states
}

// Reversed returns the facts of undoing a planned move: the VMs that ran come back to the site that they had left, where their clusters
// and networks are still as they were.
func (f *Facts) Reversed() *Facts {
	back := *f
	back.Action, back.Planned = "rollback", false
	back.Source, back.Target = f.Target, f.Source
	back.Domains = make([]FactDomain, len(f.Domains))
	for i, domain := range f.Domains {
		domain.Source, domain.Target = domain.Target, domain.Source
		back.Domains[i] = domain
	}
	back.LUNs = make([]FactLUN, len(f.LUNs))
	for i, lun := range f.LUNs {
		back.LUNs[i] = FactLUN{Source: lun.Target, SourceTargets: lun.Targets, Target: lun.Source, Targets: lun.SourceTargets, Optional: lun.Optional}
	}
	back.VMs = make([]FactVM, len(f.VMs))
	for i, vm := range f.VMs {
		vm.Start = "as_before" // what ran before runs again, whatever the plan says about the other site
		vm.TargetCluster, vm.SourceCluster = vm.SourceCluster, vm.TargetCluster
		back.VMs[i] = vm
	}
	return &back
}
