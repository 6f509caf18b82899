package engine

// Unwritable returns why the journal could not be written, nil as long as it could. The run has been stopping since: nothing was begun
// any more.
func (r *Run) Unwritable() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unwritten
}

// cannotWrite stops the run because of its journal.
func (r *Run) cannotWrite(err error) {
	r.mu.Lock()
	if r.unwritten == nil {
		r.unwritten = err
	}
	r.mu.Unlock()
	r.Stop(err.Error())
}
