package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sync"
)

// dispatcher gives events to observers in order and never two at a time, without a
// goroutine of its own: whoever emits while nobody dispatches does it, for all.
type dispatcher struct {
	clock Clock

	mu        sync.Mutex
	observers []func(Event)
	queue     []Event
	idle      chan struct{} // nil while nobody dispatches; closed when done
}

func (d *dispatcher) emit(e Event) {
	d.mu.Lock()
	if len(d.observers) == 0 {
		d.mu.Unlock()
		return
	}
	d.queue = append(d.queue, e)
	if d.idle != nil {
		d.mu.Unlock()
		return
	}
	done := make(chan struct{})
	d.idle = done
	defer func() { // also when an observer panics
		d.idle = nil
		d.mu.Unlock()
		close(done)
	}()
	for len(d.queue) > 0 {
		e := d.queue[0]
		d.queue = d.queue[1:]
		d.deliver(e, slices.Clone(d.observers))
	}
}

// deliver is called and returns with mu held.
func (d *dispatcher) deliver(e Event, observers []func(Event)) {
	d.mu.Unlock()
	defer d.mu.Lock()
	for _, fn := range observers {
		fn(e)
	}
}

// flush returns when every event emitted before was delivered.
func (d *dispatcher) flush() {
	for {
		d.mu.Lock()
		idle := d.idle
		d.mu.Unlock()
		if idle == nil {
			return
		}
		if _, err := d.clock.Wait(context.Background(), -1, idle); err != nil {
			return
		}
	}
}

// Observe adds an observer of events. It is called in the order of the events, never
// concurrently, on the goroutine of whoever caused one: it should be quick, and must
// not end the run. It may emit.
func (r *Run) Observe(fn func(Event)) {
	r.events.mu.Lock()
	defer r.events.mu.Unlock()
	r.events.observers = append(r.events.observers, fn)
}

// Emit gives an event to the observers, and to nobody else. Data keeps its type; only
// where it holds something that the redactor takes out it becomes a json.RawMessage.
func (r *Run) Emit(e Event) {
	if e.Time.IsZero() {
		e.Time = r.env.Clock.Now().UTC()
	}
	e.Text = r.cleanText(e.Text)
	if e.Data != nil && r.redactor() != nil {
		if raw, err := marshal(e.Data); err == nil {
			if clean := r.cleanJSON(raw, false); !bytes.Equal(raw, clean) {
				e.Data = json.RawMessage(clean)
			}
		}
	}
	r.events.emit(e)
}
