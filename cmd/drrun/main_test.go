package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// testEnv is an environment in this process: nobody at the terminal, nothing set.
func testEnv(stdin io.Reader) (env Env, stdout, stderr *bytes.Buffer) {
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	return Env{
		Stdin: stdin, Stdout: stdout, Stderr: stderr, Engine: engine.SystemEnvSince,
		Getenv:     func(string) (string, bool) { return "", false },
		IsTerminal: func(any) bool { return false }, Width: func(any) int { return 80 },
	}, stdout, stderr
}

func TestPanicBecomesADocument(t *testing.T) {
	env, stdout, stderr := testEnv(strings.NewReader(""))
	env.Getenv = func(string) (string, bool) { panic("no environment") }
	if exit := Main(env, []string{"drrun", "history", "--json"}); exit != runner.ExitInternal {
		t.Errorf("exit code %d, want %d", exit, runner.ExitInternal)
	}
	var document runner.Result
	if err := json.Unmarshal(stdout.Bytes(), &document); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	if document.Exit != runner.ExitInternal || document.Status != runner.StatusInternal || document.Error.Message != "internal error: no environment" {
		t.Errorf("document: %s", stdout)
	}
	if !strings.Contains(stderr.String(), "main_test.go") {
		t.Errorf("stderr does not say where: %s", stderr)
	}
}

// TestInterrupts sends one signal after the other and sees what each does.
func TestInterrupts(t *testing.T) {
	env, stdout, _ := testEnv(strings.NewReader(""))
	signals := make(chan os.Signal)
	left := make(chan int, 1)
	env.Signals = func() (<-chan os.Signal, func()) { return signals, func() {} }
	env.Exit = func(code int) { left <- code }
	inv := &invocation{env: env, json: true, screen: newScreen(env)}
	ctx, unwatch := inv.watch()
	defer unwatch()
	if ctx.Err() != nil || hard(ctx).Err() != nil {
		t.Fatal("interrupted before any signal")
	}
	signals <- os.Interrupt
	<-ctx.Done()
	if hard(ctx).Err() != nil || !errors.Is(context.Cause(ctx), errInterrupted) {
		t.Errorf("after the first: soft %v, hard %v", context.Cause(ctx), hard(ctx).Err())
	}
	signals <- os.Interrupt
	<-hard(ctx).Done()
	signals <- os.Interrupt
	if code := <-left; code != runner.ExitInterrupted {
		t.Errorf("left with %d", code)
	}
	var document runner.Result
	if err := json.Unmarshal(stdout.Bytes(), &document); err != nil || document.Exit != runner.ExitInterrupted {
		t.Errorf("document: %v\n%s", err, stdout)
	}
	// The command ends all the same, and must not write a second document.
	inv.finish(done("failover"), nil)
	if strings.Count(stdout.String(), `"schema"`) != 1 {
		t.Errorf("more than one document:\n%s", stdout)
	}
}

func TestResolve(t *testing.T) {
	tests := []struct{ name, args, want, wrong string }{
		{"flags before", "failover --yes --state s plan.lua", "drrun failover --yes --state=s -- plan.lua", ""},
		{"flags behind", "failover plan.lua --state=s --yes", "drrun failover --state=s --yes -- plan.lua", ""},
		{"flags around, one dash", "-json failover -yes plan.lua -state s", "drrun failover --json --yes --state=s -- plan.lua", ""},
		{"a value like a flag", "failover plan.lua --state --odd", "drrun failover --state=--odd -- plan.lua", ""},
		{"a value like a command", "history --state lab", "drrun history --state=lab", ""},
		{"the end of flags", "failover -- --odd.lua", "drrun failover -- --odd.lua", ""},
		{"a dash", "check -", "drrun check -- -", ""},
		{"a command below", "lab --control a disaster primary", "drrun lab disaster --control=a -- primary", ""},
		{"a command with its own action", "lab --vms 4", "drrun lab --vms=4", ""},
		{"an alias", "generate -o x", "drrun generate --o=x", ""},
		{"an optional value", "resume 2026 --plan other.lua", "drrun resume --plan=other.lua -- 2026", ""},
		{"an optional value before the run", "resume --plan other.lua 2026", "drrun resume --plan=other.lua -- 2026", ""},
		{"no optional value", "resume 2026 --plan", "drrun resume --plan= -- 2026", ""},
		{"no optional value before a flag", "resume 2026 --plan --yes", "drrun resume --plan= --yes -- 2026", ""},
		{"no optional value before the run", "resume --plan 20261120-0312-3f9a2c", "drrun resume --plan= -- 20261120-0312-3f9a2c", ""},
		{"an optional value like a run", "resume 2 --plan=2026", "drrun resume --plan=2026 -- 2", ""},
		{"an unknown command", "chekc plan.lua", "", `drrun has no command "chekc"`},
		{"an unknown flag", "check plan.lua --ofline", "", "drrun check has no flag --ofline"},
		{"a flag of another command", "check --yes plan.lua", "", "drrun check has no flag --yes"},
		{"no value", "check plan.lua --lib", "", "flag --lib needs a value"},
		{"an unknown flag of the program", "--yes", "", "drrun has no flag --yes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, problem := resolve(commands(&invocation{}), strings.Fields(test.args))
			if problem != nil {
				if problem.Error() != test.wrong {
					t.Errorf("got %q, want %q", problem, test.wrong)
				}
				return
			}
			if got := strings.Join(f.normal, " "); got != test.want || test.wrong != "" {
				t.Errorf("got %q, want %q %q", got, test.want, test.wrong)
			}
		})
	}
}

