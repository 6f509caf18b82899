package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

var update = flag.Bool("update", false, "rewrite the golden sections of the scripts")

func TestMain(m *testing.M) {
	// The tests here wait for the time of labs more than they work. -parallel given on the command line goes before this.
	_ = flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0)))
	testscript.Main(m, map[string]func(){"drrun": main, "drrun-mortal": mortal})
}

// TestScripts runs testdata/script. Beside the commands of testscript they have:
//
//	lab [flags]                     starts a lab on free ports, waits until it serves, and sources its lab.env
//	exits CODE ARGS…                runs drrun, which must end with that code; what differs from run to run is scrubbed from
//	                                stdout and stderr; with --json stdout must be exactly one document that agrees with the code
//	interrupted TEXT ARGS…          runs drrun and interrupts it when its stderr holds TEXT; it must end with 130
//	starts ARGS…                    starts drrun beside the script
//	watches ARGS…                   starts, and follows its stdout too
//	says TEXT                       reads its stderr until a line holds TEXT
//	types TEXT                      writes a line to its stdin
//	interrupts                      sends it an interrupt
//	kills                           kills it
//	hangs-up                        takes its terminal away
//	ends CODE                       waits for its end, like exits
//	edit FILE OLD NEW               replaces a text in a file, which must be there
//	changing N                      that many changing requests reached the engines since the last look
//	effects SITE TEXT…              the effects of the changing requests at a site since the last look, in order
//	world 'vm1' 'vm2 vm3'           exactly these VMs are up on the secondary, each group started after the one before was up;
//	                                the monitor saw no violation
//	home 'vm1' 'vm2 vm3'            the same for the primary
//	counters SITE                   notes what the guests have written at a site
//	kept SITE                       the disks at a site hold at least that
//	no-secrets DIR…                 no file below these folders holds a password
//	nothing-there                   the secondary has no VM and only the storage that it began with
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("DRRUN_STATE", filepath.Join(env.WorkDir, "state"))
			examples, err := filepath.Abs("../../examples")
			env.Setenv("EXAMPLES", examples)
			env.Setenv("DOCS", filepath.Join(filepath.Dir(examples), "docs"))
			env.Values[labKey{}] = &scriptLab{}
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lab": startScriptLab, "exits": exits, "interrupted": interruptedScript, "starts": starts, "watches": watches, "interrupts": interruptsBeside, "types": types, "says": says, "kills": kills, "hangs-up": hangsUp, "ends": ends, "edit": edit, "changing": changing, "effects": effects,
			"world": worldScript, "home": homeScript, "counters": countersScript, "kept": keptScript, "nothing-there": nothingThere, "no-secrets": noSecrets,
		},
	})
}

type labKey struct{}

// scriptLab is the lab of one script.
type scriptLab struct {
	client *lab.ControlClient
	seen   int // log entries that were looked at
	names  []string
	beside *besides
	had    map[string]int64 // what the guests had written, by VM id
}

func labOf(ts *testscript.TestScript) *scriptLab { return ts.Value(labKey{}).(*scriptLab) }

