package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// dieVariable makes the test program's drrun kill itself after so many journal records.
const dieVariable = "DRRUN_TEST_DIE_AFTER_RECORD"

// mortal is drrun with a disk that kills the process, by SIGKILL, when the n-th journal record is written.
func mortal() {
	env := SystemEnv()
	if n, err := strconv.Atoi(os.Getenv(dieVariable)); err == nil {
		system := env.Engine
		env.Engine = func(speed float64, since time.Time) engine.Env {
			e := system(speed, since)
			e.FS = mortalFS{FS: e.FS, left: &atomic.Int64{}, limit: int64(n)}
			return e
		}
	}
	os.Exit(Main(env, os.Args))
}

type mortalFS struct {
	engine.FS
	left  *atomic.Int64
	limit int64
}

func (f mortalFS) OpenAppend(path string) (engine.File, error) {
	file, err := f.FS.OpenAppend(path)
	if err != nil || filepath.Base(path) != "journal.jsonl" {
		return file, err
	}
	return mortalFile{File: file, fs: f}, nil
}

type mortalFile struct {
	engine.File
	fs mortalFS
}

func (f mortalFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	if f.fs.left.Add(int64(bytes.Count(p[:n], []byte("\n")))) >= f.fs.limit {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
	return n, err
}

// killWorld is a lab in this process with the secondary's engine behind a proxy, which can kill drrun between effect and answer.
type killWorld struct {
	t       *testing.T
	lab     *lab.Lab
	dir     string
	proxy   *httptest.Server
	env     []string
	effects atomic.Int64
	dieAt   atomic.Int64 // 0: never
	mu      sync.Mutex
	child   *os.Process
	died    bool
}

const killSpeed = 100

func newKillWorld(t *testing.T) *killWorld {
	t.Helper()
	since := time.Now()
	clock := engine.SystemEnvSince(killSpeed, since).Clock
	w := &killWorld{t: t, dir: t.TempDir(), lab: lab.New(lab.TwoSites(lab.TwoSitesOptions{}), clock, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	server, err := lab.Serve(ctx, w.lab, lab.ServeOptions{Primary: "127.0.0.1:0", Secondary: "127.0.0.1:0", Control: "127.0.0.1:0", Dir: w.dir, Speed: killSpeed, Since: since})
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(w.dir, "secondary-ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	target, err := url.Parse("https://" + server.Secondary)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	forward.ErrorLog = nil
	forward.ModifyResponse = func(answer *http.Response) error { w.answered(answer.Request); return nil }
	w.proxy = httptest.NewTLSServer(forward)
	t.Cleanup(func() {
		w.proxy.Close()
		cancel()
		_ = server.Close()
		server.Wait()
	})
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.proxy.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(w.dir, "secondary-ca.pem"), certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	w.env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "DRRUN_") }), "DRRUN_STATE="+filepath.Join(w.dir, "state"))
	for line := range strings.SplitSeq(strings.TrimSpace(string(server.Env)), "\n") {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		w.env = append(w.env, name+"="+strings.Trim(value, "'"))
	}
	if code, out := w.drrun("generate", "--name", "Kill", "--primary-url", server.PrimaryURL, "--primary-username", lab.PrimaryUsername, "--primary-ca", "primary-ca.pem",
		"--secondary-url", w.proxy.URL+"/ovirt-engine/api", "--secondary-username", lab.SecondaryUsername, "--secondary-ca", "secondary-ca.pem",
		"--primary-storage", "nfs://192.168.122.210:/nfs_ds", "--secondary-storage", "nfs://192.168.122.210:/nfs_ds_replica", "-o", "plan.lua"); code != 0 {
		t.Fatalf("generate: %d\n%s", code, out)
	}
	plan, err := os.ReadFile(filepath.Join(w.dir, "plan.lua"))
	if err != nil {
		t.Fatal(err)
	}
	// Every attempt before the attach would wait for the leases anew.
	shorter := strings.Replace(string(plan), `name = "Kill",`, `name = "Kill", lease_expiry = "20s",`, 1)
	if shorter == string(plan) {
		t.Fatalf("the plan has another form:\n%s", plan)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "plan.lua"), []byte(shorter), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.lab.Disaster("primary"); err != nil {
		t.Fatal(err)
	}
	if err := w.lab.Promote("nfs_ds"); err != nil {
		t.Fatal(err)
	}
	return w
}

