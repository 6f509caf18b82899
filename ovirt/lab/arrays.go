package lab

import (
	"fmt"
	"slices"
	"time"
)

// States of a replication.
const (
	replicating = "replicating"
	stopped     = "stopped" // an end of it went away
	split       = "split"   // the target was promoted
)

// export is a place for a storage domain with what lies on it: a directory that a server exports, or a set of LUNs.
type export struct {
	Export
	online   bool
	writable bool
	copy     *domainCopy // nil: empty, or the target of a replication (see Lab.content)

	// Of a LUN set.
	luns      []*lun
	target    *target
	presented []string
}

func (x *export) String() string { return x.name() }

// pair is two exports that hold the same domain.
type pair struct {
	domain         string
	source, target *export // direction of the copy
	active         *export // the side that counts: the source until promotion, then the promoted one
	lag            time.Duration
	state          string
	quiesced       bool      // stopped on purpose, at the array
	since          time.Time // the target holds nothing older than this
	stoppedAt      time.Time
	promoted       time.Time // what the target held when it was promoted: its newest write of the source
}

// asOf is the time of the newest write of the source that the target holds.
func (p *pair) asOf(now time.Time) time.Time {
	if p.state != replicating {
		now = p.stoppedAt
	}
	t := now.Add(-p.lag)
	if t.Before(p.since) {
		return p.since
	}
	return t
}

// other is the opposite side.
func (p *pair) other(x *export) *export {
	if p.source == x {
		return p.target
	}
	return p.source
}

// contents is what lies on an export at a moment, apart from what guests write. It is never changed in place.
type contents struct {
	id, name, format string
	pool             string // the data center that the metadata names as the owner; "" when free
	master           bool
	store            ovfStore
	images           []image // by disk id
	kind             string  // iso, or "" for data
	files            []string
	volumes          []int // the LUNs of the set on which the volume group lies; none means all
}

// image is the image of a disk on the storage.
type image struct {
	disk, owner string // owner is "" for a floating disk
	size        int64
	alias       string // as the description of its volume has it; "" where the OVF of its owner tells it
}

func (c *contents) image(disk string) (image, bool) {
	at, ok := slices.BinarySearchFunc(c.images, disk, func(i image, id string) int {
		if i.disk < id {
			return -1
		} else if i.disk > id {
			return 1
		}
		return 0
	})
	if !ok {
		return image{}, false
	}
	return c.images[at], true
}

// domainCopy is one writable copy of a storage domain, with as much history as a replication that lags behind needs.
type domainCopy struct {
	keep     time.Duration
	versions []version // oldest first; the last is the present
	counters map[string]*counter
}

type version struct {
	at time.Time
	c  *contents
}

func newCopy(at time.Time, c *contents, keep time.Duration) *domainCopy {
	return &domainCopy{keep: keep, versions: []version{{at, c}}, counters: map[string]*counter{}}
}

func (d *domainCopy) now() *contents { return d.versions[len(d.versions)-1].c }

// at returns what lay there at a time.
func (d *domainCopy) at(t time.Time) *contents {
	for i := len(d.versions) - 1; i > 0; i-- {
		if !d.versions[i].at.After(t) {
			return d.versions[i].c
		}
	}
	return d.versions[0].c
}

// change replaces the contents by a changed shallow copy; edit must not write through slices or maps.
func (d *domainCopy) change(now time.Time, edit func(*contents)) {
	next := *d.now()
	edit(&next)
	if last := &d.versions[len(d.versions)-1]; last.at.Equal(now) {
		last.c = &next
		return
	}
	d.versions = append(d.versions, version{now, &next})
	// Of the versions older than what any replication can lag behind only the newest is needed.
	old := 0
	for old+1 < len(d.versions) && d.versions[old+1].at.Before(now.Add(-d.keep)) {
		old++
	}
	d.versions = d.versions[old:]
}

// counter is what a guest writes to a disk: one more each second while it runs.
type counter struct {
	base  int64
	spans []span
	open  int // how many guests write
}

type span struct {
	from, to time.Time // to is zero while it lasts
	start    int64
}

func (c *counter) value(t time.Time) int64 {
	for i := len(c.spans) - 1; i >= 0; i-- {
		s := c.spans[i]
		if s.from.After(t) {
			continue
		}
		if !s.to.IsZero() && s.to.Before(t) {
			t = s.to
		}
		return s.start + int64(t.Sub(s.from)/time.Second)
	}
	return c.base
}

