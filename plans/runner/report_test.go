package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/report"
	"drrun/plans/runner"
)

// page is the report that a run left in its folder, "" where it left none.
func (p *pair) page(run string) string {
	p.t.Helper()
	text, err := p.disk.ReadFile("/state/runs/" + run + "/report.html")
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// reportNow makes the report of a run from its journal as it stands.
func (p *pair) reportNow(run string) (page string) {
	p.t.Helper()
	p.do(func(env engine.Env) { page = reportIn(p.t, env, run) })
	return page
}

func reportIn(t testing.TB, env engine.Env, run string) string {
	t.Helper()
	model, err := runner.ReportOf(env, "/state", run, "")
	if err != nil {
		t.Error(err)
		return ""
	}
	var out bytes.Buffer
	if err := report.HTML(&out, model); err != nil {
		t.Error(err)
	}
	return out.String()
}

// killedAt runs a failover that is killed behind a record of its journal, and returns its run.
func (p *pair) killedAt(record int) string {
	p.t.Helper()
	p.disk.OnAppend = func(path string, n int) {
		if strings.HasSuffix(path, "journal.jsonl") && n == record {
			p.world.Group("drrun").Kill()
		}
	}
	p.failover(nil)
	p.disk.OnAppend = nil
	p.wait(time.Second) // a request that was under way arrives
	runs := p.runs()
	if len(runs) != 1 || !runs[0].Unfinished() {
		p.t.Fatalf("the run was not cut: %+v", runs)
	}
	return runs[0].ID
}

type panickingAsker struct{}

func (panickingAsker) Ask(context.Context, engine.Question) (string, error) { panic("out of cheese") }

// TestReportAtEveryEnd ends runs in every way and reads what each leaves for people.
func TestReportAtEveryEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		world lab.TwoSitesOptions
		run   func(p *pair) *runner.Result
		want  []string
		never []string
	}{
		{"done on a person's word", lab.TwoSitesOptions{}, func(p *pair) *runner.Result {
			p.lose()
			return p.failover(nil)
		}, []string{
			"The failover of Plan_Recovery from primary to secondary is done: 3 VMs are up on secondary",
			"NOT ISOLATED: do not power on the primary: only the word of Ann says that it is down",
			"Reverse replication: NOT ready for group all", "saw the smoke", "confirmed that primary is down", "How much was lost is unknown|how much was lost is unknown",
			"answered promote_storage:all", "writable,as_of=unknown", "vm.start", "return plan", "user on host", "drrun status /site/plan.lua", "Keep the hosts of primary powered off", "start the replication from secondary to primary",
		}, []string{"drrun resume", "DAMAGED"}},
		{"done as planned", lab.TwoSitesOptions{}, func(p *pair) *runner.Result { return p.planned(plans.ActionFailover, nil, nil) }, []string{
			"The planned failover of Plan_Recovery from primary to secondary is done", "nothing lost, the copy holds the last write of primary",
			"source seen released at", "vm1: shut down", "nfs_ds: released at primary",
		}, []string{"NOT ISOLATED", "powered off"}},
		{"a VM does not boot", lab.TwoSitesOptions{}, func(p *pair) *runner.Result {
			p.fail(lab.Fault{Kind: lab.FaultVMBoot, Site: "secondary", Subject: "vm2"})
			p.lose()
			return p.failover(nil)
		}, []string{"has finished, and not everything is as it should be: vm2 is failed", "VMs that are not as they should be", "not reached", "drrun resume "}, nil},
		{"a VM is missing", lab.TwoSitesOptions{LoseVM: "vm2"}, func(p *pair) *runner.Result {
			p.lose()
			return p.failover(nil)
		}, []string{"vm2 is missing", "no OVF store of its storage domains holds it"}, nil},
		{"stopped", lab.TwoSitesOptions{}, func(p *pair) *runner.Result { return p.heldOff() }, []string{
			"stopped after it had begun to change things", "drrun resume ", "drrun rollback ", "drrun abort ", "needs-answer", "On secondary: 0 of 1 storage domain active, 3 VMs shut down",
		}, nil},
		{"refused in the run", lab.TwoSitesOptions{}, func(p *pair) *runner.Result {
			p.lab.Disaster("primary") // and nobody promotes the copy
			return p.failover(nil)
		}, []string{"was refused: no object of the plan was changed", "No object of the plan was changed."}, []string{"drrun resume", "NOT ISOLATED"}},
		{"Ctrl-C before any change", lab.TwoSitesOptions{}, func(p *pair) *runner.Result { return p.interruptedAt("import", false) }, []string{
			"was interrupted before it had changed anything. When you are ready, start it anew",
		}, []string{"drrun resume"}},
		{"the first Ctrl-C", lab.TwoSitesOptions{}, func(p *pair) *runner.Result { return p.interruptedAt("register", false) }, []string{"was interrupted. It can be resumed", "drrun resume "}, nil},
		{"the second Ctrl-C", lab.TwoSitesOptions{}, func(p *pair) *runner.Result { return p.interruptedAt("register", true) }, []string{"was interrupted. It can be resumed", "drrun resume "}, nil},
		{"a fault of drrun", lab.TwoSitesOptions{}, func(p *pair) *runner.Result {
			return p.planned(plans.ActionFailover, nil, func(o *runner.Options) { o.Asker = panickingAsker{} })
		}, []string{"out of cheese", "fault of drrun itself"}, nil},
		{"rolled back", lab.TwoSitesOptions{}, func(p *pair) *runner.Result { return p.rollback(p.heldOff().Run, nil) }, []string{
			"was undone: 3 VMs are up on primary", "had the run undone", "attempt 2", "rolled back", "the run was undone before its storage was promoted",
		}, []string{"drrun resume"}},
		{"aborted", lab.TwoSitesOptions{}, func(p *pair) *runner.Result { return p.leaveAsIs(p.heldOff().Run) }, []string{
			"was closed as it was. Nothing was undone", "had the run closed as it was", "VMs shut down: vm1, vm2, vm3",
		}, []string{"drrun resume"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 21, c.world)
			r := c.run(p)
			page := p.page(r.Run)
			for _, want := range c.want {
				one := false
				for text := range strings.SplitSeq(want, "|") {
					one = one || strings.Contains(page, text)
				}
				if !one {
					t.Errorf("the report does not say %q", want)
				}
			}
			for _, never := range c.never {
				if strings.Contains(page, never) {
					t.Errorf("the report says %q", never)
				}
			}
			if t.Failed() {
				t.Logf("exit %d: %+v\n%s", r.Exit, r.Error, page)
			}
			if anew := p.reportNow(r.Run); anew != page {
				t.Errorf("made anew from the journal it is another report:\n%s", firstDifference(page, anew))
			}
		})
	}
}