// atTerminal makes an asker whose operator types these lines.
func atTerminal(typed string, answers ...string) (*asker, *bytes.Buffer) {
	env, _, stderr := testEnv(strings.NewReader(typed))
	env.IsTerminal = func(any) bool { return true }
	a, problem := newAsker(&invocation{env: env, screen: newScreen(env)}, env.wall(), answers, false)
	if problem != nil {
		panic(problem)
	}
	return a, stderr
}

func TestAsk(t *testing.T) {
	tests := []struct {
		name     string
		question engine.Question
		answers  []string
		yes      bool
		typed    string // "" means that there is no terminal
		want     string // "" means engine.ErrNoAnswer
	}{
		{"an answer of that name", engine.Question{Name: "go"}, []string{"go=now"}, false, "", "now"},
		{"the last answer counts", engine.Question{Name: "go"}, []string{"go=now", "go=later"}, false, "", "later"},
		{"a name with an equals sign", engine.Question{Name: "cut:a=b"}, []string{"cut:a=b=redo"}, false, "", "redo"},
		{"one answer for all groups", engine.Question{Name: "promote_storage:db"}, []string{"promote_storage=writable,as_of=unknown"}, false, "", "writable,as_of=unknown"},
		{"the group's own answer first", engine.Question{Name: "promote_storage:db"}, []string{"promote_storage:db=b", "promote_storage=a"}, false, "", "b"},
		{"a step that was cut has an answer of its own", engine.Question{Name: "cut:db"}, []string{"cut=redo"}, false, "", ""},
		{"nobody", engine.Question{Name: "go"}, []string{"went=x"}, false, "", ""},
		{"yes", engine.Question{Name: "go", Choices: []string{"yes", "no"}}, nil, true, "", "yes"},
		{"yes takes defaults", engine.Question{Name: "go", Default: "soon"}, nil, true, "", "soon"},
		{"yes takes the default before yes", engine.Question{Name: "go", Choices: []string{"yes", "no"}, Default: "no"}, nil, true, "", "no"},
		{"yes means continue", engine.Question{Name: "go", Choices: []string{"abort", "continue"}}, nil, true, "", "continue"},
		{"yes loses no data", engine.Question{Name: "go", Danger: engine.DangerDataLoss, Default: "yes", Choices: []string{"yes", "no"}}, nil, true, "", ""},
		{"yes is no secret", engine.Question{Name: "go", Secret: true, Default: "yes"}, nil, true, "", ""},
		{"an answer can name the danger", engine.Question{Name: "go", Danger: engine.DangerDataLoss}, []string{"go=yes"}, false, "", "yes"},
		{"an empty line loses no data", engine.Question{Name: "go", Danger: engine.DangerDataLoss, Default: "yes"}, nil, false, "\nno\n", "no"},
		{"yes is no answer to a question without default", engine.Question{Name: "go"}, nil, true, "", ""},
		{"yes is no evidence", engine.Question{Name: "confirm_source_down", Evidence: true, Default: "x", Choices: []string{"yes"}}, nil, true, "", ""},
		{"an answer before yes", engine.Question{Name: "go", Choices: []string{"yes", "no"}}, []string{"go=no"}, true, "", "no"},
		{"typed", engine.Question{Name: "go"}, nil, false, "now\n", "now"},
		{"typed without an end of line", engine.Question{Name: "go"}, nil, false, "now", "now"},
		{"asked again until it is a choice", engine.Question{Name: "go", Choices: []string{"yes", "no"}}, nil, false, "maybe\n\nno\n", "no"},
		{"an empty line is the default", engine.Question{Name: "go", Default: "soon"}, nil, false, "\n", "soon"},
		{"an empty line is no evidence", engine.Question{Name: "confirm_source_down", Evidence: true, Default: "x"}, nil, false, "\nAnn: dark\n", "Ann: dark"},
		{"the end of the input", engine.Question{Name: "go"}, nil, false, "\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, _ := atTerminal(test.typed, test.answers...)
			a.yes = test.yes
			if test.typed == "" {
				a.env.IsTerminal = func(any) bool { return false }
			}
			got, err := "", error(nil)
			if prepared, known := a.Prepared(test.question); known {
				got = prepared.Text
			} else {
				got, err = a.Ask(context.Background(), test.question)
			}
			if test.want == "" && !errors.Is(err, engine.ErrNoAnswer) || test.want != "" && err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// TestDangerAtTheTerminal: who is asked at the terminal reads of the danger as drrun answer tells it.
func TestDangerAtTheTerminal(t *testing.T) {
	for _, danger := range []string{"", engine.DangerDataLoss} {
		a, stderr := atTerminal("yes\n")
		if _, err := a.Ask(context.Background(), engine.Question{Name: "go", Text: "Go?", Danger: danger}); err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(stderr.String(), "Go?\nDANGER: an answer can lose data\ngo> "); told != (danger != "") {
			t.Errorf("danger %q:\n%s", danger, stderr)
		}
	}
}

func TestCanAnswer(t *testing.T) {
	a, _ := atTerminal("", "promote_storage=writable")
	if !a.canAnswer("anything") || !a.canAnswer(stdlib.QuestionSourceDown) {
		t.Error("a person at a terminal can answer everything")
	}
	a.env.IsTerminal = func(any) bool { return false }
	for name, want := range map[string]bool{"promote_storage:all": true, "promote_storage": true, "other": false, stdlib.QuestionSourceDown: false} {
		if a.canAnswer(name) != want {
			t.Errorf("canAnswer(%q) is %v", name, !want)
		}
	}
}

// TestSecretIsNotShown covers the terminal too: it is put back when the question is given up.
func TestSecretIsNotShown(t *testing.T) {
	a, stderr := atTerminal("")
	a.env.SaveTerminal = func() func() { return func() { t.Error("the terminal is put back although nothing was given up") } }
	a.env.ReadSecret = func() (string, error) { return "sesame", nil }
	secret, err := a.resolver().Resolve(context.Background(), "primary_password", "", "")
	if err != nil || secret != "sesame" {
		t.Errorf("got %q, %v", secret, err)
	}
	if strings.Contains(stderr.String(), "sesame") || !strings.Contains(stderr.String(), "primary_password") {
		t.Errorf("stderr: %q", stderr)
	}

	restored := false
	release := make(chan struct{})
	defer close(release)
	a.env.SaveTerminal = func() func() { return func() { restored = true } }
	a.env.ReadSecret = func() (string, error) { <-release; return "", io.EOF }
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errInterrupted)
	if _, err := a.secret(ctx, "password: "); !errors.Is(err, errInterrupted) || !restored {
		t.Errorf("given up: %v, terminal put back: %v", err, restored)
	}
}

// frozen is a clock that stands still and lets nothing wait but for its wake.
type frozen struct{ now time.Time }

func (f *frozen) Now() time.Time { return f.now }

func (f *frozen) Wait(ctx context.Context, _ time.Duration, wake <-chan struct{}) (bool, error) {
	select {
	case <-wake:
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

func (f *frozen) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// TestProgress shows the events of a small run, as lines and as a terminal sees them.
func TestProgress(t *testing.T) {
	start := time.Date(2026, 11, 20, 3, 12, 0, 0, time.UTC)
	at := func(seconds int) *time.Time { t := start.Add(time.Duration(seconds) * time.Second); return &t }
	vm := func(name string) engine.Subject {
		return engine.Subject{Kind: "vm", Site: "secondary", ID: "id-" + name, Name: name}
	}
	domain := engine.Subject{Kind: "storage_domain", Site: "secondary", ID: "id-nfs", Name: "nfs_ds"}
	source := engine.Subject{Kind: "site", Site: "primary", Name: "primary"}
	mark := func(seconds int, s engine.Status) engine.Event {
		return engine.Event{Time: *at(seconds), Kind: "mark", Subject: s.Subject, Text: s.State, Data: s}
	}
	note := func(seconds int, kind string, s engine.Subject, text string, data any) engine.Event {
		raw, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		return engine.Event{Time: *at(seconds), Kind: kind, Subject: s, Text: text, Data: json.RawMessage(raw)}
	}
	silent := stdlib.Verdict{Holds: true, Ground: stdlib.GroundConfirmed, Why: "it is silent, and Ann confirmed that it is down"}
	events := []engine.Event{
		note(0, "confirmation", source, "", stdlib.Confirmation{Name: "Ann", Reason: "dark"}),
		note(1, "stage", engine.Subject{}, "import", nil),
		note(1, "evidence", source, "", silent),
		{Time: *at(2), Kind: "intent", Subject: domain, Text: "storage_domain.import"},
		{Time: *at(9), Kind: "outcome", Subject: domain},
		mark(10, engine.Status{Subject: domain, State: stdlib.StateImported}),
		mark(20, engine.Status{Subject: domain, State: stdlib.StateActive}),
		mark(25, engine.Status{Subject: vm("vm1"), State: stdlib.StateRegistered}),
		mark(25, engine.Status{Subject: vm("vm2"), State: stdlib.StateRegistered}),
		mark(25, engine.Status{Subject: vm("vm3"), State: stdlib.StateMissing, Error: "no OVF store holds it"}),
		note(26, "stage", engine.Subject{}, "boot rank 0", nil),
		note(26, "evidence", source, "", silent),
		{Time: *at(26), Kind: "step", Subject: vm("vm1"), Text: "hook before_start (plan): runs"},
		{Time: *at(27), Kind: "step", Subject: engine.Subject{Kind: "prompt"}, Text: "prompt go: runs"},
		mark(27, engine.Status{Subject: vm("vm1"), State: stdlib.StateStarting}),
		mark(45, engine.Status{Subject: vm("vm1"), State: stdlib.StateUp, StartedAt: at(27), UpAt: at(45)}),
		note(60, "boot_condition", vm("vm1"), "", map[string]any{"ok": true, "why": "15s after up"}),
		mark(61, engine.Status{Subject: vm("vm2"), State: stdlib.StateStarting}),
		note(62, "warning", engine.Subject{}, "the webhook is slow", nil),
		mark(80, engine.Status{Subject: vm("vm2"), State: stdlib.StateUp, StartedAt: at(61), UpAt: at(80)}),
		note(83, stdlib.WaitNote, vm("vm2"), "no address yet: the guest agent does not report", nil),
		note(90, "boot_condition", vm("vm2"), "", map[string]any{"ok": false, "why": "silent"}),
		mark(90, engine.Status{Subject: vm("vm2"), State: stdlib.StateUnverified, Error: "the guest agent does not report"}),
		note(3700, "log", engine.Subject{}, "two\nlines", nil),
	}
	for _, terminal := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "terminal"}[terminal]
		t.Run(name, func(t *testing.T) {
			env, _, stderr := testEnv(strings.NewReader(""))
			env.IsTerminal = func(any) bool { return terminal }
			clock := &frozen{now: start}
			machine := env.wall()
			machine.Clock = clock
			p := newProgress(newScreen(env), machine, 1)
			p.began("20261120-0312-3f9a2c", runner.Totals{StorageDomains: 1, VMs: 3})
			for _, e := range events {
				clock.now = e.Time
				p.observe(e)
			}
			over := p.screen.prompt()
			p.observe(note(3701, "log", engine.Subject{}, "said while a question is open", nil))
			over()
			p.end()
			golden(t, filepath.Join("testdata", "progress_"+name+".txt"), strings.ReplaceAll(stderr.String(), "\x1b", "ESC"))
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

func TestTypedLines(t *testing.T) {
	got := typed("failover", "plan.lua", "--confirm-source-down", "Ann: it's dark", "--param", "$X", "--json")
	want := []string{`drrun failover plan.lua --confirm-source-down 'Ann: it'\''s dark' --param "$X" --json`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStateDir(t *testing.T) {
	tests := []struct {
		name, flag, want string
		env              map[string]string
	}{
		{"the flag first", "here", "here", map[string]string{"DRRUN_STATE": "/s"}},
		{"then DRRUN_STATE", "", "/s", map[string]string{"DRRUN_STATE": "/s", "XDG_STATE_HOME": "/x"}},
		{"then XDG", "", "/x/drrun", map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/h"}},
		{"then home", "", "/h/.local/state/drrun", map[string]string{"HOME": "/h"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := Env{Getenv: func(name string) (string, bool) { value, set := test.env[name]; return value, set }}
			if got, problem := env.stateDir(test.flag); problem != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, problem, test.want)
			}
		})
	}
}
