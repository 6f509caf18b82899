package runner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// preview returns what a resume would do, and fails where that wrote or changed anything.
func (p *pair) preview(id string, change func(*runner.Options)) *runner.Preview {
	p.t.Helper()
	var shown *runner.Preview
	files, changes := p.disk.Files(), len(p.allChanges())
	journal := p.read(p.newestJournal())
	r := p.resume(id, func(o *runner.Options) {
		o.PreviewOnly, o.OnPreview = true, func(preview *runner.Preview) { shown = preview }
		if change != nil {
			change(o)
		}
	})
	expect(p.t, r, runner.ExitDone)
	if shown == nil || len(r.Extra["preview"]) == 0 || len(r.Requests) > 0 {
		p.t.Fatalf("shown: %v; requests: %v", shown, r.Requests)
	}
	added := slices.DeleteFunc(p.disk.Files(), func(path string) bool { return slices.Contains(files, path) || strings.HasSuffix(path, "/lock") })
	if len(p.allChanges()) != changes || p.read(p.newestJournal()) != journal || len(added) > 0 {
		p.t.Errorf("a preview changed something: %d requests, %v", len(p.allChanges())-changes, added)
	}
	return shown
}

// rows are the lists of a preview, one line an item.
func rows(p *runner.Preview) string {
	var b strings.Builder
	for _, part := range []struct {
		name  string
		items []runner.PreviewItem
	}{{"skipped", p.Skipped}, {"runs", p.ToRun}, {"lost", p.Lost}, {"older", p.Older}} {
		for _, item := range part.items {
			fmt.Fprintf(&b, "%s: %s %s, attempt %d, may %v: %s\n", part.name, item.What, item.Of, item.Attempt, item.May, item.Why)
		}
	}
	for _, note := range p.Notes {
		b.WriteString("note: " + note + "\n")
	}
	return b.String()
}

func newText(o *runner.Options) { o.NewText, o.PlanFile = true, "" }

// TestPreview holds what a preview says of a run that was stopped at its first rank against what changed in its plan since.
func TestPreview(t *testing.T) {
	t.Parallel()
	const stops = `
plan:on("promote_storage", function(ctx) return { writable = true, as_of = "unknown" } end, { as = "array" })
plan:on("after_import", function(ctx) return ctx:step("notify", function() return "sent" end) end, { as = "mail" })
plan:on("before_rank", function(ctx) error("not yet") end, { as = "stop" })
return plan
`
	for _, c := range []struct {
		name  string
		edit  func(p *pair)
		want  []string
		never []string
	}{
		{
			name: "the same text", edit: func(*pair) {},
			want: []string{
				"skipped: storage domain nfs_ds, attempt 0, may false: attached and active on secondary",
				"skipped: hook promote_storage (array) all, attempt 1, may false: recorded as done",
				"skipped: step notify , attempt 1, may false: recorded as done",
				"runs: VM vm1, attempt 0, may false: it is registered, and is started where it is to run",
				`runs: hook before_rank (stop) rank 0, attempt 1, may false: it failed: `,
				`runs: hook before_rank (stop) rank 1, attempt 0, may false: not recorded yet`,
				"note: the run has the text that is on the disk already",
			},
			never: []string{"lost:", "older:"},
		},
		{
			name: "a function", edit: func(p *pair) { p.edit(`as_of = "unknown" } end`, `as_of =  "unknown" } end`) },
			want: []string{
				"older: hook promote_storage (array) all, attempt 1, may false: its function is another one now: /site/plan.lua:",
				"older: hook after_import (mail) nfs_ds, attempt 1, may true: its function is the same, other lines of /site/plan.lua have changed",
				"older: step notify , attempt 1, may true: /site/plan.lua, which names it, has changed: it may be another one now",
			},
			never: []string{"lost:"},
		},
		{
			name: "a hook is gone, and its step", edit: func(p *pair) {
				p.edit(`plan:on("after_import", function(ctx) return ctx:step("notify", function() return "sent" end) end, { as = "mail" })`, "")
			},
			want: []string{
				`lost: hook after_import (mail) nfs_ds, attempt 1, may false: the plan has no handler "mail" of after_import any more; recorded as done`,
				`lost: step notify , attempt 1, may true: no file of the plan holds the name "notify" any more: it may be lost; recorded as done`,
			},
		},
		{
			name: "a step has another name", edit: func(p *pair) { p.edit(`ctx:step("notify", function`, `ctx:step("post", { was = "notify" }, function`) },
			want:  []string{`skipped: step notify , attempt 1, may false: a step of another name goes on with it (was = "notify")`},
			never: []string{"lost:"},
		},
		{
			name: "another hook asks nobody", edit: func(p *pair) {
				p.edit(`plan:on("before_rank", function(ctx) error("not yet") end, { as = "stop" })`, `plan:on("after_start", function(ctx) end, { as = "new" })`)
			},
			want: []string{
				`lost: hook before_rank (stop) rank 0, attempt 1, may false: the plan has no handler "stop" of before_rank any more; recorded as failed`,
				"runs: hook after_start (new) vm1, attempt 0, may true: not recorded yet",
			},
		},
		{
			name: "a workflow of its own", edit: func(p *pair) { p.edit("return plan\n", "function plan.failover(ctx) end\nreturn plan\n") },
			want: []string{"note: the plan has a workflow of its own", "runs: hook before_rank (stop) rank 1, attempt 0, may true: not recorded yet"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			p.edit("return plan\n", stops)
			p.lose()
			stopped := p.failover(nil)
			expect(t, stopped, runner.ExitStopped)
			c.edit(p)
			got := rows(p.preview(stopped.Run, newText))
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("the preview does not say %q:\n%s", want, got)
				}
			}
			for _, never := range c.never {
				if strings.Contains(got, never) {
					t.Errorf("the preview says %q:\n%s", never, got)
				}
			}
		})
	}
}

