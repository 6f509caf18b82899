package runner_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// arrayDrivers are the ways in which the examples speak to the arrays of the lab: the text of plan:use.
func arrayDrivers(t *testing.T, f *field) map[string]string {
	ssh := func(login string) string {
		text := "require \"site.array_ssh\" {"
		for _, array := range f.arrays.Arrays {
			host, port := hostPort(t, array.SSH)
			text += "\n  " + array.Site + " = { host = \"" + host + "\", port = " + port + ", user = \"drrun\", " + strings.ReplaceAll(login, "SITE", array.Site) + " },"
		}
		return text + "\n  OPTIONS}"
	}
	rest := "require \"site.array_rest\" {"
	for _, array := range f.arrays.Arrays {
		rest += "\n  " + array.Site + " = { url = \"" + array.URL + "\", user = \"drrun\", password = dr.secret \"" + array.Site + "_array_password\", ca_file = \"" + array.Site + "-ca.pem\" },"
	}
	return map[string]string{
		"rest": rest + "\n  OPTIONS}", "ssh": ssh(`password = dr.secret "SITE_array_password"`), "ssh with a key": ssh(`key_file = "array-key"`),
	}
}

// driven is a lab with the generated plan and one of the drivers.
func driven(t *testing.T, seed uint64, size lab.TwoSitesOptions, driver, options string) *field {
	t.Helper()
	f := newField(t, seed, size, "../../examples/libraries", "not-this-plan.lua")
	f.put("plan.lua", strings.Replace(f.read("/site/plan.lua"), "return plan\n", "plan:use("+strings.Replace(arrayDrivers(t, f)[driver], "OPTIONS", options, 1)+")\nreturn plan\n", 1))
	return f
}

var driverNames = []string{"rest", "ssh", "ssh with a key"}

// TestArrayDriverThereAndBack moves the VMs over and home again, twice. Nobody is asked anything, and nothing is done by hand.
func TestArrayDriverThereAndBack(t *testing.T) {
	t.Parallel()
	for i, driver := range driverNames {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			f := driven(t, uint64(i), lab.TwoSitesOptions{Domains: 2, VMs: 4}, driver, "")
			before := f.counters("primary")
			for range 2 {
				r := f.run(plans.ActionFailover, true, nil)
				expect(t, r, runner.ExitDone)
				f.verdicts(r, "nothing lost", "reverse replication: ready")
				f.sound("secondary", before)
				before = f.counters("secondary")
				r = f.run(plans.ActionFailback, true, nil)
				expect(t, r, runner.ExitDone)
				f.verdicts(r, "nothing lost", "reverse replication: ready")
				f.sound("primary", before)
				before = f.counters("primary")
			}
		})
	}
}

// TestArrayDriverAfterADisaster: the failover asks only the array that is left. On the way home the old copy is overwritten, which the
// plan must allow.
func TestArrayDriverAfterADisaster(t *testing.T) {
	t.Parallel()
	for i, driver := range driverNames[:2] {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			f := driven(t, uint64(i), lab.TwoSitesOptions{}, driver, "")
			f.wait(time.Minute)
			lost := f.lab.View().Time
			if err := f.lab.Disaster("primary"); err != nil {
				t.Fatal(err)
			}
			r := f.run(plans.ActionFailover, false, nil)
			expect(t, r, runner.ExitDone)
			f.verdicts(r, "as of "+lost.Add(-lab.DefaultLag).Format("2006-01-02T15:04:05"), "reverse replication: NOT ready")
			if warned := strings.Join(r.Warnings, "\n"); !strings.Contains(warned, "was not made read-only at primary") || !strings.Contains(warned, "is not replicated from secondary to primary: the array of primary does not answer") {
				t.Errorf("warnings: %s", warned)
			}
			before := f.counters("secondary")
			f.heal()
			f.story = len(f.lab.View().Violations) // the site that came back started its VM that is highly available
			refused := f.run(plans.ActionFailback, true, nil)
			if refused.Exit == runner.ExitDone || !strings.Contains(refused.Error.Message, "set discard_old = true") {
				t.Fatalf("exit %d: %+v", refused.Exit, refused.Error)
			}
			for _, vm := range f.lab.View().Sites["secondary"].VMs {
				if vm.Status != "up" {
					t.Errorf("%s is %s, and the way home was refused", vm.Name, vm.Status)
				}
			}
			f.change("\n  })", "\n  discard_old = true })")
			expect(t, f.resumeWith(refused.Run), runner.ExitDone)
			f.sound("primary", before)
		})
	}
}