// process makes a drrun with the environment of the script.
func process(ts *testscript.TestScript, args []string) *exec.Cmd {
	program := ""
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		candidate := filepath.Join(dir, "drrun")
		if _, err := os.Stat(candidate); err == nil {
			program = candidate
			break
		}
	}
	if program == "" {
		ts.Fatalf("drrun is not in PATH")
	}
	command := exec.Command(program, args...)
	command.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "DRRUN_STATE", "DRRUN_SPEED", "DRRUN_SPEED_SINCE", "LAB_CONTROL",
		"DRRUN_MIRROR", "DRRUN_SIGNING_KEY", "DRRUN_SECRET_PRIMARY_PASSWORD", "DRRUN_SECRET_SECONDARY_PASSWORD", "DRRUN_SECRET_SECONDARY_PASSWORD_COMMAND", "DRRUN_SECRET_SECONDARY_CHAP_PASSWORD", "DRRUN_SECRET_PRIMARY_ARRAY_PASSWORD", "DRRUN_SECRETS", "DRRUN_SECRETS_KEY", "DRRUN_CHROMIUM", "GOCOVERDIR"} {
		if value := ts.Getenv(name); value != "" {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	return command
}

func startScriptLab(ts *testscript.TestScript, neg bool, args []string) {
	l := labOf(ts)
	command := process(ts, append([]string{"lab", "--primary", "127.0.0.1:0", "--secondary", "127.0.0.1:0", "--control", "127.0.0.1:0",
		"--dir", ".", "--speed", "40", "--until-stdin-closes"}, args...))
	stdin, err := command.StdinPipe()
	ts.Check(err)
	stdout, err := command.StdoutPipe()
	ts.Check(err)
	var words bytes.Buffer
	command.Stderr = &words
	ts.Check(command.Start())
	ts.Defer(func() {
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		_ = command.Wait()
	})
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), labReady) {
		ts.Fatalf("the lab does not start: %s%s", lines.Text(), words.String())
	}
	l.client = lab.Dial(strings.TrimPrefix(lines.Text(), labReady))
	for line := range strings.SplitSeq(strings.TrimSpace(ts.ReadFile("lab.env")), "\n") {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		ts.Setenv(name, strings.Trim(value, "'"))
	}
	for _, name := range []string{"LAB_PRIMARY_URL", "LAB_SECONDARY_URL"} {
		host := strings.TrimPrefix(strings.TrimSuffix(ts.Getenv(name), "/ovirt-engine/api"), "https://")
		l.names = append(l.names, host, strings.TrimSuffix(strings.TrimPrefix(name, "LAB_"), "_URL")+":PORT")
	}
	l.names = append(l.names, ts.Getenv("LAB_CONTROL"), "CONTROL:PORT")
}

var scrubbing = []struct {
	what *regexp.Regexp
	with string
}{
	// How a host that has just lost its power is silent differs from connection to connection.
	{regexp.MustCompile(`(?:(?:read|write|dial) tcp \S+?(?:->\S+)?: )(?:\w+: )?(?:connection reset by peer|connection refused|broken pipe)`), "SILENCE"},
	{regexp.MustCompile(`: EOF\b`), ": SILENCE"},
	{regexp.MustCompile(`\b\d{8}-\d{4}-[0-9a-f]{6}\b`), "YYYYMMDD-HHMM-XXXXXX"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b`), "YYYY-MM-DD HH:MM:SS"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`), "HH:MM:SS"},
	{regexp.MustCompile(`(?m)^\+[\d:]+  `), "+MM:SS  "},
	{regexp.MustCompile(`(?m)^(\w+ of \w+: .*), \d[\dhms]*$`), "$1, SPAN"},
	{regexp.MustCompile(`(?m)^  \+[\d:]+  `), "  +MM:SS  "},
	{regexp.MustCompile(`(?m)^(  [a-z]\w*(?: \w+)* +HH:MM:SS)  \d[\dhms]*$`), "$1  SPAN"},
	{regexp.MustCompile(`\b\d[\dhms]* (left|ago|after its start)\b`), "SPAN $1"},
	{regexp.MustCompile(`(\bruns since |\bstage: .*, since )\d[\dhms]*\b`), "${1}SPAN"},
	{regexp.MustCompile(`(\(exit code \d+\), |it runs, since )\d[\dhms]*`), "${1}SPAN"},
	{regexp.MustCompile(`\b(by|answer of|left out:) [\w.-]+ on [\w.-]+`), "$1 USER on HOST"},
	{regexp.MustCompile(`(?m)^( *[-+\dMS:]+  )[\w.-]+ on [\w.-]+ (answered|decided|goes on with|repeats)`), "${1}USER on HOST $2"},
	{regexp.MustCompile(`, drrun [\w.+-]+\n`), ", drrun VERSION\n"},
	{regexp.MustCompile(`"duration_seconds": [\d.e-]+`), `"duration_seconds": 0`},
	{regexp.MustCompile(`\(go1[^)]*\)`), "(GO PLATFORM)"},
}