// interruptedAt interrupts a failover when a stage begins, with one or two Ctrl-C.
func (p *pair) interruptedAt(stage string, twice bool) (result *runner.Result) {
	p.t.Helper()
	p.lose()
	p.do(func(env engine.Env) {
		soft, cancel := context.WithCancel(context.Background())
		hard, cutHard := context.WithCancel(context.Background())
		defer cutHard()
		defer cancel()
		o := p.options(env, writable)
		begun := false
		o.Observe = func(e engine.Event) {
			begun = begun || e.Kind == "stage" && e.Text == stage
			if begun && e.Kind == "intent" { // something is under way
				cancel()
				if twice {
					cutHard()
				}
			}
		}
		result = runner.Start(soft, hard, o)
	})
	expect(p.t, result, runner.ExitInterrupted)
	return result
}

// TestReportOfAKilledRun: the journal is enough, at whatever record it ends, and whoever takes the run up leaves its report right.
func TestReportOfAKilledRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		record int
		want   []string
	}{
		{"before its facts", 2, []string{"was cut off at", "attempt 1 has no end", "nothing was changed"}},
		{"before its first change", 12, []string{"attempt 1 has no end; the last stage was ", "No object of the plan was changed."}},
		{"in the middle", 92, []string{"attempt 1 has no end; the last stage was ", "NOT ISOLATED: do not power on the primary", "1 of 1 storage domain active", "no outcome recorded|attempt 1, without an end|cut off: it has no end"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 4, lab.TwoSitesOptions{})
			p.lose()
			run := p.killedAt(c.record)
			if page := p.page(run); page != "" {
				t.Errorf("a killed process left a report:\n%s", page)
			}
			page := p.reportNow(run)
			for _, want := range append(c.want, "drrun resume "+run, "drrun abort "+run) {
				one := false
				for text := range strings.SplitSeq(want, "|") {
					one = one || strings.Contains(page, text)
				}
				if !one {
					t.Errorf("the report does not say %q:\n%s", want, page)
				}
			}
			p.do(func(env engine.Env) {
				var r runner.Result
				text, err := runner.DocumentOf(env, "/state", run, "")
				if err != nil || json.Unmarshal(text, &r) != nil || r.Status != runner.StatusInterrupted || r.Error.Code != "cut-off" || r.Attempt != 1 || !strings.HasPrefix(r.Error.Hint, "go on: drrun resume "+run) {
					t.Errorf("the document of a killed run: %s, %v", text, err)
				}
				if c.record > 2 && len(r.VMs) != 3 {
					t.Errorf("VMs %+v", r.VMs)
				}
			})
			expect(t, p.resume(run, nil), 0)
			p.do(func(env engine.Env) {
				text, err := runner.DocumentOf(env, "/state", run, "")
				if err != nil || string(text) != p.read("/state/runs/"+run+"/report.json") {
					t.Errorf("the document of a run that ended: %s, %v", text, err)
				}
			})
			page = p.page(run)
			for _, want := range []string{"is done: 3 VMs are up on secondary", "cut off: it has no end", "over 2 attempts, with the time between them"} {
				if !strings.Contains(page, want) {
					t.Errorf("after the resume the report does not say %q:\n%s", want, page)
				}
			}
		})
	}
}

