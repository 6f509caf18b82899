package lab

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// arrayChange is what a job does: it can be refused when it is asked for, and once more when its time has passed, for the world may have
// changed meanwhile.
type arrayChange struct {
	operation, object string
	pair              *pair // nil: it is about a volume
	takes             time.Duration
	allowed           func() *ArrayError
	do                func()
}

// busy is the job that works on a replication, nil where none does. Both its arrays know.
func (l *Lab) busy(p *pair) *ArrayJob {
	for _, a := range l.arrays {
		for _, j := range a.jobs {
			if j.State == "running" && j.Object == p.domain {
				return j
			}
		}
	}
	return nil
}

// begin starts a job, or refuses.
func (a *array) begin(c arrayChange) (*ArrayJob, *ArrayError) {
	if c.pair != nil {
		if j := a.lab.busy(c.pair); j != nil {
			return nil, arrayConflict("busy", "job %s works on %s (%s): wait for it", j.ID, c.object, j.Operation)
		}
	}
	if refused := c.allowed(); refused != nil {
		return nil, refused
	}
	number := 1
	if n := len(a.jobs); n > 0 {
		last, _ := strconv.Atoi(a.jobs[n-1].ID)
		number = last + 1
	}
	j := &ArrayJob{ID: strconv.Itoa(number), Operation: c.operation, Object: c.object, State: "running", Started: a.lab.now}
	a.jobs = append(a.jobs, j)
	if len(a.jobs) > arrayJobs {
		a.jobs = a.jobs[1:]
	}
	a.lab.after(c.takes, func() {
		ended := a.lab.now
		j.Ended, j.State = &ended, "done"
		failed := arrayConflict("no-power", "the array lost its power meanwhile")
		if a.up() {
			failed = c.allowed()
		}
		if failed != nil {
			j.State, j.Error = "failed", failed
			return
		}
		c.do()
	})
	return j, nil
}

func (a *array) job(id string) (*ArrayJob, *ArrayError) {
	for _, j := range a.jobs {
		if j.ID == id {
			return j, nil
		}
	}
	return nil, noSuch("job", id, nil)
}

// arrayOperations are the changes of a replication, in the order in which the documents name them.
var arrayOperations = []string{"update", "quiesce", "resume", "break", "resync"}

// operate begins a change of a replication.
func (a *array) operate(p *pair, operation string, discard bool) (*ArrayJob, *ArrayError) {
	c := arrayChange{operation: operation, object: p.domain, pair: p}
	switch operation {
	case "update":
		a.update(p, &c)
	case "quiesce":
		c.takes, c.allowed, c.do = arrayQuiesce, func() *ArrayError { return a.stoppable(p) }, func() {
			p.state, p.stoppedAt, p.quiesced = stopped, a.lab.now, true
		}
	case "resume":
		c.takes, c.allowed, c.do = arrayResume, func() *ArrayError { return a.resumable(p) }, func() { p.state, p.quiesced = replicating, false }
	case "break":
		c.takes, c.allowed, c.do = arrayBreak, func() *ArrayError { return a.breakable(p) }, func() { a.lab.promote(p) }
	case "resync":
		c.takes, c.allowed, c.do = arrayResync, func() *ArrayError { return a.resyncable(p, discard) }, func() { a.lab.replicate(p, a.end(p)) }
	default:
		return nil, arrayMistake("a replication cannot be %q; it can: %s", operation, joined(arrayOperations))
	}
	return a.begin(c)
}

// update lets the target catch up with what the source holds when it begins.
func (a *array) update(p *pair, c *arrayChange) {
	begun := a.lab.now
	c.takes = arrayUpdate + min(p.lag, time.Minute)
	c.allowed = func() *ArrayError { return a.stoppable(p) }
	c.do = func() {
		if begun.After(p.since) {
			p.since = begun
		}
	}
}

// stoppable refuses what needs a replication that runs.
func (a *array) stoppable(p *pair) *ArrayError {
	switch p.state {
	case split:
		return arrayConflict("broken", "%s is broken: there is nothing to copy; resync starts it again", p.domain)
	case stopped:
		return arrayConflict("not-replicating", "%s does not replicate: resume it", p.domain)
	}
	return a.online(p.source, p.target)
}

func (a *array) online(ends ...*export) *ArrayError {
	for _, x := range ends {
		switch {
		case !a.lab.poweredSite(x.Site):
			return arrayConflict("unreachable", "the array of %s does not answer", x.Site)
		case !x.online:
			return arrayConflict("offline", "volume %s of %s is offline", volumeName(x), x.Site)
		}
	}
	return nil
}

func (a *array) resumable(p *pair) *ArrayError {
	switch p.state {
	case split:
		return arrayConflict("broken", "%s is broken: resync starts it again", p.domain)
	case replicating:
		return arrayConflict("replicating", "%s replicates already", p.domain)
	}
	return a.online(p.source, p.target)
}

func (a *array) breakable(p *pair) *ArrayError {
	switch {
	case p.state == split:
		return arrayConflict("broken", "%s is broken already", p.domain)
	case a.end(p) != p.target:
		return arrayConflict("wrong-array", "%s has its source on this array: break it on the array of its target, %s", p.domain, p.target.Site)
	case p.state == replicating:
		return arrayConflict("replicating", "%s replicates: quiesce it first", p.domain)
	}
	return a.online(p.target)
}

