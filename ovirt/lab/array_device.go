package lab

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The names under which the administrators of a lab's arrays know the user of drrun, and its passwords.
const (
	ArrayUsername          = "drrun"
	PrimaryArrayPassword   = "lab-primary-array-password"
	SecondaryArrayPassword = "lab-secondary-array-password"
)

// array is the storage array of a site as its administrators see it: volumes, their replications, their clones, and the jobs that
// change them. It is made up; what it refuses is what arrays refuse. Its methods need the lab's lock.
type array struct {
	lab      *Lab
	site     string
	jobs     []*ArrayJob
	clones   []*arrayClone
	sessions map[string]time.Time // token, and when it was used last
	tokens   int
}

// ArrayVolume is a volume: an export, or a set of LUNs.
type ArrayVolume struct {
	Name        string `json:"name"`
	Path        string `json:"path"`   // ADDRESS:PATH, or the name of the LUN set
	Access      string `json:"access"` // read-write or read-only
	Size        int64  `json:"size"`   // bytes
	Online      bool   `json:"online"`
	InUse       string `json:"in_use,omitempty"` // by what; "" is nothing that the array knows of
	Replication string `json:"replication,omitempty"`
}

// ArrayReplication is a replication as one of its two arrays sees it.
type ArrayReplication struct {
	Name       string     `json:"name"`
	Volume     string     `json:"volume"` // of this array
	Role       string     `json:"role"`   // source or target
	State      string     `json:"state"`  // replicating, quiesced, interrupted or broken
	Access     string     `json:"access"` // read-write or read-only: of this array's volume
	PeerArray  string     `json:"peer_array"`
	PeerVolume string     `json:"peer_volume"`
	PeerAccess string     `json:"peer_access"` // likewise, or unreachable
	LastSync   *time.Time `json:"last_sync"`   // the newest write of the source that the target holds
	LagSeconds float64    `json:"lag_seconds"` // how long ago that is
	Job        string     `json:"job,omitempty"`
}

// ArrayJob is a change that takes time.
type ArrayJob struct {
	ID        string      `json:"id"`
	Operation string      `json:"operation"`
	Object    string      `json:"object"`
	State     string      `json:"state"` // running, done or failed
	Started   time.Time   `json:"started"`
	Ended     *time.Time  `json:"ended,omitempty"`
	Error     *ArrayError `json:"error,omitempty"`
}

// ArrayError is why an array refuses or fails. Its status is the one of the REST interface.
type ArrayError struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error is code and message.
func (e *ArrayError) Error() string { return e.Code + ": " + e.Message }

func arrayConflict(code, format string, args ...any) *ArrayError {
	return &ArrayError{Status: http.StatusConflict, Code: code, Message: fmt.Sprintf(format, args...)}
}

func arrayMistake(format string, args ...any) *ArrayError {
	return &ArrayError{Status: http.StatusBadRequest, Code: "bad-request", Message: fmt.Sprintf(format, args...)}
}

func noSuch(kind, name string, known []string) *ArrayError {
	e := &ArrayError{Status: http.StatusNotFound, Code: "not-found", Message: fmt.Sprintf("there is no %s %q on this array", kind, name)}
	if len(known) > 0 {
		e.Message += "; there are: " + joined(known)
	}
	return e
}

// How long an array works on a change, in model time. An update also copies what the target lacks, at the speed at which it was written.
const (
	arrayQuiesce = time.Second
	arrayResume  = 2 * time.Second
	arrayUpdate  = 3 * time.Second
	arrayBreak   = 5 * time.Second
	arrayResync  = 20 * time.Second
	arrayAccess  = 2 * time.Second
	arrayClones  = 4 * time.Second
	arrayIdle    = 30 * time.Minute // a session without a request ends
	arrayJobs    = 1000             // of the last ones the array knows
)

