package plans

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"drrun/engine"
	"drrun/lua"
	"drrun/stdlib"
)

// Load reads a plan: it runs the file and finds everything that can be wrong without asking an engine. Diagnostics are sorted by place;
// nil means that the plan is sound. The plan is nil when the file did not get as far as returning one; else it is as complete as it can
// be, so that the sites can be looked at although something is left to be filled in. rt must have the module DR, and serve this one plan.
func Load(t *engine.Task, rt *lua.Runtime, file string) (*Plan, lua.Diagnostics) {
	l := &loading{unused: map[*library]lua.Pos{}}
	before := t.Local(loadingKey{})
	t.SetLocal(loadingKey{}, l)
	defer t.SetLocal(loadingKey{}, before)
	var value any
	found, err := rt.Collect(declared(), func() (err error) {
		value, err = rt.RunFile(t, file)
		return err
	})
	found = append(found, l.found...)
	found = append(found, outdatedWorkflows(rt.Files())...)
	if !slices.ContainsFunc(found, func(d *lua.Diagnostic) bool { return d.Subject == "plan:use" || d.Code == "module-returns-nothing" }) {
		found = append(found, l.unusedLibraries()...)
	}
	for _, extra := range l.plans[min(1, len(l.plans)):] {
		found = append(found, &lua.Diagnostic{Pos: extra.Pos, Severity: SeverityError, Subject: "dr.plan", Code: "two-plans",
			Message: fmt.Sprintf("the file makes a second plan; the first one is in line %d", l.plans[0].Pos.Line), Hint: "a file is one plan: put the other one into a file of its own"})
	}
	if err != nil && !errors.Is(err, lua.ErrConsequence) {
		found = append(found, asDiagnostics(file, err)...)
	}
	plan := planOf(value)
	if plan == nil {
		for _, made := range l.plans { // what was found before the file went wrong
			made.File = file
			found = append(append(found, made.findings...), made.missingFiles()...)
		}
		if err == nil && (len(l.plans) > 0 || len(found) == 0) && !lua.IsWrong(value) {
			d := &lua.Diagnostic{Pos: lua.Pos{File: file, Line: 1, Col: 1, EndCol: 1}, Severity: SeverityError, Subject: "plan", Code: "no-plan",
				Message: "the file returns no plan", Hint: "end it with: return plan, where local plan = dr.plan { … }"}
			if len(l.plans) > 0 {
				d.Pos, d.Message = l.plans[0].Pos, "the file makes a plan and does not return it"
				d.Hint = "end the file with: return plan, where this is local plan = dr.plan { … }"
			}
			found = append(found, d)
		}
		return nil, finish(found, sourceLines(rt.Files()))
	}
	plan.File = file
	plan.sealed = true
	plan.source = sourceLines(rt.Files())
	found = append(found, plan.findings...)
	found = append(found, plan.missingFiles()...)
	found = finish(found, plan.source)
	plan.Todos = nil
	for _, d := range found {
		if d.Code == codeTodo {
			plan.Todos = append(plan.Todos, *d)
		}
	}
	return plan, found
}

// declared is what the texts of plans and their libraries are compared with before anything runs.
func declared() lua.Declared {
	d := lua.Declared{Named: map[string]*lua.Class{}, Lua: stdlib.LuaModules(), Subjects: map[string]string{}}
	d.Types = slices.Concat(stdlib.Classes(), Classes())
	d.Records = slices.Concat(stdlib.Records(), Records())
	for _, class := range stdlib.Classes() {
		if class.Name == "ctx" {
			d.Named["ctx"] = class
		}
	}
	for _, point := range stdlib.HookPoints {
		d.Subjects[point.Name] = point.Subject
	}
	return d
}

