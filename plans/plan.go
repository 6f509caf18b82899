// Package plans owns the plan: the Lua program that says which virtual machines move between two sites, and how.
//
// It declares the Lua module "dr" that a plan is written with (DR), reads a plan and finds everything that can be wrong
// with it without asking an engine (Load), compares it with the live sites (Check), and writes a first plan from them
// (Generate). Running a plan is the matter of package plans/runner.
package plans

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"

	"drrun/lua"
	"drrun/stdlib"
)

// The names of the two sites. A run goes from a source to a target; which is which depends on the action.
const (
	Primary   = "primary"
	Secondary = "secondary"
)

// What a plan says about starting a VM.
const (
	StartAsBefore = "as_before" // start it where it ran before
	StartYes      = "yes"       // start = true
	StartNo       = "no"        // start = false
)

// What a run does after an error of one VM or hook.
const (
	OnErrorContinue = "continue"
	OnErrorStop     = "stop"
)

// The defaults of a plan's VMs and hooks.
const (
	DefaultRank        = 1
	DefaultGrace       = 5 * time.Minute
	DefaultHookTimeout = 10 * time.Minute
	// DefaultLeaseExpiry is what the manual way waits until a host that lost its storage can have no lease any more
	// (ovirt-ansible-disaster-recovery tasks/recover_engine.yml).
	DefaultLeaseExpiry = 180 * time.Second
)

// Plan is a plan that was read. Every value that the text leaves out has its default.
type Plan struct {
	File           string
	Name           string
	Primary        SiteSpec
	Secondary      SiteSpec
	Params         map[string]any
	StorageDomains []StorageDomain
	Mappings       Mappings
	Templates      []Template
	VMs            []VM
	LeaseExpiry    time.Duration            // how long after the last possible write at a source that was not released nothing is attached
	NoEvents       bool                     // events = false: runs are not shown in the engines
	Hooks          []Hook                   // in the order in which they were added
	Libraries      []Library                // in the order of plan:use
	Workflows      map[string]*lua.Function // plan.failover, plan.failback
	Actions        map[string]*lua.Function // plan.actions.NAME
	Object         *lua.Object              // the plan as Lua sees it: ctx.plan
	Todos          []lua.Diagnostic         // each dr.todo that is left
	Pos            lua.Pos                  // of the dr.plan call

	findings lua.Diagnostics      // what was found while the file ran
	source   func(lua.Pos) string // the line of a place; nil for a plan that was not loaded
	sealed   bool                 // loaded: methods and assignments are over
	caFiles  []fileReference
	readFile func(path string) ([]byte, error) // nil: files are not looked for
	at       func(path ...any) lua.Pos         // nil for a plan that was not loaded
}

// fileReference is a file that the plan names, to be looked for once the plan's folder is known.
type fileReference struct {
	path, subject string
	pos           lua.Pos
}

// SiteSpec says how to reach the engine of a site.
type SiteSpec struct {
	URL      string
	Username string
	Password *lua.Secret // nil where the plan has none that can be used
	CAFile   string      // as written in the plan: relative to the plan's folder; see Plan.Path
	Insecure bool        // do not verify the engine's certificate
	Pos      lua.Pos
}

// StorageDomain is a replicated storage domain.
type StorageDomain struct {
	Name  string
	ID    string
	Type  string // StorageNFS …
	Group string // consistency group for storage hooks; "" is the group of all domains that name none
	// UpgradeFormat consents to an attach that upgrades the storage format, which the other site may not be able to read then.
	UpgradeFormat bool
	Primary       DomainSide
	Secondary     DomainSide
	Pos           lua.Pos
}

// DomainSide is the place of a storage domain on one site.
type DomainSide struct {
	DataCenter   string
	URL          string // file types, as written
	NFSVersion   string // "" lets the engine choose
	MountOptions string
	VFSType      string        // posixfs: the file system, such as "ceph"
	Targets      []TargetLogin // iscsi
	LUNs         []string      // iscsi, fcp: LUN ids
	Place        StorageURL
	Todo         string // the sentence of a dr.todo that stands for the data center
	Pos          lua.Pos

	given        []string // the keys that the plan has, whatever their values
	targetsGiven int      // length of the list, right or wrong
}

func (s *DomainSide) has(key string) bool { return slices.Contains(s.given, key) }

// Side returns the place on the named site.
func (d StorageDomain) Side(site string) DomainSide {
	if site == Secondary {
		return d.Secondary
	}
	return d.Primary
}

// Mappings says what takes the place of what on the other site.
type Mappings struct {
	Clusters     []ClusterMapping
	VNICProfiles []ProfileMapping
	LUNs         []LUNMapping
}

// LUNMapping pairs two LUNs that are the disk of a VM: the original and its replica.
type LUNMapping struct {
	Primary   LUNRef
	Secondary LUNRef
	Optional  bool   // a VM whose LUN is not there comes up without it
	paired    bool   // the plan says something about the secondary
	Todo      string // the sentence of a dr.todo that stands for Secondary
	Pos       lua.Pos
	pos       sidePositions
}

// LUNRef is a LUN at one site. Without targets it is reached by Fibre Channel.
type LUNRef struct {
	ID      string
	Targets []TargetLogin
}

// Side returns the LUN on the named site.
func (m LUNMapping) Side(site string) LUNRef {
	if site == Secondary {
		return m.Secondary
	}
	return m.Primary
}