// array returns the array of a site, nil where the site has no storage.
func (l *Lab) array(site string) *array {
	if l.arrays == nil {
		l.arrays = map[string]*array{}
	}
	if a := l.arrays[site]; a != nil {
		return a
	}
	if !slices.ContainsFunc(l.exports, func(x *export) bool { return x.Site == site }) {
		return nil
	}
	a := &array{lab: l, site: site, sessions: map[string]time.Time{}}
	l.arrays[site] = a
	return a
}

// password is what the array's user logs in with.
func (a *array) password() string { return "lab-" + a.site + "-array-password" }

// up tells whether the array has power.
func (a *array) up() bool { return a.lab.poweredSite(a.site) }

func (l *Lab) poweredSite(site string) bool {
	e := l.engine(site)
	return e == nil || !e.disaster
}

// volumeName is the name of an export on its array: its path.
func volumeName(x *export) string { return strings.ReplaceAll(strings.Trim(x.Path, "/"), "/", "_") }

func access(x *export) string {
	if x.writable {
		return "read-write"
	}
	return "read-only"
}

func (a *array) exports() []*export {
	var mine []*export
	for _, x := range a.lab.exports {
		if x.Site == a.site {
			mine = append(mine, x)
		}
	}
	return mine
}

func (a *array) volume(name string) (*export, *ArrayError) {
	var known []string
	for _, x := range a.exports() {
		if volumeName(x) == name || x.String() == name {
			return x, nil
		}
		known = append(known, volumeName(x))
	}
	return nil, noSuch("volume", name, known)
}

func (a *array) volumeView(x *export) ArrayVolume {
	v := ArrayVolume{Name: volumeName(x), Path: x.String(), Access: access(x), Size: x.Size, Online: x.online, InUse: a.lab.inUse(x)}
	if p := a.lab.pairOf(x); p != nil {
		v.Replication = p.domain
	}
	return v
}

// inUse says by what an export is used, "" for nothing.
func (l *Lab) inUse(x *export) string {
	for _, e := range l.engines {
		for _, v := range e.vms {
			if v.running && e.uses(v, x) {
				return "VM " + v.name + " of " + e.name
			}
		}
		for _, d := range e.domains {
			if d.export == x && d.dc != nil && d.status != "maintenance" && len(e.upHosts(d.dc)) > 0 {
				return "hosts of " + e.name
			}
		}
	}
	return ""
}

// replications are those that have an end on the array.
func (a *array) replications() []*pair {
	var mine []*pair
	for _, p := range a.lab.pairs {
		if a.end(p) != nil {
			mine = append(mine, p)
		}
	}
	return mine
}

// end is the end of a replication on the array. Where both are, it is the target: what is done to the source is done to its volume.
func (a *array) end(p *pair) *export {
	switch a.site {
	case p.target.Site:
		return p.target
	case p.source.Site:
		return p.source
	}
	return nil
}

func (a *array) replication(name string) (*pair, *ArrayError) {
	var known []string
	for _, p := range a.replications() {
		if p.domain == name {
			return p, nil
		}
		known = append(known, p.domain)
	}
	return nil, noSuch("replication", name, known)
}

func (a *array) replicationView(p *pair) ArrayReplication {
	mine := a.end(p)
	far := p.other(mine)
	v := ArrayReplication{Name: p.domain, Volume: volumeName(mine), Role: "source", Access: access(mine), PeerArray: far.Site, PeerVolume: volumeName(far),
		PeerAccess: "unreachable"}
	if mine == p.target {
		v.Role = "target"
	}
	if a.lab.poweredSite(far.Site) {
		v.PeerAccess = access(far)
	}
	switch {
	case p.state == replicating:
		v.State = "replicating"
	case p.state == split:
		v.State = "broken"
	case p.quiesced:
		v.State = "quiesced"
	default:
		v.State = "interrupted"
	}
	synced := p.asOf(a.lab.now)
	if p.state == split {
		synced = p.promoted
	}
	if !synced.IsZero() {
		v.LastSync, v.LagSeconds = &synced, a.lab.now.Sub(synced).Seconds()
	}
	if j := a.lab.busy(p); j != nil {
		v.Job = j.ID
	}
	return v
}