// resyncable refuses what would make this array's copy the source, and overwrite the other one.
func (a *array) resyncable(p *pair, discard bool) *ArrayError {
	mine := a.end(p)
	far := p.other(mine)
	if p.state != split {
		return arrayConflict("not-broken", "%s is not broken: it replicates from %s to %s, or can be resumed", p.domain, p.source.Site, p.target.Site)
	}
	if offline := a.online(mine, far); offline != nil {
		return offline
	}
	if by := a.lab.inUse(far); by != "" {
		return arrayConflict("in-use", "volume %s of %s would be overwritten, and is used by %s", volumeName(far), far.Site, by)
	}
	if far.writable && !discard {
		return arrayConflict("would-discard", "volume %s of %s is read-write: what was written there since the break would be lost; make it read-only, or discard it", volumeName(far), far.Site)
	}
	return nil
}

// setAccess begins to make a volume read-only, or read-write again.
func (a *array) setAccess(x *export, wanted string) (*ArrayJob, *ArrayError) {
	if wanted != "read-only" && wanted != "read-write" {
		return nil, arrayMistake("access is read-only or read-write, not %q", wanted)
	}
	p := a.lab.pairOf(x)
	return a.begin(arrayChange{operation: wanted, object: volumeName(x), takes: arrayAccess,
		allowed: func() *ArrayError {
			if wanted == "read-write" && p != nil && p.target == x && p.state != split {
				return arrayConflict("replica", "volume %s is the target of %s: break that first", volumeName(x), p.domain)
			}
			if by := a.lab.inUse(x); by != "" && wanted == "read-only" {
				return arrayConflict("in-use", "volume %s is used by %s", volumeName(x), by)
			}
			return a.online(x)
		},
		do: func() {
			x.writable = wanted == "read-write"
			a.lab.storageChanged()
		}})
}

// arrayClone is a writable copy of a volume as it was at a moment.
type arrayClone struct {
	of, volume *export
	name       string
	made       time.Time
	asOf       time.Time
}

// ArrayClone is a clone as the array shows it.
type ArrayClone struct {
	Name   string    `json:"name"`
	Of     string    `json:"of"`     // volume
	Volume string    `json:"volume"` // the clone's own
	Path   string    `json:"path"`
	Made   time.Time `json:"made"`
	AsOf   time.Time `json:"as_of"` // the newest write that it holds
}

func (c *arrayClone) view() ArrayClone {
	return ArrayClone{Name: c.name, Of: volumeName(c.of), Volume: volumeName(c.volume), Path: c.volume.String(), Made: c.made, AsOf: c.asOf}
}

func (a *array) clonesOf(x *export) []ArrayClone {
	views := []ArrayClone{}
	for _, c := range a.clones {
		if c.of == x {
			views = append(views, c.view())
		}
	}
	return views
}

func (a *array) clone(x *export, name string) *arrayClone {
	return find(a.clones, func(c *arrayClone) bool { return c.of == x && c.name == name })
}

// makeClone begins to make a clone of a volume. Neither the volume nor its replication notices.
func (a *array) makeClone(x *export, name string) (*ArrayJob, *ArrayError) {
	if name == "" {
		return nil, arrayMistake("a clone needs a name")
	}
	return a.begin(arrayChange{operation: "clone", object: volumeName(x) + "/" + name, takes: arrayClones,
		allowed: func() *ArrayError {
			switch {
			case x.block():
				return arrayConflict("no-clones", "volume %s is a set of LUNs, and this array makes no clones of those", volumeName(x))
			case a.clone(x, name) != nil:
				return arrayConflict("exists", "volume %s has a clone %q", volumeName(x), name)
			}
			return a.online(x)
		},
		do: func() { a.clones = append(a.clones, a.lab.cloned(x, name)) }})
}

// cloned makes an export of its own that holds what another one holds now.
func (l *Lab) cloned(x *export, name string) *arrayClone {
	made := &export{Export: x.Export, online: true, writable: true}
	made.Path = x.Path + "." + name
	asOf := l.now
	if p := l.pairOf(x); p != nil && p.target == x {
		if asOf = p.asOf(l.now); p.state == split {
			asOf = l.now
		}
	}
	if held, count := l.content(x); held != nil {
		fixed := *held
		made.copy = newCopy(l.now, &fixed, 0)
		for _, i := range fixed.images {
			made.copy.counter(i.disk).base = count(i.disk)
		}
	}
	l.exports = append(l.exports, made)
	return &arrayClone{of: x, volume: made, name: name, made: l.now, asOf: asOf}
}

// dropClone begins to delete a clone.
func (a *array) dropClone(x *export, name string) (*ArrayJob, *ArrayError) {
	c := a.clone(x, name)
	if c == nil {
		return nil, noSuch("clone", fmt.Sprintf("%s of volume %s", name, volumeName(x)), nil)
	}
	return a.begin(arrayChange{operation: "delete clone", object: volumeName(x) + "/" + name, takes: arrayAccess,
		allowed: func() *ArrayError {
			if by := a.lab.inUse(c.volume); by != "" {
				return arrayConflict("in-use", "clone %s is used by %s", volumeName(c.volume), by)
			}
			return nil
		},
		do: func() {
			c.volume.online = false // whoever still has its address finds nothing
			a.clones = slices.DeleteFunc(a.clones, func(other *arrayClone) bool { return other == c })
			a.lab.exports = slices.DeleteFunc(a.lab.exports, func(x *export) bool { return x == c.volume })
		}})
}
