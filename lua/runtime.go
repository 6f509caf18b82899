package lua

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"drrun/engine"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// Options configure a Runtime.
type Options struct {
	Modules   []Module                          // what require finds before any file
	Path      []string                          // folders for require, in order
	Embedded  fs.FS                             // built-in Lua modules: "dr/steps.lua"
	ReadFile  func(path string) ([]byte, error) // reads plan and libraries
	Print     func(text string)                 // where print goes; nil drops it
	MathSeed  uint64                            // of math.random
	MaxSteps  int                               // instead of MaxSteps; for tests
	MaxMemory uint64                            // instead of MaxMemory; for tests
	// ReadOnly refuses every function that changes something, with this as the hint; "" refuses none.
	ReadOnly string
}

// Runtime is one interpreter with a plan in it. All its methods need the baton of the engine's scheduler, or take it.
type Runtime struct {
	options   Options
	state     *glua.LState
	builtins  *glua.LTable
	sources   map[string]*source // by mark
	files     map[string][]byte  // by path as read
	ahead     map[string][]byte  // by path: read because a function can require it
	seenAhead map[string]bool    // modules that were looked for ahead
	loaded    map[string]*loadedModule
	threads   map[*glua.LState]*thread
	classes   map[*Class]*glua.LTable
	declared  map[*glua.LFunction]*Func // what is declared of a function, for completion and help
	random    uint64
	maxSteps  int
	maxMemory uint64
	tasks     int    // that parallel and spawn have started and that have not ended
	heldFirst uint64 // memory in use when it was made: that of others in the process is not its own
	heldLast  uint64 // memory in use when garbage was last collected for a limit

	collecting *collection // nil: mistakes are errors
}

// thread is what the runtime knows of a Lua thread that runs.
type thread struct {
	task    *engine.Task
	parent  *glua.LState // whose call this thread serves; nil for the first of a task
	depth   int          // of threads that serve each other
	loading []string     // modules that are being loaded around it, outermost first

	protected bool // a pcall around it catches errors

	requires []string // where the modules being loaded around it were required, outermost first
}

// maxThreads bounds how deep threads serve each other: each takes Go stack, and Go's stack overflow cannot be caught.
const maxThreads = 180

// loadedModule is a module that is loaded, or being loaded by some task until done is closed.
type loadedModule struct {
	value glua.LValue
	done  chan struct{}
}

// New makes a runtime. It opens no file.
func New(o Options) *Runtime {
	rt := &Runtime{
		options: o, sources: map[string]*source{}, files: map[string][]byte{}, loaded: map[string]*loadedModule{},
		threads: map[*glua.LState]*thread{}, ahead: map[string][]byte{}, seenAhead: map[string]bool{}, classes: map[*Class]*glua.LTable{}, declared: map[*glua.LFunction]*Func{}, random: o.MathSeed,
		maxSteps: cmp.Or(o.MaxSteps, MaxSteps), maxMemory: cmp.Or(o.MaxMemory, MaxMemory), heldFirst: heldMemory(),
	}
	// The sizes are measured: a parked task costs 22 KB instead of 105 KB; MinimizeStackMemory would lose places at a stack overflow.
	rt.state = glua.NewState(glua.Options{
		SkipOpenLibs: true, RegistrySize: 256, RegistryMaxSize: 1 << 20, RegistryGrowStep: 256, CallStackSize: 200,
	})
	rt.openSandbox()
	return rt
}

// Files returns every file that was read, and those that their functions can require later, by path: the snapshot of a run. The caller
// has the baton, or no task runs.
func (rt *Runtime) Files() map[string][]byte {
	rt.readAhead()
	files := maps.Clone(rt.ahead)
	for path, text := range rt.files {
		files[path] = text
	}
	return files
}

// RunFile executes a Lua file and returns its first result. The error is Diagnostics or a *Diagnostic.
func (rt *Runtime) RunFile(t *engine.Task, path string) (result any, err error) {
	t.WithBaton(func() {
		var value glua.LValue
		value, err = rt.runFile(t, nil, path)
		if err == nil {
			result, err = rt.toGo(value)
		}
	})
	return result, err
}

// Require loads a module as Lua's require does.
func (rt *Runtime) Require(t *engine.Task, name string) (result any, err error) {
	t.WithBaton(func() {
		var value glua.LValue
		value, err = rt.require(t, nil, name)
		if err == nil {
			result, err = rt.toGo(value)
		}
	})
	return result, err
}

func (rt *Runtime) runFile(t *engine.Task, parent *glua.LState, path string) (glua.LValue, error) {
	text, err := rt.options.ReadFile(path)
	if err != nil {
		missing := &Diagnostic{Code: "file", Message: fmt.Sprintf("read %s: %v", path, cause(err)), Err: err}
		if _, err := rt.options.ReadFile(path + ".lua"); err == nil {
			missing.Hint = "did you mean " + path + ".lua?"
		}
		return nil, missing
	}
	rt.files[path] = text
	return rt.runText(t, parent, path, text)
}

// cause drops the path from a file error, which the message names already.
func cause(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}