func scrub(ts *testscript.TestScript, text string) string {
	text = strings.NewReplacer(append(labOf(ts).names, ts.MkAbs(".")+"/", "", ts.MkAbs("."), ".")...).Replace(text)
	for _, s := range scrubbing {
		text = s.what.ReplaceAllString(text, s.with)
	}
	return text
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	command := process(ts, args[1:])
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	got := exitOf(ts, command.Run())
	showOutput(ts, stdout.String(), stderr.String())
	if got != want {
		ts.Fatalf("exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", got, want, stdout.String(), stderr.String())
	}
	if wantsJSON(args[1:]) {
		oneDocument(ts, stdout.Bytes(), want)
	}
}

func exitOf(ts *testscript.TestScript, err error) int {
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode()
	}
	ts.Check(err)
	return 0
}

// showOutput passes on what a drrun printed. A password in it is a failure, whatever the script looks for.
func showOutput(ts *testscript.TestScript, stdout, stderr string) {
	withoutSecrets(ts, "stdout", stdout)
	withoutSecrets(ts, "stderr", stderr)
	fmt.Fprint(ts.Stdout(), scrub(ts, stdout))
	fmt.Fprint(ts.Stderr(), scrub(ts, stderr))
}

func withoutSecrets(ts *testscript.TestScript, place, text string) {
	for _, secret := range []string{lab.PrimaryPassword, lab.SecondaryPassword, "wrong-password"} {
		if strings.Contains(text, secret) {
			ts.Fatalf("%s holds the password %q:\n%s", place, secret, text)
		}
	}
}

// noSecrets looks for passwords in every file of the folders.
func noSecrets(ts *testscript.TestScript, neg bool, folders []string) {
	files := 0
	for _, folder := range folders {
		ts.Check(filepath.WalkDir(ts.MkAbs(folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			withoutSecrets(ts, path, string(text))
			files++
			return err
		}))
	}
	if files == 0 {
		ts.Fatalf("there are no files in %v", folders)
	}
}

func oneDocument(ts *testscript.TestScript, text []byte, exit int) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	var document runner.Result
	if err := decoder.Decode(&document); err != nil {
		ts.Fatalf("stdout is no document: %v\n%s", err, text)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		ts.Fatalf("stdout holds more than one document:\n%s", text)
	}
	if document.Exit != exit || document.Schema != runner.ResultSchema || document.Status == "" {
		ts.Fatalf("the document says schema %q, exit %d, status %q; drrun ended with %d", document.Schema, document.Exit, document.Status, exit)
	}
	if (document.Error != nil) != (exit != 0) {
		ts.Fatalf("exit code %d, and the document's error is %v", exit, document.Error)
	}
}

func interruptedScript(ts *testscript.TestScript, neg bool, args []string) {
	command := process(ts, args[1:])
	var stdout, stderr bytes.Buffer
	command.Stdout = &stdout
	pipe, err := command.StderrPipe()
	ts.Check(err)
	ts.Check(command.Start())
	lines := bufio.NewScanner(pipe)
	sent := false
	for lines.Scan() {
		fmt.Fprintln(&stderr, lines.Text())
		if !sent && strings.Contains(lines.Text(), args[0]) {
			sent = true
			ts.Check(command.Process.Signal(os.Interrupt))
		}
	}
	got := exitOf(ts, command.Wait())
	showOutput(ts, stdout.String(), stderr.String())
	if !sent || got != runner.ExitInterrupted {
		ts.Fatalf("interrupted: %v, exit code %d, want %d\n%s%s", sent, got, runner.ExitInterrupted, stdout.String(), stderr.String())
	}
	if wantsJSON(args[1:]) {
		oneDocument(ts, stdout.Bytes(), got)
	}
}

func edit(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q:\n%s", args[0], args[1], text)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], strings.ReplaceAll(args[2], `\n`, "\n"))), 0o600))
}