// sourceLines gives the line of a place in files, "" where there is none.
func sourceLines(files map[string][]byte) func(lua.Pos) string {
	lines := map[string][]string{}
	return func(pos lua.Pos) string {
		if pos.Line <= 0 {
			return ""
		}
		text, split := lines[pos.File]
		if !split {
			text = strings.Split(string(files[pos.File]), "\n")
			lines[pos.File] = text
		}
		if pos.Line > len(text) {
			return ""
		}
		return hidePasswords(strings.TrimSuffix(text[pos.Line-1], "\r"))
	}
}

// loading is what goes on while a plan's file runs: findings that have no plan yet, and the plans made so far. It hangs on the task.
type loading struct {
	plans []*Plan
	found lua.Diagnostics

	unused map[*library]lua.Pos // that no plan:use took, with the places of their dr.library
}

// unusedLibraries warns of libraries that were loaded and not used: their hooks would not run, and nobody would notice.
func (l *loading) unusedLibraries() lua.Diagnostics {
	var found lua.Diagnostics
	for lib, pos := range l.unused {
		if len(l.plans) == 0 || len(lib.hooks) == 0 && lib.check == nil {
			continue
		}
		found = append(found, &lua.Diagnostic{Pos: pos, Severity: SeverityWarning, Subject: "dr.library", Code: "library-unused",
			Message: fmt.Sprintf("library %q is loaded, and no plan:use adds it: its hooks do not run", lib.name), Hint: "add it: plan:use(require \"…\" { … })"})
	}
	return found
}

type loadingKey struct{}

// report takes findings about a call. While a plan is loaded they are collected and the file goes on, so that all come at once; later
// they are the call's error.
func report(c *lua.Call, found lua.Diagnostics) error {
	if len(found) == 0 {
		return nil
	}
	if l, ok := c.Task.Local(loadingKey{}).(*loading); ok {
		l.found = append(l.found, found...)
		return nil
	}
	return found
}

func planOf(value any) *Plan {
	object, ok := value.(*lua.Object)
	if !ok || object == nil {
		return nil
	}
	plan, _ := object.Self().(*Plan)
	return plan
}

// asDiagnostics takes apart what running a file can end with.
func asDiagnostics(file string, err error) lua.Diagnostics {
	var many lua.Diagnostics
	if errors.As(err, &many) {
		return slices.Clone(many)
	}
	var one *lua.Diagnostic
	if errors.As(err, &one) {
		if one.Pos.Line == 0 && one.Hint == "" && isNotExist(err) {
			one.Hint = "give the path of a plan, such as one that drrun generate wrote"
		}
		return lua.Diagnostics{one}
	}
	return lua.Diagnostics{{Pos: lua.Pos{File: file}, Severity: SeverityError, Subject: "plan", Code: "plan-unreadable", Message: err.Error(), Err: err}}
}

// missingFiles looks for the files that the plan names.
func (p *Plan) missingFiles() lua.Diagnostics {
	if p.readFile == nil {
		return nil
	}
	var found lua.Diagnostics
	for _, ref := range p.caFiles {
		path := p.Path(ref.path)
		data, err := p.readFile(path)
		d := &lua.Diagnostic{Pos: ref.pos, Severity: SeverityError, Subject: "dr.plan", Err: err}
		switch {
		case err != nil && isNotExist(err):
			d.Code, d.Message = "file-not-found", "the ca_file of site \""+ref.subject+"\" does not exist: "+path
			d.Hint = "save the engine's CA certificate there; a relative path starts in the plan's folder"
		case err != nil:
			d.Code, d.Message = "file-unreadable", "the ca_file of site \""+ref.subject+"\" cannot be read: "+err.Error()
		case !strings.Contains(string(data), "-----BEGIN CERTIFICATE-----"):
			d.Code, d.Message = "file-not-pem", "the ca_file of site \""+ref.subject+"\" holds no certificate: "+path
			d.Hint = "it must be in PEM form: -----BEGIN CERTIFICATE-----"
		default:
			continue
		}
		found = append(found, d)
	}
	return found
}