// TestPreviewNamesFiles tells which files of a plan changed, came and went, wherever the new text lies.
func TestPreviewNamesFiles(t *testing.T) {
	t.Parallel()
	p := newPair(t, 9, lab.TwoSitesOptions{})
	p.write("/site/lib/same.lua", "return {}")
	p.write("/site/lib/gone.lua", "return {}")
	p.write("/site/lib/other.lua", "return {}")
	p.edit("return plan\n", `require "same" require "gone" require "other"
plan:on("before_rank", function(ctx) error("not yet") end)
return plan
`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitStopped)
	p.write("/new/plan.lua", strings.Replace(p.read("/site/plan.lua"), `require "gone"`, `require "came"`, 1))
	p.write("/new/lib/same.lua", "return {}")
	p.write("/new/lib/came.lua", "return {}")
	p.write("/new/lib/other.lua", "return { 1 }")
	preview := p.preview(r.Run, func(o *runner.Options) { o.NewText, o.PlanFile = true, "/new/plan.lua" })
	var got []string
	for _, file := range preview.Files {
		got = append(got, file.Path+" "+file.Lines[len(file.Lines)-1])
	}
	want := []string{"/new/lib/came.lua + return {}", "/new/lib/other.lua + return { 1 }", `/new/plan.lua + require "same" require "came" require "other"`, "/site/lib/gone.lua nothing requires it any more"}
	if !slices.Equal(got, want) {
		t.Errorf("files\n%q\nwant\n%q", got, want)
	}
}

// TestPreviewOfCuts kills a run inside of hooks and behind a start, and reads what is to come of that.
func TestPreviewOfCuts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, kind, text, want string }{
		{"a hook that asks", "step", "hook promote_storage (array): runs", "runs: hook promote_storage (array) all, attempt 1, may false: cut off, its outcome is not known: you are asked whether it was done (cut:hook:promote_storage/array/group/all)"},
		{"a hook that is retried", "step", "hook before_import (note): runs", "runs: hook before_import (note) nfs_ds, attempt 1, may false: cut off, its outcome is not known: it runs again, with ctx.retried"},
		{"at a start", "intent", "vm.start", "skipped: VM vm1, attempt 0, may false: its start was asked for, and what came of that is not recorded: it is looked at, and started only where the engine shows that it was not"},
		{"behind a start", "mark", "up", "skipped: VM vm1, attempt 0, may false: started, and it was up: it is looked at, not started again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 2, lab.TwoSitesOptions{})
			p.edit("return plan\n", `plan:on("promote_storage", function(ctx) return { writable = true, as_of = "unknown" } end, { as = "array" })
plan:on("before_import", function(ctx) end, { as = "note" })
return plan
`)
			p.lose()
			killed := false
			p.failover(func(o *runner.Options) {
				p.whenever(func(e engine.Event) {
					if e.Kind == c.kind && e.Text == c.text && !killed {
						killed = true
						p.world.Group("drrun").Kill()
					}
				})(o)
			})
			run := p.runs()[0]
			got := rows(p.preview(run.ID, nil))
			if !strings.Contains(got, c.want) {
				t.Errorf("the preview does not say %q:\n%s", c.want, got)
			}
		})
	}
}

