package lab

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// blankID is the id of the Blank template and of other things that every engine has.
const blankID = "00000000-0000-0000-0000-000000000000"

// Lab is a running world. All its methods can be called from any goroutine.
type Lab struct {
	clock Clock
	lat   Latency
	idle  time.Duration // session life without a request
	ovf   time.Duration // automatic OVF updates

	mu         sync.Mutex
	now        time.Time // how far the world has come; never goes back
	seed       uint64
	drawn      uint64 // ids drawn from the seed
	engines    []*engine
	exports    []*export
	targets    []*target
	pairs      []*pair
	arrays     map[string]*array // by site; made at the first use
	queue      opQueue
	seq        int
	log        requestLog
	violations []Violation
	strays     []*stray
	faults     []*faultRule
	lastFault  int                 // number of the last rule
	stalled    map[*vm]*export     // VMs that paused for storage that a fault took
	down       []func(site string) // called, with the lock held, when an engine stops to answer
	dark       []func(site string) // called, with the lock held, when a site loses its power
}

// New starts a lab from a world, at the clock's time. The seed decides the ids that come into being later (tokens, jobs,
// connections): the same world, seed and requests at the same times give the same answers. It panics when the world does not
// pass World.Check.
func New(w World, clock Clock, seed uint64) *Lab {
	if err := w.Check(); err != nil {
		panic(err)
	}
	l := &Lab{clock: clock, lat: w.Latency.orDefaults(), idle: w.TokenIdle, ovf: w.OVFInterval, seed: seed, now: clock.Now()}
	if l.idle == 0 {
		l.idle = 30 * time.Minute
	}
	if l.ovf == 0 {
		l.ovf = time.Hour
	}
	l.build(w)
	for _, rule := range w.Faults {
		if err := l.Fail(rule); err != nil {
			panic(err)
		}
	}
	return l
}

// lock takes the mutex and brings the world up to the present.
func (l *Lab) lock() {
	l.mu.Lock()
	l.advance()
}

// op is something that will happen at a time.
type op struct {
	at       time.Time
	seq      int // order among those of the same time
	run      func()
	engine   *engine // whose restart drops it; nil: nobody's
	abort    func()  // what the engine's next start does about it; may be nil
	finished bool
	dropped  bool
}

type opQueue []*op

func (q opQueue) Len() int { return len(q) }
func (q opQueue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].seq < q[j].seq
}
func (q opQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *opQueue) Push(x any)   { *q = append(*q, x.(*op)) }
func (q *opQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}

// at puts run on the queue.
func (l *Lab) at(when time.Time, run func()) *op {
	l.seq++
	o := &op{at: when, seq: l.seq, run: run}
	heap.Push(&l.queue, o)
	return o
}

// after puts run on the queue, d from now.
func (l *Lab) after(d time.Duration, run func()) *op { return l.at(l.now.Add(d), run) }

// advance carries out all that has become due, each at its own time.
func (l *Lab) advance() {
	now := l.clock.Now()
	for len(l.queue) > 0 && !l.queue[0].at.After(now) {
		o := heap.Pop(&l.queue).(*op)
		if o.dropped {
			continue
		}
		if o.at.After(l.now) {
			l.now = o.at
		}
		o.finished = true
		o.run()
	}
	if now.After(l.now) {
		l.now = now
	}
}

// newID draws the next id from the seed.
func (l *Lab) newID() string {
	l.drawn++
	var in [16]byte
	binary.BigEndian.PutUint64(in[:8], l.seed)
	binary.BigEndian.PutUint64(in[8:], l.drawn)
	return uuidOf(string(in[:]))
}

// uuidOf is a version 4 UUID whose random part is a digest of name.
func uuidOf(name string) string {
	b := sha256.Sum256([]byte(name))
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// engine returns the engine of a site, or nil.
func (l *Lab) engine(site string) *engine {
	for _, e := range l.engines {
		if e.name == site {
			return e
		}
	}
	return nil
}
