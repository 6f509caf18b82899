package stdlib

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"drrun/lua"
)

// outputParam and okParam are shared by what runs programs, here and elsewhere.
var (
	outputParam = lua.Param{Name: "max_output", Type: lua.Size, Default: "16KiB", Doc: "How much of the end of each output is kept, up to \"1MiB\"; what is recorded as the result of a change is cut to 60 KiB in all."}
	okParam     = lua.Param{Name: "ok", Type: lua.List(lua.Integer), Optional: true, Doc: "Exit codes that are no error. Default: { 0 }."}
)

// commandResult is what exec.run and ssh.run return.
var commandResult = lua.NewRecord("command_result", "How a command ended.", "code integer | Exit code.", "stdout string | The end of what it wrote.",
	"stderr string | The end of what it wrote as errors.", "seconds number | How long it took.", "truncated boolean | Something of the outputs is left out.")

// execModule declares the module exec.
func execModule(o *outside) lua.Module {
	return lua.Module{
		Name:    "exec",
		Doc:     "Programs on the machine that drrun runs on.",
		Records: []lua.Record{commandResult},
		Funcs: []lua.Func{{
			Name: "run", Effect: lua.Durable, Returns: "command_result",
			Doc: "Runs a program and waits for it. Returns { code =, stdout =, stderr =, seconds =, truncated = }. Raises exec-failed when it cannot be started, ends with a code that is not in ok, or does not end in time: " +
				"then its whole process group is killed, as with the second Ctrl-C. No shell reads the arguments unless shell is given. What it runs as is what drrun runs as. " +
				"A change, unless observe is true.",
			Params: []lua.Param{
				{Name: "argv", Type: lua.List(lua.String), Positional: true, Optional: true, Doc: "Program and arguments, each by itself. A name without / is looked for in PATH, \"./name\" starts in the plan's folder. Everybody on the machine can read arguments: secrets are refused here."},
				{Name: "shell", Type: lua.String, Optional: true, Doc: "Instead of argv: a text for /bin/sh -c."},
				{Name: "env", Type: lua.Map(textOrSecret()), Optional: true, Doc: "Variables to add to the environment; a value may be a dr.secret. Variables DRRUN_SECRET_… of drrun itself are not passed on; DRRUN_RETRIED is true where an earlier try may have had its effect."},
				{Name: "stdin", Type: textOrSecret(), Optional: true, Doc: "What it reads. Default: nothing."},
				{Name: "folder", Type: lua.String, Optional: true, Doc: "Working folder; a relative one starts in the plan's folder, which is the default."},
				{Name: "timeout", Type: lua.Duration, Default: "1m", Doc: "How long it may take."},
				{Name: "observe", Type: lua.Bool, Default: false, Doc: "It changes nothing: it is not recorded, a resumed run and a dry run run it, and boot conditions may."},
				okParam, outputParam, onCutParam,
			},
			Run: func(c *lua.Call) (any, error) {
				program, err := programOf(c, o.Folder)
				if err != nil {
					return nil, err
				}
				run := func(ctx context.Context, retried bool) (any, error) { return o.runProgram(ctx, c, program, retried) }
				if c.Bool("observe") {
					return o.observe(c, func(ctx context.Context, _ *Session) (any, error) { return run(ctx, false) })
				}
				return o.change(c, change{
					name: "exec " + program.shown, timeout: c.Duration("timeout"), do: run,
					args:    named(map[string]any{"argv": asAny(program.argv), "env": c.Value("env"), "stdin": c.Value("stdin"), "folder": c.String("folder")}),
					assumed: map[string]any{"code": 0.0, "stdout": "", "stderr": "", "seconds": 0.0, "truncated": false},
				})
			},
		}},
	}
}