// TestPreviewOfLaterTexts takes two texts one after the other: what was done is held against the text that did it.
func TestPreviewOfLaterTexts(t *testing.T) {
	t.Parallel()
	p := newPair(t, 4, lab.TwoSitesOptions{})
	p.edit("return plan\n", `plan:on("before_import", function(ctx) return "one" end, { as = "first" })
plan:on("before_rank", function(ctx) error("not yet") end, { as = "stop" })
return plan
`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitStopped)
	p.edit(`{ as = "stop" })`, `{ as = "stop" })
plan:on("after_import", function(ctx) return "two" end, { as = "second" })`)
	takes := func(o *runner.Options) {
		newText(o)
		o.Asker = answers{"resume_plan": "yes", "promote_storage": "writable,as_of=unknown"}
	}
	expect(t, p.resume(r.Run, takes), runner.ExitStopped)
	p.edit(`"two"`, `"three"`)
	got := rows(p.preview(r.Run, newText))
	for _, want := range []string{
		"older: hook before_import (first) nfs_ds, attempt 1, may true: its function is the same",
		"older: hook after_import (second) nfs_ds, attempt 2, may false: its function is another one now",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the preview does not say %q:\n%s", want, got)
		}
	}
	// A plain look goes by the text that the run has: the second one.
	if got := rows(p.preview(r.Run, nil)); !strings.Contains(got, "skipped: hook after_import (second) nfs_ds, attempt 2") || !strings.Contains(got, "older: hook before_import (first) nfs_ds, attempt 1, may true") {
		t.Errorf("the preview says:\n%s", got)
	}
	p.edit(`error("not yet")`, "")
	expect(t, p.resume(r.Run, takes), runner.ExitDone)
}

// TestNewTextIsTakenWhole gives a resume another text in another folder, with its own library and other parameters, cuts it before and
// behind the moment at which that becomes the run's, and resumes it plainly.
func TestNewTextIsTakenWhole(t *testing.T) {
	t.Parallel()
	for _, taken := range []bool{false, true} {
		t.Run(fmt.Sprintf("taken %v", taken), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 5, lab.TwoSitesOptions{})
			p.edit("  storage_domains = {", "  params = { who = \"nobody\" },\n  storage_domains = {")
			p.edit("return plan\n", `plan:on("before_rank", function(ctx) error("not yet") end)
return plan
`)
			p.lose()
			r := p.failover(nil)
			expect(t, r, runner.ExitStopped)
			text := strings.Replace(p.read("/site/plan.lua"), `error("not yet")`, `ctx:log(require("words").of(ctx.params.who))`, 1)
			p.write("/mended/plan.lua", strings.Replace(text, `"nobody"`, `"text"`, 1))
			p.write("/libs/words.lua", `return { of = function(who) return "asked by " .. who end }`)
			again := p.resume(r.Run, func(o *runner.Options) {
				o.NewText, o.PlanFile, o.LibDirs, o.ParamOverrides = true, "/mended/plan.lua", []string{"/libs"}, []string{"who=Ann"}
				o.Asker = answers{"resume_plan": "yes", "promote_storage": "writable,as_of=unknown"}
				p.whenever(func(e engine.Event) {
					if taken && e.Kind == "decision" {
						p.world.Group("drrun").Kill()
					}
				})(o)
				if !taken {
					o.Secrets.Env = func(string) (string, bool) { return "", false } // it does not get into the engines
				}
			})
			p.remove("/mended/plan.lua")
			p.remove("/libs/words.lua")
			if !taken {
				if again.Exit == runner.ExitDone || strings.Contains(p.read(p.journal()), `"kind":"snapshot"`) {
					t.Fatalf("the text was taken: %+v", again.Error)
				}
				last := p.resume(r.Run, nil)
				expect(t, last, runner.ExitStopped)
				if !strings.Contains(last.Error.Message, "not yet") {
					t.Errorf("it went on with another text: %+v", last.Error)
				}
				return
			}
			expect(t, p.resume(r.Run, nil), runner.ExitDone)
			if !strings.Contains(p.read(p.journal()), `"text":"asked by Ann"`) {
				t.Error("the library or the parameter of the new text is not what the run went on with")
			}
		})
	}
}