func (m LUNMapping) sidePos(site string) lua.Pos { return m.pos.side(site) }

// ClusterMapping pairs two clusters by name.
type ClusterMapping struct {
	Primary   string
	Secondary string
	Todo      string // the sentence of a dr.todo that stands for Secondary
	Pos       lua.Pos
	pos       sidePositions
}

// sidePositions are the places of the two sides of a mapping.
type sidePositions struct{ primary, secondary lua.Pos }

func (p sidePositions) side(site string) lua.Pos {
	if site == Secondary {
		return p.secondary
	}
	return p.primary
}

func (m ClusterMapping) sidePos(site string) lua.Pos { return m.pos.side(site) }

func (m ProfileMapping) sidePos(site string) lua.Pos { return m.pos.side(site) }

// Side returns the cluster's name on the named site.
func (m ClusterMapping) Side(site string) string {
	if site == Secondary {
		return m.Secondary
	}
	return m.Primary
}

// ProfileMapping pairs two vNIC profiles.
type ProfileMapping struct {
	Primary   ProfileRef
	Secondary ProfileRef
	Test      ProfileRef // for tests of the plan; zero when the plan names none
	Todo      string     // the sentence of a dr.todo that stands for Secondary
	Pos       lua.Pos
	pos       sidePositions
}

// Side returns the profile on the named site.
func (m ProfileMapping) Side(site string) ProfileRef {
	if site == Secondary {
		return m.Secondary
	}
	return m.Primary
}

// ProfileRef names a vNIC profile: the name of a profile is unique only in its network, that of a network only in its data center.
type ProfileRef struct {
	DataCenter string `json:"data_center"`
	Network    string `json:"network"`
	Profile    string `json:"profile"`
}

// String renders the reference as data center/network/profile.
func (r ProfileRef) String() string { return r.DataCenter + "/" + r.Network + "/" + r.Profile }

// Template is a template that VMs of the plan are based on.
type Template struct {
	Name string
	ID   string
	Pos  lua.Pos
}

// VM is a virtual machine of the plan.
type VM struct {
	Name      string
	ID        string
	Rank      int
	Boot      *stdlib.Condition // never nil; the zero Condition means that up is enough
	After     []string          // names of VMs that start first
	Start     string            // StartAsBefore, StartYes or StartNo
	Required  bool
	OnError   string        // OnErrorContinue or OnErrorStop
	Grace     time.Duration // how long a shutdown may take
	ForceStop bool          // switch it off when the grace is over
	Pos       lua.Pos
}

// Hook is a handler of a hook point. The runner calls it as Func(ctx, subject, options); subject is nil at points without one.
type Hook struct {
	Point   string
	Handler string // part of the journal's key: as=, the library's name, or "plan"
	Func    *lua.Function
	Timeout time.Duration
	OnError string         // OnErrorStop, OnErrorContinue, or "" for the point's own rule
	OnCut   string         // retry, ask, or "" for the point's own rule
	Options map[string]any // of the library that the handler came with
	Groups  []string       // consistency groups that it is for, at the hook points that have them; none means all
	Pos     lua.Pos
}

// Library is a library in use by the plan.
type Library struct {
	Name    string // as= of plan:use, or the library's own name
	Version string
	Options map[string]any
	Groups  []string      // as of Hook
	Check   *lua.Function // called as Check(ctx, options); nil when the library has none
	Pos     lua.Pos

	origin *library // the one that dr.library returned
}

// Site returns how to reach the named site.
func (p *Plan) Site(name string) SiteSpec {
	if name == Secondary {
		return p.Secondary
	}
	return p.Primary
}

// At returns the place of a value in the table that dr.plan was called with: At("vms", 2, "rank"), indexes from 1. Of a value that is not
// written out there it is the nearest place around it; of a plan that was not loaded it is zero.
func (p *Plan) At(path ...any) lua.Pos {
	if p.at == nil {
		return lua.Pos{}
	}
	return p.at(path...)
}

// Path returns the path of a file that the plan names: relative ones start in the plan's folder.
func (p *Plan) Path(file string) string {
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(filepath.Dir(p.File), file)
}

// HooksAt returns the handlers of a hook point in the order in which they run.
func (p *Plan) HooksAt(point string) []Hook {
	var hooks []Hook
	for _, hook := range p.Hooks {
		if hook.Point == point {
			hooks = append(hooks, hook)
		}
	}
	return hooks
}

// DefaultGroup is the consistency group of the storage domains that name none.
const DefaultGroup = "all"

// GroupName is the consistency group of a storage domain.
func (d StorageDomain) GroupName() string { return cmp.Or(d.Group, DefaultGroup) }

// Groups are the consistency groups of the plan, in the order of their first storage domain.
func (p *Plan) Groups() []string {
	var groups []string
	for _, domain := range p.StorageDomains {
		if name := domain.GroupName(); !slices.Contains(groups, name) {
			groups = append(groups, name)
		}
	}
	return groups
}

// HasHook tells whether a handler of a hook point is there for a consistency group.
func (p *Plan) HasHook(point, group string) bool {
	return slices.ContainsFunc(p.Hooks, func(h Hook) bool { return h.Point == point && stdlib.ServesGroup(point, h.Groups, group) })
}

// Other returns the name of the other site.
func Other(site string) string {
	if site == Secondary {
		return Primary
	}
	return Secondary
}