// answered kills drrun when the effect that it is to die at is done and its answer not yet delivered.
func (w *killWorld) answered(request *http.Request) {
	if request.Method == http.MethodGet || strings.Contains(request.URL.Path, "/sso/") || strings.Contains(request.URL.Path, "/services/") {
		return
	}
	if w.effects.Add(1) != w.dieAt.Load() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.child != nil {
		_ = w.child.Kill()
		w.died = true
	}
}

// drrun runs a command line to its end; -1 is a kill.
func (w *killWorld) drrun(args ...string) (code int, output string) {
	w.t.Helper()
	return w.run(w.env, args...)
}

func (w *killWorld) run(env []string, args ...string) (int, string) {
	w.t.Helper()
	program, err := exec.LookPath("drrun-mortal")
	if err != nil {
		w.t.Fatal(err)
	}
	var out bytes.Buffer
	command := exec.Command(program, args...)
	command.Dir, command.Env, command.Stdout, command.Stderr = w.dir, env, &out, &out
	if err := command.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.child = command.Process
	w.mu.Unlock()
	_ = command.Wait() // the code says how it ended
	w.mu.Lock()
	w.child = nil
	w.mu.Unlock()
	return command.ProcessState.ExitCode(), out.String()
}

var failoverLine = []string{"failover", "plan.lua", "--confirm-source-down", "Test: it was killed", "--answer", "promote_storage=writable,as_of=unknown"}

// finish starts or resumes until the run is over.
func (w *killWorld) finish() string {
	w.t.Helper()
	machine := engine.SystemEnv(1)
	for range 4 {
		runs, err := engine.ListRuns(machine, filepath.Join(w.dir, "state"))
		if err != nil {
			w.t.Fatal(err)
		}
		line := failoverLine
		if len(runs) > 0 {
			if !runs[0].Unfinished() {
				return ""
			}
			line = append([]string{"resume", runs[0].ID}, failoverLine[2:]...)
		}
		if code, out := w.drrun(line...); code == runner.ExitDone {
			return ""
		} else if code != runner.ExitStopped {
			return fmt.Sprintf("exit %d:\n%s", code, out)
		}
	}
	return "no end after 4 attempts"
}

// shows are the operations that only show a run in an engine, as well as they can.
var shows = []string{ovirt.OpPostEvent, ovirt.OpAddJob, ovirt.OpAddStep, ovirt.OpEndStep, ovirt.OpEndJob}

