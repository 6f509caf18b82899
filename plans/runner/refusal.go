package runner

// failure is an error that already knows how the action ends.
type failure struct {
	exit   int
	status string
	code   string
	hint   string
	err    error
	asItIs bool // the run stays as it is: what it has changed before does not make a stop of the refusal
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

func refuse(code, hint string, err error) error {
	return &failure{exit: ExitRefused, status: StatusRefused, code: code, hint: hint, err: err}
}

func invalid(code, hint string, err error) error {
	return &failure{exit: ExitInvalid, status: StatusInvalid, code: code, hint: hint, err: err}
}