// resumeWith goes on with a run on the text that the plan has now.
func (f *field) resumeWith(run string) *runner.Result {
	f.t.Helper()
	return f.resume(run, func(o *runner.Options) {
		f.options(o)
		said := answers{stdlib.QuestionResumePlan: "yes"}
		o.ConfirmSourceDown, o.NewText, o.Asker, o.CanAnswer = "", true, said, said.can
	})
}

// arrayJobs counts what an array was told to do, by operation.
func (f *field) arrayJobs(site string) map[string]int {
	f.t.Helper()
	done := map[string]int{}
	for id := 1; ; id++ {
		request := httptest.NewRequest("GET", "https://array/api/v1/jobs/"+strconv.Itoa(id), nil)
		request.SetBasicAuth("drrun", f.arrays.Array(site).Password)
		recorder := httptest.NewRecorder()
		f.lab.ArrayHandler(site, 0).ServeHTTP(recorder, request)
		var job struct{ Operation, State string }
		if recorder.Code != 200 {
			return done
		}
		if err := json.Unmarshal(recorder.Body.Bytes(), &job); err != nil {
			f.t.Fatal(err)
		}
		done[job.Operation]++
	}
}

// TestArrayDriverIsKilledInAJob kills drrun while the array works on what it was told. The resumed run waits for that job.
func TestArrayDriverIsKilledInAJob(t *testing.T) {
	t.Parallel()
	for i, job := range []struct{ site, operation string }{
		{"primary", "read-only"}, {"secondary", "update"}, {"secondary", "quiesce"}, {"secondary", "break"}, {"secondary", "resync"},
	} {
		f := driven(t, uint64(i), lab.TwoSitesOptions{}, driverNames[i%2], "")
		before := f.counters("primary")
		killed := false
		f.world.Daemon("killer").Go(func() {
			for f.arrayJobs(job.site)[job.operation] == 0 {
				_, _ = f.world.Clock().Wait(context.Background(), 300*time.Millisecond, nil) // nothing ends it
			}
			killed = true
			f.world.Group("drrun").Kill()
		})
		f.run(plans.ActionFailover, true, nil)
		if !killed {
			t.Fatalf("%s was not begun", job.operation)
		}
		f.resumed(t, i, before)
	}
}

// TestArrayDriverIsKilled kills drrun behind records that its storage hooks write: before a job of the array, and behind it. The resumed run
// asks the array what is done, and nothing is done twice.
func TestArrayDriverIsKilled(t *testing.T) {
	t.Parallel()
	ofStorage := func(r engine.Record) bool {
		return r.Step != nil && strings.Contains(r.Step.Key, "_storage/") || r.Result != nil && strings.Contains(r.Result.Key, "_storage/") ||
			r.Step != nil && strings.Contains(r.Step.Key, "_replication/") || r.Result != nil && strings.Contains(r.Result.Key, "_replication/")
	}
	for n := 1; ; n += 2 {
		f := driven(t, uint64(n), lab.TwoSitesOptions{}, driverNames[n/2%2], "")
		seen := 0
		killed := f.killAtRecord(func(r engine.Record) bool {
			if ofStorage(r) {
				seen++
			}
			return seen == n
		})
		before := f.counters("primary")
		f.run(plans.ActionFailover, true, nil)
		if !*killed {
			if n < 10 {
				t.Errorf("the storage hooks wrote %d records only", n-1)
			}
			return
		}
		f.resumed(t, n, before)
	}
}

// resumed goes on with the run that was killed and looks at what became of it.
func (f *field) resumed(t *testing.T, n int, before map[string]int64) {
	t.Helper()
	r := f.resume(f.runs()[0].ID, func(o *runner.Options) {
		f.options(o)
		o.ConfirmSourceDown = ""
	})
	if r.Exit != runner.ExitDone {
		t.Fatalf("killed at %d: exit %d: %+v", n, r.Exit, r.Error)
	}
	f.verdicts(r, "nothing lost", "reverse replication: ready")
	f.sound("secondary", before)
	if jobs := f.arrayJobs("secondary"); jobs["break"] != 1 || jobs["resync"] != 1 || jobs["quiesce"] != 1 || jobs["update"] > 2 {
		t.Errorf("killed at %d: the array was told %v", n, jobs)
	}
	if jobs := f.arrayJobs("primary"); jobs["read-only"] != 1 {
		t.Errorf("killed at %d: the array of the primary was told %v", n, jobs)
	}
}
