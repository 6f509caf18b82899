package engine

import "sync"

// Bell wakes those who wait for one of several things: Clock.Wait takes a single channel. The zero Bell is ready.
type Bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

// Next returns a channel that the next Ring closes. Take it before looking at what is waited for, or a ring may be missed.
func (b *Bell) Next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

// Ring wakes all who wait. It may be called from any goroutine.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}