// fresh returns the changing requests since the last look: locks and events excepted, which are no objects of a plan.
func fresh(ts *testscript.TestScript) []lab.LogEntry {
	l := labOf(ts)
	log, err := l.client.Log(context.Background())
	ts.Check(err)
	var changes []lab.LogEntry
	for _, entry := range log[l.seen:] {
		if entry.Changing && !strings.Contains(entry.Path, "/affinitylabels") && !strings.HasSuffix(entry.Path, "/events") && !strings.Contains(entry.Path, "/jobs") {
			changes = append(changes, entry)
		}
	}
	l.seen = len(log)
	return changes
}

func changing(ts *testscript.TestScript, neg bool, args []string) {
	if changes := fresh(ts); strconv.Itoa(len(changes)) != args[0] {
		ts.Fatalf("%d changing requests, want %s: %+v", len(changes), args[0], changes)
	}
}

func effects(ts *testscript.TestScript, neg bool, args []string) {
	var got []string
	for _, entry := range fresh(ts) {
		if entry.Site == args[0] {
			got = append(got, fmt.Sprintf("%s %d %s", entry.Method, entry.Status, entry.Effect))
		}
	}
	for from := 0; from < len(got); from++ { // hosts are refreshed at the same time
		to := from
		for to < len(got) && strings.Contains(got[to], " refresh host ") {
			to++
		}
		slices.Sort(got[from:to])
		from = to
	}
	if strings.Join(got, "\n") != strings.Join(args[1:], "\n") {
		ts.Fatalf("the changing requests at %s:\n%s\nwant:\n%s", args[0], strings.Join(got, "\n"), strings.Join(args[1:], "\n"))
	}
}

func worldOf(ts *testscript.TestScript) lab.View {
	world, err := labOf(ts).client.World(context.Background())
	ts.Check(err)
	if len(world.Violations) > 0 {
		ts.Fatalf("violations: %+v", world.Violations)
	}
	return world
}

func worldScript(ts *testscript.TestScript, neg bool, groups []string) {
	upAt(ts, "secondary", groups)
}

func upAt(ts *testscript.TestScript, site string, groups []string) {
	vms := map[string]lab.VMView{}
	for _, vm := range worldOf(ts).Sites[site].VMs {
		if vm.Status == "up" {
			vms[vm.Name] = vm
		}
	}
	var upBefore time.Time
	count := 0
	for _, group := range groups {
		latest := upBefore
		for _, name := range strings.Fields(group) {
			vm, there := vms[name]
			if !there || vm.StartedAt == nil || vm.UpAt == nil {
				ts.Fatalf("VM %s is not up on the %s; up are: %v", name, site, vms)
			}
			if vm.StartedAt.Before(upBefore) {
				ts.Fatalf("VM %s was started at %s, before the group before it was up at %s", name, vm.StartedAt, upBefore)
			}
			if vm.UpAt.After(latest) {
				latest = *vm.UpAt
			}
			count++
		}
		upBefore = latest
	}
	if count != len(vms) {
		ts.Fatalf("%d VMs are up on the %s, want %d: %v", len(vms), site, count, vms)
	}
}

func nothingThere(ts *testscript.TestScript, neg bool, args []string) {
	secondary := worldOf(ts).Sites["secondary"]
	if len(secondary.VMs) > 0 || len(secondary.StorageDomains) != 1 || secondary.StorageDomains[0].Name != "recovery_local" {
		ts.Fatalf("the secondary is not as it was: %+v", secondary)
	}
	// Storage connections are seen only through the engine.
	site, err := ovirt.Open(context.Background(), ovirt.Options{
		Name: "secondary", URL: ts.Getenv("LAB_SECONDARY_URL"), Username: ts.Getenv("LAB_SECONDARY_USERNAME"), Password: ts.Getenv("DRRUN_SECRET_SECONDARY_PASSWORD"),
		CA: []byte(ts.ReadFile("secondary-ca.pem")), Clock: engine.SystemEnv(1).Clock,
	})
	ts.Check(err)
	defer site.Close(context.Background())
	connections, err := site.StorageConnections(context.Background())
	ts.Check(err)
	for _, connection := range connections {
		if strings.Contains(connection.Path, "replica") {
			ts.Fatalf("a storage connection was left behind: %+v", connection)
		}
	}
}