// finish sorts diagnostics, removes repetitions, adds the source lines that they point at, and takes passwords out of the source lines that they quote.
func finish(found lua.Diagnostics, source func(lua.Pos) string) lua.Diagnostics {
	if len(found) == 0 {
		return nil
	}
	slices.SortStableFunc(found, func(a, b *lua.Diagnostic) int { return comparePos(a.Pos, b.Pos) })
	out := make(lua.Diagnostics, 0, len(found))
	for _, d := range found {
		if last := len(out) - 1; last >= 0 && out[last].Pos == d.Pos && out[last].Code == d.Code && out[last].Message == d.Message {
			continue
		}
		hidden := *d
		hidden.Severity = cmp.Or(d.Severity, SeverityError)
		if hidden.Source == "" {
			hidden.Source = source(d.Pos)
		}
		hidden.Source = hidePasswords(hidden.Source)
		if hidden.Code == "unknown-variable" && startsHidden(hidden.Source, hidden.Pos.Col) {
			hidden.Code, hidden.Notes = "secret-in-clear", nil
			hidden.Message = "a password seems to stand here in clear, without quotes"
			hidden.Hint = "write dr.secret \"NAME\" and set DRRUN_SECRET_NAME; a variable must be declared before"
		}
		out = append(out, &hidden)
	}
	return out
}

var passwordLiteral = regexp.MustCompile(`(?i)(\w*(?:pas+w|passphrase|pwd|secret|token|api[_-]?key|authorization|credential)\w*["']?\]?\s*=\s*)("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\[=*\[.*)`)

// passwordWord is a password without quotes.
var passwordWord = regexp.MustCompile(`(?i)(\w*(?:pas+w|pwd)\w*["']?\]?\s*=\s*)([a-z_][^\s,}"'(.\[{]*)`)

// mountSecretInLine is a mount option that holds a password, inside of a string.
var mountSecretInLine = regexp.MustCompile(`(?i)([,"'](?:secret|password2?|passwd|pass)=)([^,"'\s]+)`)

// noPasswords are words of Lua and of plans that stand where a password could.
var noPasswords = []string{"dr", "nil", "true", "false", "not", "function", "require"}

// startsHidden reports whether hidePasswords replaced what stands at a column of a line.
func startsHidden(line string, col int) bool {
	characters := []rune(line)
	return col >= 1 && col <= len(characters) && characters[col-1] == '*'
}

// userInfo is the user and password of a URL.
var userInfo = regexp.MustCompile(`://[^/@\s"']*@`)

// HoldsPassword tells whether a line seems to hold a password in clear.
func HoldsPassword(line string) bool { return hidePasswords(line) != line }

// hidePasswords replaces a password that stands in a source line by as many asterisks, so that a caret below the line still fits.
func hidePasswords(line string) string {
	line = userInfo.ReplaceAllStringFunc(line, func(match string) string { return "://" + strings.Repeat("*", len(match)-len("://@")) + "@" })
	line = passwordWord.ReplaceAllStringFunc(line, func(match string) string {
		parts := passwordWord.FindStringSubmatch(match)
		if slices.Contains(noPasswords, parts[2]) {
			return match
		}
		return parts[1] + strings.Repeat("*", utf8.RuneCountInString(parts[2]))
	})
	line = mountSecretInLine.ReplaceAllStringFunc(line, func(match string) string {
		parts := mountSecretInLine.FindStringSubmatch(match)
		if strings.HasPrefix(parts[2], "dr.") {
			return match
		}
		return parts[1] + strings.Repeat("*", utf8.RuneCountInString(parts[2]))
	})
	return passwordLiteral.ReplaceAllStringFunc(line, func(match string) string {
		parts := passwordLiteral.FindStringSubmatch(match)
		return parts[1] + strings.Repeat("*", len(parts[2]))
	})
}

// folderOf returns the folder of a Lua file, "" for one that lies in none.
func folderOf(file string) string {
	if file == "" {
		return ""
	}
	return filepath.Dir(file)
}