func asAny(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// program is what a call of exec runs.
type program struct {
	argv   []string
	shown  string // for titles and errors
	folder string
}

// maxShown is how many characters of a command a title shows.
const maxShown = 60

func programOf(c *lua.Call, planFolder string) (program, error) {
	p := program{folder: planFolder}
	if c.Has("folder") {
		p.folder = c.String("folder")
		if !filepath.IsAbs(p.folder) {
			p.folder = filepath.Join(planFolder, p.folder)
		}
	}
	switch {
	case c.Has("shell") == c.Has("argv"):
		return p, c.Errorf("bad-argument", "", "give either argv or shell")
	case c.Has("shell"):
		p.argv = []string{"/bin/sh", "-c", c.String("shell")}
		p.shown = strings.Join(strings.Fields(c.String("shell")), " ")
	default:
		for _, word := range c.List("argv") {
			p.argv = append(p.argv, word.(string))
		}
		if len(p.argv) == 0 || p.argv[0] == "" {
			return p, c.Errorf("bad-argument", "argv", "argv names no program")
		}
		for i, word := range p.argv {
			if strings.ContainsRune(word, 0) {
				return p, c.ErrorAt(c.At("argv", i+1), "bad-argument", "argv[%d] holds a zero byte", i+1)
			}
		}
		p.shown = strings.Join(strings.Fields(strings.Join(p.argv, " ")), " ")
	}
	if letters := []rune(p.shown); len(letters) > maxShown {
		p.shown = string(letters[:maxShown]) + "…"
	}
	return p, nil
}

// runProgram runs a program to its end, or kills it with all that it started when ctx ends.
func (o *outside) runProgram(ctx context.Context, c *lua.Call, p program, retried bool) (any, error) {
	s, err := o.session(c)
	if err != nil {
		return nil, err
	}
	environment, err := o.environment(ctx, c, retried)
	if err != nil {
		return nil, err
	}
	input, err := o.disclosed.reveal(ctx, c.Value("stdin"))
	if err != nil {
		return nil, err
	}
	if entry, err := s.Env.FS.Stat(p.folder); err != nil || !entry.Dir { // else the system says that there is no such program
		return nil, c.Errorf("exec-failed", "folder", "run %s: there is no folder %s to run it in", p.shown, p.folder)
	}
	limit := int(min(max(c.Size("max_output"), 1), 1<<20))
	stdout, stderr := &captured{limit: limit}, &captured{limit: limit}
	name := p.argv[0]
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		name = filepath.Join(o.Folder, name)
	}
	command := exec.CommandContext(ctx, name, p.argv[1:]...)
	command.Args[0] = p.argv[0]
	command.Dir, command.Env, command.Stdin, command.Stdout, command.Stderr = p.folder, environment, strings.NewReader(input), stdout, stderr
	// A group of its own: a Ctrl-C at the terminal is for drrun, which brings what runs to its end; and what the program has started dies with it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = 2 * time.Second // a process that left the group may hold the outputs open
	begun := s.Env.Clock.Now()
	err = command.Run()
	took := s.Env.Clock.Now().Sub(begun)
	return o.programEnd(ctx, c, ended{what: "run " + p.shown, err: err, code: exitCode(command), took: took, cut: "it was killed"}, stdout, stderr)
}

// exitCode is the code that a program ended with; -1 where it did not, as when a signal killed it.
func exitCode(command *exec.Cmd) int {
	if command.ProcessState == nil {
		return -1
	}
	return command.ProcessState.ExitCode()
}

// ended is how a program, here or elsewhere, came to its end.
type ended struct {
	what string // "run ./promote.sh", for errors
	err  error
	code int // -1: it did not end by itself
	took time.Duration
	cut  string // what was done to it when its time was over: "it was killed"
}

// programEnd makes the result of a call, or the error.
func (o *outside) programEnd(ctx context.Context, c *lua.Call, e ended, stdout, stderr *captured) (any, error) {
	out, outCut := stdout.kept()
	errOut, errCut := stderr.kept()
	out, errOut = o.disclosed.mask(out), o.disclosed.mask(errOut)
	said := ""
	if line := lastLine(errOut, out); line != "" {
		said = "; it said: " + line
	}
	fail := func(hint, format string, args ...any) (any, error) {
		d := c.Errorf("exec-failed", "", "%s: %s%s", o.disclosed.mask(e.what), o.disclosed.mask(fmt.Sprintf(format, args...)), said)
		d.Hint, d.Err = hint, maskedError(o.disclosed.mask, e.err)
		return nil, d
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fail("what it had done by then stays done; give it more time (timeout = …), or find out why it hangs", "it did not end within %s: %s", c.Duration("timeout"), e.cut)
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return fail("what it had done by then stays done; give the hook more time (timeout = …)", "%s after %s, because the time of the hook was over", e.cut, e.took.Round(time.Millisecond))
	case ctx.Err() != nil:
		return fail("what it had done by then stays done", "%s after %s, because the run was cancelled", e.cut, e.took.Round(time.Millisecond))
	case e.code >= 0 && !okCode(c, e.code):
		return fail("", "it ended with the exit code %d after %s", e.code, e.took.Round(time.Millisecond))
	case e.code < 0 && e.err != nil:
		return fail("", "%v", e.err)
	}
	cut, texts := false, []string{out, errOut}
	if !c.Bool("observe") {
		cut, texts = fit(out, errOut)
	}
	return map[string]any{"code": float64(e.code), "stdout": texts[0], "stderr": texts[1], "seconds": e.took.Seconds(), "truncated": cut || outCut || errCut}, nil
}

// maskedError keeps what an error is, and hides secrets in what it says.
func maskedError(mask func(string) string, err error) error {
	if err == nil || mask(err.Error()) == err.Error() {
		return err
	}
	return errors.New(mask(err.Error()))
}

func okCode(c *lua.Call, code int) bool {
	if !c.Has("ok") {
		return code == 0
	}
	return slices.Contains(c.List("ok"), any(float64(code)))
}

// environment is that of drrun without its secrets, with the variables of the call.
func (o *outside) environment(ctx context.Context, c *lua.Call, retried bool) ([]string, error) {
	variables := slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, secretPrefix) })
	variables = append(variables, fmt.Sprintf("DRRUN_RETRIED=%v", retried))
	given := c.Table("env")
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return nil, c.Errorf("bad-argument", "env", "%q is no name of a variable", name)
		}
		value, err := o.disclosed.reveal(ctx, given[name])
		if err != nil {
			return nil, err
		}
		variables = append(variables, name+"="+value)
	}
	return variables, nil
}
