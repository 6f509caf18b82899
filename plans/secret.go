package plans

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
)

// SecretResolver finds the values of secrets that a plan names. A nil function is a source that does not exist: Prompt is nil without a
// terminal.
type SecretResolver struct {
	Env      func(name string) (string, bool)
	ReadFile func(path string) ([]byte, error)
	// Command runs a command of the operator's and returns what it prints. Its error holds nothing of that.
	Command func(ctx context.Context, command string) (string, error)
	// Store finds a secret among those that are kept on this machine.
	Store func(name string) (value string, found bool, err error)
	// Prompt asks a person, without showing the answer. text is the question.
	Prompt func(ctx context.Context, text string) (string, error)
}

// SecretVariable returns the environment variable of a secret: DRRUN_SECRET_PRIMARY_PASSWORD for primary_password.
func SecretVariable(name string) string {
	return "DRRUN_SECRET_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return unicode.ToUpper(r)
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
}

// SecretError tells that a secret has no value. It never holds one.
type SecretError struct {
	Name     string
	Variable string // the environment variable that would supply it
	Reason   string
	Err      error
}

// Error names the variable to set.
func (e *SecretError) Error() string {
	text := fmt.Sprintf("find secret %q: %s", e.Name, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *SecretError) Unwrap() error { return e.Err }

// Hint says what can be typed in.
func (e *SecretError) Hint() string {
	return fmt.Sprintf("drrun secrets set %s, or set %s, or %s_FILE to the name of a file that holds it", e.Name, e.Variable, e.Variable)
}

// Resolve finds the value of a secret: the environment variable, the file named by the variable with _FILE behind it, the command in the variable with
// _COMMAND behind it, the plan's own file, the store, a person, in that order. One line break at the end of a file, or of what a command
// prints, is not part of the value. dir is the folder that a relative file starts in.
// The error is a *SecretError.
func (r SecretResolver) Resolve(ctx context.Context, name, file, dir string) (string, error) {
	variable := SecretVariable(name)
	fail := func(reason string, err error) (string, error) {
		return "", &SecretError{Name: name, Variable: variable, Reason: reason, Err: err}
	}
	if r.Env != nil {
		if value, ok := r.Env(variable); ok && value != "" {
			return value, nil
		}
		if path, ok := r.Env(variable + "_FILE"); ok && path != "" {
			return r.fromFile(path, "", fail)
		}
		if command, ok := r.Env(variable + "_COMMAND"); ok && command != "" {
			return r.fromCommand(ctx, variable+"_COMMAND", command, fail)
		}
	}
	if file != "" {
		return r.fromFile(file, dir, fail)
	}
	if r.Store != nil {
		value, found, err := r.Store(name)
		if err != nil {
			return fail("those that are kept here cannot be read", err)
		}
		if found {
			return value, nil
		}
	}
	if r.Prompt == nil {
		return fail(variable+" is not set, and there is no terminal to ask at", nil)
	}
	value, err := r.Prompt(ctx, fmt.Sprintf("Secret %q of the plan: ", name))
	if err != nil {
		return fail("no answer", err)
	}
	if value == "" {
		return fail("the answer is empty", nil)
	}
	return value, nil
}

func (r SecretResolver) fromFile(path, dir string, fail func(string, error) (string, error)) (string, error) {
	if r.ReadFile == nil {
		return fail("it is in a file, and no file can be read here", nil)
	}
	if !filepath.IsAbs(path) && dir != "" {
		path = filepath.Join(dir, path)
	}
	data, err := r.ReadFile(path)
	if err != nil {
		return fail("its file cannot be read", err)
	}
	value := withoutLineBreak(string(data))
	if value == "" {
		return fail(fmt.Sprintf("the file %s is empty", path), nil)
	}
	return value, nil
}

func (r SecretResolver) fromCommand(ctx context.Context, variable, command string, fail func(string, error) (string, error)) (string, error) {
	if r.Command == nil {
		return fail("it comes from a command, and no command can be run here", nil)
	}
	text, err := r.Command(ctx, command)
	if err != nil {
		return fail("the command in "+variable+" failed", err)
	}
	value := withoutLineBreak(text)
	if value == "" {
		return fail("the command in "+variable+" printed nothing", nil)
	}
	return value, nil
}

// withoutLineBreak takes one line break off the end of a text.
func withoutLineBreak(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
}