// verify compares the world with what an undisturbed failover leaves, and the lab's log with the journal.
func (w *killWorld) verify() (wrong []string) {
	view := w.lab.View()
	for _, violation := range view.Violations {
		wrong = append(wrong, fmt.Sprintf("violation: %+v", violation))
	}
	if n := len(view.Sites["secondary"].VMs); n != 3 {
		wrong = append(wrong, fmt.Sprintf("%d VMs on the secondary", n))
	}
	for _, vm := range view.Sites["secondary"].VMs {
		if vm.Status != "up" || vm.Cluster != "Recovery" || len(vm.NICs) != 1 || vm.NICs[0].Profile != "lan" {
			wrong = append(wrong, fmt.Sprintf("%s: %+v", vm.Name, vm))
		}
	}
	requests, starts := map[string]int{}, map[string]int{}
	for _, entry := range w.lab.Log() {
		if entry.Changing {
			requests[entry.Correlation]++
		}
		if strings.HasPrefix(entry.Effect, "start ") {
			starts[entry.Effect]++
		}
	}
	for what, n := range starts {
		if n != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: %d times", what, n))
		}
	}
	machine := engine.SystemEnv(1)
	runs, err := engine.ListRuns(machine, filepath.Join(w.dir, "state"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, run := range runs {
		info, err := engine.ReadRun(machine, filepath.Join(w.dir, "state"), run.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		without := map[string]bool{}
		for _, record := range info.Records {
			if record.Reached != nil {
				without[record.ID] = !*record.Reached
			}
		}
		for _, record := range info.Records {
			if record.Intent == nil || record.Intent.Op == "storage_domain.is_attached" { // a read that is journaled
				continue
			}
			n := requests[record.Intent.ID]
			if n == 0 && slices.Contains(shows, record.Intent.Op) { // shown or not: a resume whose engine is slow does not find out
				continue
			}
			if n > 1 || (n == 0) != without[record.Intent.ID] {
				wrong = append(wrong, fmt.Sprintf("intent %s (%s): %d requests, settled as without effect: %v", record.Intent.ID, record.Intent.Op, n, without[record.Intent.ID]))
			}
			delete(requests, record.Intent.ID)
		}
	}
	for id, n := range requests {
		wrong = append(wrong, fmt.Sprintf("%d requests with correlation id %q and no intent", n, id))
	}
	return wrong
}

// goOnAndDie resumes the newest run, or starts one where there is none yet, and kills it after so many records; code is -1 then.
func (w *killWorld) goOnAndDie(records int) (code int, out string) {
	w.t.Helper()
	runs, err := engine.ListRuns(engine.SystemEnv(1), filepath.Join(w.dir, "state"))
	if err != nil {
		w.t.Fatal(err)
	}
	line := failoverLine
	if len(runs) > 0 {
		line = append([]string{"resume", runs[0].ID}, failoverLine[2:]...)
	}
	return w.run(append(slices.Clone(w.env), fmt.Sprintf("%s=%d", dieVariable, records)), line...)
}

// everyPair is after which records two SIGKILLs are tried: each ninth of the first process, and one of the first five of the second.
const everyPair = 9

// TestSigkill kills the real program with SIGKILL after each journal record, and after each effect before its record, on the
// three VMs of the lab, over sockets, and resumes it; for some of the records it kills the resume as well.
func TestSigkill(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts some 250 processes")
	}
	reference := newKillWorld(t)
	if code, out := reference.drrun(failoverLine...); code != 0 {
		t.Fatalf("the undisturbed run: exit %d\n%s", code, out)
	}
	if wrong := reference.verify(); len(wrong) > 0 {
		t.Fatal(strings.Join(wrong, "\n"))
	}
	journals, err := filepath.Glob(filepath.Join(reference.dir, "state", "runs", "*", "journal.jsonl"))
	if err != nil || len(journals) != 1 {
		t.Fatal(journals, err)
	}
	text, err := os.ReadFile(journals[0])
	if err != nil {
		t.Fatal(err)
	}
	records, effects := bytes.Count(text, []byte("\n")), int(reference.effects.Load())
	var points, pairs, early atomic.Int64
	t.Run("points", func(t *testing.T) {
		point := func(name string, again int, arm func(w *killWorld) []string) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newKillWorld(t)
				code, out := w.run(append(slices.Clone(w.env), arm(w)...), failoverLine...)
				if again > 0 && code == -1 {
					code, out = w.goOnAndDie(again)
					pairs.Add(1)
				}
				if code != -1 {
					early.Add(1) // timing makes the number of looks, and so of records, differ by a few
					if code != 0 {
						t.Errorf("not killed: exit %d\n%s", code, out)
					}
				}
				points.Add(1)
				w.dieAt.Store(0)
				if problem := w.finish(); problem != "" {
					t.Error(problem)
				}
				for _, wrong := range w.verify() {
					t.Error(wrong)
				}
			})
		}
		for n := 1; n <= records; n++ {
			die := func(*killWorld) []string { return []string{fmt.Sprintf("%s=%d", dieVariable, n)} }
			point(fmt.Sprintf("record %d", n), 0, die)
			if n%everyPair == 1 && n < records-everyPair { // behind that a resume has little left to record
				again := 1 + n/everyPair%5
				point(fmt.Sprintf("record %d, and record %d of the resume", n, again), again, die)
			}
		}
		for n := 1; n <= effects; n++ {
			point(fmt.Sprintf("effect %d", n), 0, func(w *killWorld) []string { w.dieAt.Store(int64(n)); return nil })
		}
	})
	t.Logf("SIGKILL points: %d (%d records, %d effects), %d of them with a second one in the resume; %d runs were over before their point", points.Load(), records, effects, pairs.Load(), early.Load())
	if early.Load() > points.Load()/10 { // a busy machine makes the reference run look more often than those after it
		t.Errorf("%d runs were not killed", early.Load())
	}
}