// TestReportOfAnEarlierAttempt: the result that attempt 1 left is told as its own, not as that of attempt 2, which was killed.
func TestReportOfAnEarlierAttempt(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.fail(lab.Fault{Kind: lab.FaultVMBoot, Site: "secondary", Subject: "vm2"})
	p.lose()
	r := p.failover(nil)
	expect(t, r, 4)
	records := strings.Count(p.read("/state/runs/"+r.Run+"/journal.jsonl"), "\n")
	p.disk.OnAppend = func(path string, n int) {
		if strings.HasSuffix(path, "journal.jsonl") && n >= records+8 {
			p.world.Group("drrun").Kill()
		}
	}
	p.resume(r.Run, nil)
	p.disk.OnAppend = nil
	page := p.reportNow(r.Run)
	if !strings.Contains(page, "attempt 2 has no end") || strings.Contains(page, "<h2>Why</h2>") || strings.Count(page, r.Error.Message) != 1 {
		t.Errorf("the report of a killed second attempt:\n%s", page)
	}
}

// TestReportOfADamagedRun tells what stands before the break, and says so at the top.
func TestReportOfADamagedRun(t *testing.T) {
	t.Parallel()
	p := newPair(t, 6, lab.TwoSitesOptions{})
	p.lose()
	r := p.failover(nil)
	expect(t, r, 0)
	journal := "/state/runs/" + r.Run + "/journal.jsonl"
	lines := strings.SplitAfter(p.read(journal), "\n")
	lines[50] = strings.Replace(lines[50], `"time":"2`, `"time":"3`, 1)
	p.write(journal, strings.Join(lines, ""))
	page := p.reportNow(r.Run)
	for _, want := range []string{"The journal of this run is DAMAGED", "record 52: its hash of record 51 does not fit", "nfs_ds", "drrun status /site/plan.lua", "51 records",
		`<dt>VMs up</dt><dd class="neutral">unknown</dd><dd class="note">0 of 3 up to record 51; what came after cannot be read</dd>`,
		`<dt>Recovery time (RTO)</dt><dd class="neutral">unknown</dd>`} {
		if !strings.Contains(page, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if strings.Contains(page, "drrun resume") {
		t.Error("it offers to resume it")
	}
	p.write(journal, "not a journal\n")
	p.do(func(env engine.Env) {
		if _, err := runner.ReportOf(env, "/state", r.Run, ""); err == nil || !strings.Contains(err.Error(), "nothing is known of the run") {
			t.Errorf("of a run without a record: %v", err)
		}
		if _, err := runner.ReportOf(env, "/state", "2019", ""); !errors.Is(err, engine.ErrNoRun) {
			t.Errorf("of no run: %v", err)
		}
	})
}

// TestReportOfARunningRun is made beside the process that works on it.
func TestReportOfARunningRun(t *testing.T) {
	t.Parallel()
	p := newPair(t, 7, lab.TwoSitesOptions{})
	p.lose()
	var page string
	r := p.failover(func(o *runner.Options) {
		env, run := o.Env, ""
		o.Began = func(id string, _ runner.Totals) { run = id }
		o.Observe = func(e engine.Event) {
			if e.Kind == "stage" && e.Text == "boot rank 1" {
				page = reportIn(t, env, run)
				var running *engine.LockedError
				if _, err := runner.DocumentOf(env, "/state", run, ""); !errors.As(err, &running) {
					t.Errorf("the document of a running run: %v", err)
				}
			}
		}
	})
	expect(t, r, 0)
	for _, want := range []string{"is running, in stage boot rank 1, since ", "running, held by user on host", "Nothing, it runs", "1 of 3"} {
		if !strings.Contains(page, want) {
			t.Errorf("the report of a running run does not say %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "drrun resume") {
		t.Error("it offers to resume it")
	}
}

// TestReportOfADryRun says that it was one, and claims nothing about VMs that were not started.
func TestReportOfADryRun(t *testing.T) {
	t.Parallel()
	p := newPair(t, 10, lab.TwoSitesOptions{})
	p.lose()
	r := p.failover(func(o *runner.Options) { o.DryRun = true })
	expect(t, r, 0)
	if _, err := p.disk.ReadFile("/state/dry-runs/runs/" + r.Run + "/report.html"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a dry run leaves a report: %v", err)
	}
	p.do(func(env engine.Env) {
		model, err := runner.ReportOf(env, "/state/dry-runs", r.Run, "")
		if err != nil || !strings.Contains(model.Headline.Sentence, "was tried as a dry run: nothing was changed") || len(model.Figures)+len(model.Attention) > 0 {
			t.Errorf("%+v %v %v %v", model.Headline, model.Figures, model.Attention, err)
		}
	})
}

// TestReportCannotBeWritten: the run has ended all the same, and says how to get the report.
func TestReportCannotBeWritten(t *testing.T) {
	t.Parallel()
	p := newPair(t, 8, lab.TwoSitesOptions{})
	p.lose()
	p.disk.Fault = func(op, path string) error {
		if strings.HasSuffix(path, "report.html") {
			return syscall.ENOSPC
		}
		return nil
	}
	r := p.failover(nil)
	expect(t, r, 0)
	p.disk.Fault = nil
	if n := len(r.Warnings); n == 0 || !strings.Contains(r.Warnings[n-1], "drrun report "+r.Run) || !strings.Contains(r.Warnings[n-1], "no space left") {
		t.Errorf("warnings %q", r.Warnings)
	}
	if status := p.runs()[0].Status; status != "done" {
		t.Errorf("the run ended as %q", status)
	}
	if page := p.page(r.Run); page != "" {
		t.Errorf("half a report:\n%s", page)
	}
}

// builtinFile is a row about a file of drrun's own: its size and digest change with every word of the built-in workflows.
var builtinFile = regexp.MustCompile(`(<tr><td>builtin/[^<]*</td><td>\d+</td>)<td>\d+</td><td><code class="hash">\w+</code></td>`)

// lastRecord is the digest of the journal, which has the digests of those files.
var lastRecord = regexp.MustCompile(`(its last record: <code class="hash">)\w+<`)

// TestReportGolden keeps the whole page of a failover, so that every change of it is seen.
func TestReportGolden(t *testing.T) {
	t.Parallel()
	p := newPair(t, 9, lab.TwoSitesOptions{})
	p.hook(`plan:on("after_rank", function(ctx, rank) ctx:log("rank " .. rank.id .. " is up <b>&</b>") return { told = rank.id } end, { as = "tell" })`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, 0)
	const golden = "testdata/report.html"
	page := builtinFile.ReplaceAllString(p.page(r.Run), "$1<td>SIZE</td><td><code class=\"hash\">DIGEST</code></td>")
	page = lastRecord.ReplaceAllString(page, "${1}DIGEST<")
	if *update {
		if err := os.WriteFile(golden, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if page != string(want) {
		t.Errorf("the report differs from %s (rewrite it with -update):\n%s", golden, firstDifference(string(want), page))
	}
}