func (rt *Runtime) runText(t *engine.Task, parent *glua.LState, name string, text []byte) (glua.LValue, error) {
	mark := markOf(len(rt.sources))
	src, proto, err := compileSource(name, mark, text)
	rt.sources[mark] = src
	if err != nil {
		return nil, err
	}
	if rt.collecting != nil {
		for _, d := range src.textFindings(rt.builtinNames(), rt.reading()) {
			rt.outer(t, parent).addRequires(d)
			rt.collecting.read = append(rt.collecting.read, d)
		}
	} else if found := src.stepCaptures(); len(found) > 0 {
		return nil, found
	}
	return rt.call(t, t.Ctx(), parent, rt.state.NewFunctionFromProto(proto), nil)
}

// runBuiltin is runText for a module of our own.
func (rt *Runtime) runBuiltin(t *engine.Task, parent *glua.LState, name string, text []byte) (glua.LValue, error) {
	compiled, err := compileBuiltin(name, text)
	if err != nil {
		return nil, err
	}
	rt.sources[compiled.src.mark] = compiled.src
	return rt.call(t, t.Ctx(), parent, rt.state.NewFunctionFromProto(compiled.proto), nil)
}

// call runs a Lua function in a thread of its own. The caller has the baton.
func (rt *Runtime) call(t *engine.Task, ctx context.Context, parent *glua.LState, fn *glua.LFunction, args []glua.LValue) (glua.LValue, error) {
	th, err := rt.newThread(t, ctx, parent)
	if err != nil {
		return nil, err
	}
	defer delete(rt.threads, th)
	th.Push(fn)
	for _, arg := range args {
		th.Push(arg)
	}
	if err := th.PCall(len(args), 1, nil); err != nil {
		if stopped := rt.stopError(th, err); stopped != nil && ctx.Err() == nil {
			return nil, stopped
		}
		return nil, rt.goError(ctx, err)
	}
	value := th.Get(-1)
	th.Pop(1)
	return value, nil
}

// newThread makes a Lua thread that serves a call of parent.
func (rt *Runtime) newThread(t *engine.Task, ctx context.Context, parent *glua.LState) (*glua.LState, error) {
	info := &thread{task: t, parent: parent}
	if outer := rt.outer(t, parent); outer != nil {
		info.depth, info.loading, info.protected = outer.depth+1, outer.loading, outer.protected
		info.requires = outer.requires
	}
	if info.depth > maxThreads {
		return nil, &Diagnostic{Code: "stack-overflow", Message: fmt.Sprintf("protected calls are nested deeper than %d", maxThreads), Hint: "a function probably calls itself without end"}
	}
	meter := rt.meterFor(ctx, parent)
	if stopped := rt.count(meter.budget, 0, threadBytes); stopped != nil {
		return nil, stopped
	}
	th, _ := rt.state.NewThread()
	th.SetContext(meter)
	rt.threads[th] = info
	return th, nil
}

// serving is the key of the task's local with the *thread whose primitive runs: it may call back into Lua.
type serving struct{}

// outer returns the thread that a new one serves: that of parent, or without one that whose primitive calls back. Nil is none.
func (rt *Runtime) outer(t *engine.Task, parent *glua.LState) *thread {
	if parent != nil {
		return rt.threads[parent]
	}
	outer, _ := t.Local(serving{}).(*thread)
	return outer
}

// task returns the task that a Lua thread runs in.
func (rt *Runtime) task(L *glua.LState) *engine.Task { return rt.threads[L].task }

// Function is a Lua function in Go's hands.
type Function struct {
	rt  *Runtime
	fn  *glua.LFunction
	src *source // nil for a function of Go
	pos Pos
}

// newFunction is called with the baton; the place is found now, so that Pos needs no baton.
func (rt *Runtime) newFunction(fn *glua.LFunction) *Function {
	f := &Function{rt: rt, fn: fn}
	if fn.Proto != nil {
		if src := rt.sources[fn.Proto.SourceName]; src != nil {
			f.pos = src.at(fn.Proto.LineDefined)
			f.src = src
		}
	}
	return f
}

// Pos returns where the function begins; it is zero for a function of Go.
func (f *Function) Pos() Pos { return f.pos }

// Text returns the function as it is written, to tell whether it is the same as in another text: it ends with "end", and begins with
// "function", or with a bracket where that is the token that the compiler takes for its beginning. It is empty for a function of Go.
func (f *Function) Text() string {
	if f.src == nil {
		return ""
	}
	return f.src.between(f.fn.Proto.LineDefined, f.fn.Proto.LastLineDefined)
}

// Call calls the function in a task, under the task's context, taking the baton where the task has not got it. Arguments and
// result are Go values as primitives see them. An error is, or wraps, a *Diagnostic; a Go error raised inside is found by errors.As.
func (f *Function) Call(t *engine.Task, args ...any) (any, error) {
	return f.CallContext(t.Ctx(), t, args...)
}