// TestRedoKeys repeats hooks that are named, once; one that promotes only on a person's word, whatever its on_cut says.
func TestRedoKeys(t *testing.T) {
	t.Parallel()
	p := newPair(t, 6, lab.TwoSitesOptions{})
	p.edit("return plan\n", `plan:on("before_import", function(ctx) ctx:log("noted") end, { as = "note", on_cut = "retry" })
plan:on("promote_storage", function(ctx) ctx:log("split") return { writable = true, as_of = "unknown" } end, { as = "array", on_cut = "retry" })
plan:on("before_rank", function(ctx) if ctx.run.attempt < 3 then error("not yet") end end)
return plan
`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitStopped)
	noted := "hook:before_import/note/storage_domain/" + p.domainID("nfs_ds")
	const split = "hook:promote_storage/array/group/all"
	refused := p.resume(r.Run, func(o *runner.Options) { o.Redo, o.Asker = []string{split}, answers{} })
	expect(t, refused, runner.ExitRefused)
	if refused.Error.Code != "needs-answer" {
		t.Errorf("%+v", refused.Error)
	}
	expect(t, p.resume(r.Run, func(o *runner.Options) { o.Redo, o.Asker = []string{noted, split}, answers{"redo": "yes"} }), runner.ExitStopped)
	expect(t, p.resume(r.Run, nil), runner.ExitDone)
	journal := p.read(p.journal())
	for text, times := range map[string]int{`"text":"noted"`: 2, `"text":"split"`: 2, `"again":"redo"`: 2, "user on host repeats " + noted: 1} {
		if n := strings.Count(journal, text); n != times {
			t.Errorf("the journal says %q %d times, want %d", text, n, times)
		}
	}
}

// TestResumeHasWhatIsRequiredLater resumes a run on a library that only a hook requires, which the first attempt had not come to.
func TestResumeHasWhatIsRequiredLater(t *testing.T) {
	t.Parallel()
	p := newPair(t, 7, lab.TwoSitesOptions{})
	p.write("/site/lib/words.lua", `return { text = "kept" }`)
	p.edit("return plan\n", `plan:on("before_rank", function(ctx) if ctx.run.attempt == 1 then error("not yet") end ctx:log(require("words").text) end)
return plan
`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitStopped)
	p.remove("/site/lib/words.lua")
	expect(t, p.resume(r.Run, nil), runner.ExitDone)
	if !strings.Contains(p.read(p.journal()), `"text":"kept"`) {
		t.Error("the library is not what the run began with")
	}
}

// TestParamsOutliveAnEdit changes a parameter with another text, and edits that text at the terminal when it fails: the parameter stays.
func TestParamsOutliveAnEdit(t *testing.T) {
	t.Parallel()
	p := newPair(t, 8, lab.TwoSitesOptions{})
	p.edit("  storage_domains = {", "  params = { who = \"nobody\" },\n  storage_domains = {")
	p.edit("return plan\n", `plan:on("before_rank", function(ctx) error("first") end)
return plan
`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitStopped)
	p.edit(`error("first")`, `error("second")`)
	who := &decisions{t: t, asks: []func(runner.Failure) string{func(runner.Failure) string {
		p.edit(`error("second")`, `ctx:log("asked by " .. ctx.params.who)`)
		return runner.DecideEdit
	}}}
	again := p.resume(r.Run, func(o *runner.Options) {
		newText(o)
		o.ParamOverrides, o.OnFailure = []string{"who=Ann"}, who.ask
		a := answers{"resume_plan": "yes", "promote_storage": "writable,as_of=unknown", "confirm_source_down": confirmed}
		o.Asker, o.CanAnswer = a, a.can
	})
	expect(t, again, runner.ExitDone)
	if !strings.Contains(p.read(p.journal()), `"text":"asked by Ann"`) {
		t.Error("the edit has lost the parameter")
	}
}