func (c *counter) begin(t time.Time) {
	if c.open++; c.open == 1 {
		c.spans = append(c.spans, span{from: t, start: c.value(t)})
	}
}

func (c *counter) end(t time.Time) {
	if c.open--; c.open == 0 {
		c.spans[len(c.spans)-1].to = t
	}
}

func (d *domainCopy) counter(disk string) *counter {
	c := d.counters[disk]
	if c == nil {
		c = &counter{}
		d.counters[disk] = c
	}
	return c
}

// export finds an export by ADDRESS:PATH, or nil.
func (l *Lab) export(name string) *export {
	return find(l.exports, func(x *export) bool { return x.String() == name })
}

func (l *Lab) lagOf(x *export) time.Duration {
	var lag time.Duration
	for _, p := range l.pairs {
		if p.source == x || p.target == x {
			lag = max(lag, p.lag)
		}
	}
	return lag
}

// pairOf returns the replication that an export is an end of, or nil.
func (l *Lab) pairOf(x *export) *pair {
	return find(l.pairs, func(p *pair) bool { return p.source == x || p.target == x })
}

// content returns the storage domain that lies on an export, nil when there is none, and the value of a disk's counter there.
func (l *Lab) content(x *export) (*contents, func(disk string) int64) {
	c, t := x.copy, l.now
	if p := l.pairOf(x); p != nil && p.state != split && p.target == x {
		c, t = p.source.copy, p.asOf(l.now)
	}
	if c == nil {
		return nil, func(string) int64 { return 0 }
	}
	count := func(disk string) int64 {
		if k := c.counters[disk]; k != nil {
			return k.value(t)
		}
		return 0
	}
	if there := c.at(t); there.id != "" {
		return there, count
	}
	return nil, count // only LUNs that are disks of guests
}

// freeze makes the target's derived content its own.
func (l *Lab) freeze(p *pair) {
	c, count := l.content(p.target)
	if c == nil && len(p.target.luns) == 0 {
		p.target.copy = nil
		return
	}
	fixed := contents{}
	if c != nil {
		fixed = *c
	}
	own := newCopy(l.now, &fixed, p.lag)
	for _, u := range p.target.luns {
		if n := count(u.counterKey()); n > 0 {
			own.counter(u.counterKey()).base = n
		}
	}
	for _, i := range fixed.images {
		own.counter(i.disk).base = count(i.disk)
	}
	p.target.copy = own
}

// pairNamed finds a replication by its name, or by the id or name of the domain that it carries.
func (l *Lab) pairNamed(name string) (*pair, error) {
	for _, p := range l.pairs {
		if p.domain == name {
			return p, nil
		}
	}
	for _, p := range l.pairs {
		if c, _ := l.content(p.source); c != nil && (c.id == name || c.name == name) {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no replicated storage domain %q", name)
}

// Promote ends the replication of a domain and makes its target writable, with what had arrived. Both sides are writable then;
// the direction is kept. Promoting again does nothing.
func (l *Lab) Promote(domain string) error {
	l.lock()
	defer l.mu.Unlock()
	p, err := l.pairNamed(domain)
	if err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	if p.state == split {
		return nil
	}
	if !p.target.online {
		return fmt.Errorf("promote %s: the array of %s is off", domain, p.target)
	}
	l.promote(p)
	return nil
}

func (l *Lab) promote(p *pair) {
	l.freeze(p)
	p.promoted = p.asOf(l.now)
	p.state, p.active, p.target.writable = split, p.target, true
	l.storageChanged()
}

// Replicate copies the domain from the side that counts (the source; after promotion the promoted one) to the other side, all
// of it at once, and replicates on from there, with the lag. The other side is read-only from then on and what it held is gone.
func (l *Lab) Replicate(domain string) error {
	l.lock()
	defer l.mu.Unlock()
	p, err := l.pairNamed(domain)
	if err != nil {
		return fmt.Errorf("replicate: %w", err)
	}
	from, to := p.active, p.other(p.active)
	for _, x := range []*export{from, to} {
		if !x.online {
			return fmt.Errorf("replicate %s: the array of %s is off", domain, x)
		}
	}
	l.replicate(p, from)
	return nil
}

// replicate makes an end of a replication its source, and overwrites the other end.
func (l *Lab) replicate(p *pair, from *export) {
	to := p.other(from)
	l.overwritten(to)
	p.source, p.target, p.active, p.state, p.since, p.quiesced = from, to, from, replicating, l.now, false
	to.copy, to.writable = nil, false
	l.storageChanged()
}