// CallContext is Call under another context, for a time-out.
func (f *Function) CallContext(ctx context.Context, t *engine.Task, args ...any) (result any, err error) {
	t.WithBaton(func() {
		values := make([]glua.LValue, len(args))
		for i, arg := range args {
			values[i] = f.rt.toLua(arg)
		}
		var value glua.LValue
		if value, err = f.rt.call(t, ctx, nil, f.fn, values); err == nil {
			result, err = f.rt.toGo(value)
		}
	})
	return result, err
}

// inStep marks a task that is inside the function of a durable step.
type inStep struct{}

// CallStep calls the function of a durable step: engine operations, parallel and spawn inside it are errors, since the step
// is recorded as a whole. ctx is that of the step: a step that runs is brought to its end after the first Ctrl-C.
func (f *Function) CallStep(ctx context.Context, t *engine.Task, args ...any) (any, error) {
	before := t.Local(inStep{})
	t.SetLocal(inStep{}, true)
	defer t.SetLocal(inStep{}, before)
	return f.CallContext(ctx, t, args...)
}

// callSite is the place of a primitive's call, for diagnostics.
type callSite struct {
	src      *source
	copyLine int
	args     []ast.Expr // argument expressions
	receiver bool       // the first of them is the receiver, when a method is called: thing.touch(thing)
	named    bool       // the one argument is a table of named arguments
	mixed    bool       // the one argument is a table with the list that is the first parameter, and named arguments
	options  int        // place of the table with the arguments behind the positional ones; 0 means none
	names    []string   // of the positional parameters, by place
	trace    string
	outer    *callSite // where code of the user called drrun's own Lua that makes the call; nil where the user's makes it, and without one
}

func (s *callSite) at(path []any, atKey bool) Pos {
	if s.src == nil {
		return Pos{}
	}
	if len(path) == 0 || len(s.args) == 0 {
		return s.src.at(s.copyLine)
	}
	if s.named {
		return s.src.find(s.args[0], path, atKey)
	}
	for i, name := range s.names {
		if path[0] == name && i < len(s.args) {
			return s.src.find(s.args[i], path[1:], atKey)
		}
	}
	if s.mixed {
		return s.src.find(s.args[0], path, atKey)
	}
	if s.options > 0 && s.options < len(s.args) {
		return s.src.find(s.args[s.options], path, atKey)
	}
	// A list given as the only argument: its indexes come right behind the parameter's name.
	return s.src.find(s.args[0], path[1:], atKey)
}

func (s *callSite) diagnostic(pos Pos, code, message string) *Diagnostic {
	d := &Diagnostic{Pos: pos, Code: code, Message: message, Traceback: s.trace}
	if s.src != nil && s.src.builtin { // a place in drrun's own workflows tells an operator nothing
		d.Pos = Pos{}
		if s.outer != nil && passedOn[code] {
			d.Pos = s.outer.at(nil, false)
			d.Source = s.outer.src.line(d.Pos.Line)
		}
		return d
	}
	if s.src != nil {
		d.Source = s.src.line(pos.Line)
	}
	return d
}

// passedOn are the codes of findings about arguments: those of a primitive that drrun's own Lua calls came from the user's call of that.
var passedOn = map[string]bool{"bad-argument": true, "unknown-argument": true, "unknown-key": true}

// site finds the innermost Lua frame of a thread, going up to the threads that it serves: pcall puts a Go frame in between.
func (rt *Runtime) site(L *glua.LState, name string) *callSite {
	found := &callSite{}
	for th := L; th != nil; {
		for level := 1; ; level++ {
			frame, ok := th.GetStack(level)
			if !ok {
				break
			}
			if _, err := th.GetInfo("Sl", frame, glua.LNil); err != nil || frame.CurrentLine <= 0 {
				continue
			}
			src := rt.sources[frame.Source]
			if src == nil {
				continue
			}
			if found.src == nil {
				found.src, found.copyLine = src, frame.CurrentLine
				found.args, found.receiver = src.arguments(frame.CurrentLine, name)
			}
			if !src.builtin {
				if pos := src.at(frame.CurrentLine); found.src.builtin {
					found.trace += pos.String() + "\n"
					if found.outer == nil {
						found.outer = &callSite{src: src, copyLine: frame.CurrentLine}
					}
				}
			}
		}
		info := rt.threads[th]
		if info == nil || found.src != nil {
			break
		}
		th = info.parent
	}
	return found
}

// translate replaces the marks in a message of gopher-lua by places, and returns the first place.
func (rt *Runtime) translate(text string) (string, Pos) {
	first := Pos{}
	out := markedPlace.ReplaceAllStringFunc(text, func(match string) string {
		parts := markedPlace.FindStringSubmatch(match)
		src := rt.sources["\x01"+parts[1]+"\x01"]
		if src == nil {
			return match // a text of the plan
		}
		line := 0
		fmt.Sscan(parts[2], &line)
		pos := src.at(line)
		if first.Line == 0 {
			first = pos
			return ""
		}
		return pos.String() + ": "
	})
	for mark, src := range rt.sources {
		out = strings.ReplaceAll(out, mark, src.name)
	}
	return strings.TrimSpace(out), first
}

func (rt *Runtime) sourceOf(pos Pos) *source {
	for _, src := range rt.sources {
		if src.name == pos.File {
			return src
		}
	}
	return nil
}
