package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/stdlib"
)

var start = time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return start.Add(d) }

// told is a journal that a test writes.
type told struct {
	t    *testing.T
	info engine.RunInfo
}

func tell(t *testing.T, facts stdlib.Facts) *told {
	j := &told{t: t, info: engine.RunInfo{
		ID: "20261120-0300-abcdef", Started: start, Attempts: 1,
		Head: engine.Head{Plan: "P", Action: "failover", Source: "primary", Target: "secondary"},
	}}
	facts.Source, facts.Target = "primary", "secondary"
	j.add(0, engine.Record{Kind: "attempt", Attempt: 1, User: "ann", Host: "dr1"})
	j.add(0, engine.Record{Kind: "facts", Data: j.json(facts)})
	return j
}

func (j *told) json(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		j.t.Fatal(err)
	}
	return raw
}

func (j *told) add(d time.Duration, rec engine.Record) {
	rec.N, rec.Time = int64(len(j.info.Records)+1), after(d)
	j.info.Records = append(j.info.Records, rec)
}

func (j *told) note(d time.Duration, kind string, s engine.Subject, data any) {
	j.add(d, engine.Record{Kind: "note", Note: kind, Subject: &s, Data: j.json(data)})
}

func (j *told) up(d time.Duration, id string) {
	started, ready := after(d-time.Minute), after(d)
	j.add(d, engine.Record{Kind: "mark", Mark: &engine.Status{
		Subject: engine.Subject{Kind: "vm", Site: "secondary", ID: id}, State: stdlib.StateUp, StartedAt: &started, UpAt: &ready,
	}})
}

func (j *told) promoted(d time.Duration, group, answer string) {
	key := engine.PromptKey("promote_storage:" + group)
	j.add(d, engine.Record{Kind: "step", Step: &engine.StepRecord{Key: key, Digest: "d"}})
	j.add(d, engine.Record{Kind: "result", Result: &engine.ResultRecord{Key: key, Digest: "d", OK: true, Value: j.json(answer)}})
}

func (j *told) looked(d time.Duration, v stdlib.Verdict) {
	v.At = after(d)
	j.note(d, "evidence", engine.Subject{Kind: "site", Name: "primary"}, v)
}

func (j *told) figure(name string) Figure {
	j.t.Helper()
	m, err := Build(Input{Run: &j.info})
	if err != nil {
		j.t.Fatal(err)
	}
	for _, f := range m.Figures {
		if strings.HasPrefix(f.Name, name) {
			return f
		}
	}
	j.t.Fatalf("no figure %s in %+v", name, m.Figures)
	return Figure{}
}

func TestRecoveryTime(t *testing.T) {
	t.Parallel()
	vm := func(id string, required bool) stdlib.FactVM {
		return stdlib.FactVM{ID: id, Name: id, Required: required}
	}
	for name, tt := range map[string]struct {
		vms         []stdlib.FactVM
		happens     func(j *told)
		value, note string
	}{
		"all count where none is required": {[]stdlib.FactVM{vm("a", false), vm("b", false)}, func(j *told) {
			j.up(5*time.Minute, "a")
			j.up(9*time.Minute, "b")
		}, "9m00s", "the last VM was ready: b at 03:09:00"},
		"the required ones count": {[]stdlib.FactVM{vm("a", true), vm("b", false)}, func(j *told) {
			j.up(5*time.Minute, "a")
			j.up(9*time.Minute, "b")
		}, "5m00s", "the last required VM was ready: a at 03:05:00"},
		"a boot condition is waited for": {[]stdlib.FactVM{vm("a", false)}, func(j *told) {
			j.up(5*time.Minute, "a")
			j.note(7*time.Minute, "boot_condition", engine.Subject{Kind: "vm", ID: "a"}, map[string]any{"ok": true, "why": "it answers"})
		}, "7m00s", "a at 03:07:00"},
		"one is not up": {[]stdlib.FactVM{vm("a", true), vm("b", true)}, func(j *told) { j.up(time.Minute, "a") }, "not reached", "1 of 2 required VMs ready"},
		"one is left down on purpose": {[]stdlib.FactVM{vm("a", false), vm("b", false)}, func(j *told) {
			j.up(2*time.Minute, "a")
			j.add(0, engine.Record{Kind: "mark", Mark: &engine.Status{Subject: engine.Subject{Kind: "vm", Site: "secondary", ID: "b"}, State: stdlib.StateNotStarted}})
		}, "2m00s", "a at 03:02:00"},
		"the silence of the source": {[]stdlib.FactVM{vm("a", false)}, func(j *told) {
			j.looked(time.Minute, stdlib.Verdict{Answers: true})
			j.looked(2*time.Minute, stdlib.Verdict{})
			j.looked(3*time.Minute, stdlib.Verdict{})
			j.up(5*time.Minute, "a")
		}, "5m00s", "3m00s after the run first saw primary silent"},
		"nothing to start": {nil, func(*told) {}, "none", "no VM was to come up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := tell(t, stdlib.Facts{VMs: tt.vms})
			tt.happens(j)
			if f := j.figure("Recovery time"); f.Value != tt.value || !strings.Contains(f.Note, tt.note) {
				t.Errorf("%s (%s), want %s (… %s)", f.Value, f.Note, tt.value, tt.note)
			}
		})
	}
}

func TestDataLoss(t *testing.T) {
	t.Parallel()
	groups := []stdlib.FactDomain{{ID: "1", Group: "a"}, {ID: "2", Group: "b"}}
	for name, tt := range map[string]struct {
		planned     bool
		happens     func(j *told)
		value, note string
	}{
		"nobody has answered yet": {false, func(j *told) { j.promoted(0, "a", "writable,as_of=unknown") }, "not known yet", "of 1 of 2 consistency groups"},
		"the oldest copy counts": {false, func(j *told) {
			j.looked(time.Minute, stdlib.Verdict{})
			j.promoted(0, "a", "writable,as_of=2026-11-20T02:59:00Z")
			j.promoted(0, "b", "writable,as_of=2026-11-20T02:50:00Z")
		}, "at most 11m00s", "as of 2026-11-20 02:50:00, and primary was first seen silent at 03:01:00"},
		"one is unknown": {false, func(j *told) {
			j.promoted(0, "a", "writable,as_of=2026-11-20T02:59:00Z")
			j.promoted(0, "b", "writable,as_of=unknown")
		}, "unknown", "group b"},
		"a later answer counts": {false, func(j *told) {
			j.promoted(0, "a", "writable,as_of=unknown")
			j.promoted(0, "b", "writable,in_sync")
			j.promoted(0, "a", "writable,in_sync")
		}, "none", "in sync"},
		"planned": {true, func(j *told) {
			j.promoted(0, "a", "writable,in_sync")
			j.promoted(0, "b", "writable,in_sync")
		}, "none", "holds the last write of primary"},
		"planned, and given up": {true, func(j *told) {
			j.add(0, engine.Record{Kind: "confirm", Note: "accept_loss", Data: j.json(stdlib.Confirmation{Name: "Bob", Reason: "old"})})
			j.promoted(0, "a", "writable,as_of=unknown")
			j.promoted(0, "b", "writable,in_sync")
		}, "accepted", "Bob gave up by name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := tell(t, stdlib.Facts{Planned: tt.planned, Domains: groups})
			tt.happens(j)
			if f := j.figure("Data loss"); f.Value != tt.value || !strings.Contains(f.Note, tt.note) {
				t.Errorf("%s (%s), want %s (… %s)", f.Value, f.Note, tt.value, tt.note)
			}
		})
	}
}

// TestScale: time goes from left to right, pauses are short, and no journal is too strange to be drawn.
func TestScale(t *testing.T) {
	t.Parallel()
	lasting := func(from, to time.Duration) *era { return &era{from: after(from), to: after(to)} }
	century := 100 * 365 * 24 * time.Hour
	for name, tt := range map[string]struct {
		attempts []*era
		at       map[time.Duration]float64
		ticks    string
	}{
		"one attempt":         {[]*era{lasting(0, 10*time.Minute)}, map[time.Duration]float64{-time.Hour: 0, 0: 0, 5 * time.Minute: 500, time.Hour: 1000}, "+0s +2m +4m +6m +8m"},
		"a night in between":  {[]*era{lasting(0, 5*time.Minute), lasting(8*time.Hour, 8*time.Hour+5*time.Minute)}, map[time.Duration]float64{5 * time.Minute: 471.7, 4 * time.Hour: 499.7, 8 * time.Hour: 528.3}, "+0s +2m +4m +8h +8h02m +8h04m"},
		"cut at once":         {[]*era{lasting(0, 0)}, map[time.Duration]float64{0: 0}, "+0s"},
		"a clock set back":    {[]*era{lasting(time.Hour, time.Hour+time.Minute), lasting(0, time.Minute)}, map[time.Duration]float64{time.Hour: 0}, ""},
		"longer than a life":  {[]*era{lasting(0, century)}, map[time.Duration]float64{century / 2: 500}, ""},
		"nothing was written": {nil, map[time.Duration]float64{0: 0}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScale(tt.attempts)
			for d, want := range tt.at {
				if got := s.at(after(d)); got < want-0.1 || got > want+0.1 {
					t.Errorf("%s is at %.1f, want %.1f", d, got, want)
				}
			}
			var labels []string
			for _, tick := range s.ticks(start) {
				labels = append(labels, tick.Label)
			}
			if got := strings.Join(labels, " "); tt.ticks != "" && got != tt.ticks {
				t.Errorf("ticks %s, want %s", got, tt.ticks)
			}
			for _, b := range []Bar{s.bar(start, start, "", ""), s.bar(start, after(24*time.Hour), "", ""), s.bar(after(time.Hour), start, "", "")} {
				if b.X < 0 || b.W <= 0 || b.X+b.W > width+0.2 {
					t.Errorf("a bar from %.1f, %.1f wide", b.X, b.W)
				}
			}
		})
	}
}

// TestRedacted: no text of the model gets past the filter, whatever is added to it.
func TestRedacted(t *testing.T) {
	t.Parallel()
	const secret = `p&ss"word`
	var m Model
	texts := fill(reflect.ValueOf(&m).Elem(), secret)
	if texts < 80 {
		t.Fatalf("the model has %d texts only", texts)
	}
	redactStrings(&m, func(s string) string { return strings.ReplaceAll(s, secret, "***") })
	if left := fmt.Sprintf("%+v", m); strings.Contains(left, secret) {
		t.Errorf("a text was left: %s", left)
	}
}

// TestHostileTexts: whatever stands in a name, an answer or an error, the page has no element of it and asks for nothing.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(2)></style><style>@import url(https://attacker.example)</style>`
	var m Model
	fill(reflect.ValueOf(&m).Elem(), hostile)
	var page bytes.Buffer
	if err := HTML(&page, m); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	if shown := strings.Count(text, "&lt;script&gt;alert(1)"); shown < 60 {
		t.Errorf("the page shows %d texts only", shown)
	}
	for _, never := range []string{"<script", "<img", "<iframe", "onerror=alert(2)>", "<style>@import"} {
		if strings.Contains(text, never) {
			at := strings.Index(text, never)
			t.Errorf("the page has %s: %s", never, text[max(0, at-100):at+50])
		}
	}
	if n := strings.Count(text, "<style>"); n != 1 {
		t.Errorf("the page has %d styles", n)
	}
	if !Is(page.Bytes()) || Is([]byte("<!DOCTYPE html><title>a page of somebody's</title>")) || Is(nil) {
		t.Error("a report is not told from other pages")
	}
}

// fill puts a text everywhere, and returns at how many places.
func fill(v reflect.Value, text string) (texts int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return 1
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return fill(v.Index(0), text)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return 0
		}
		for i := range v.NumField() {
			texts += fill(v.Field(i), text)
		}
	}
	return texts
}

// TestEvidenceRows joins looks with the same verdict, and notices a source that answers again after somebody's word.
func TestEvidenceRows(t *testing.T) {
	t.Parallel()
	j := tell(t, stdlib.Facts{VMs: []stdlib.FactVM{{ID: "a", Name: "a"}}})
	word := stdlib.Verdict{Holds: true, Ground: stdlib.GroundConfirmed, Confirmation: &stdlib.Confirmation{Name: "Ann"}}
	for i := range 3 {
		word.Why = fmt.Sprint("look ", i)
		j.looked(time.Duration(i)*time.Minute, word)
	}
	j.add(3*time.Minute, engine.Record{Kind: "intent", Intent: &engine.Intent{ID: "x-1", Op: "vm.start", Subject: engine.Subject{Kind: "vm", ID: "a"}}})
	m, err := Build(Input{Run: &j.info})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Looks) != 1 || m.Looks[0].Count != 3 || m.Looks[0].Why != "look 2" || !m.Looks[0].Last.Equal(after(2*time.Minute)) {
		t.Errorf("looks %+v", m.Looks)
	}
	if len(m.Alerts) != 1 || m.Alerts[0].Tone != Bad || m.Alerts[0].Text != stdlib.NotIsolatedVerdict("primary", "Ann", false) {
		t.Errorf("alerts %+v", m.Alerts)
	}
	j.looked(4*time.Minute, stdlib.Verdict{Answers: true, Why: "nfs_ds is active"})
	if m, err = Build(Input{Run: &j.info}); err != nil || len(m.Looks) != 2 || m.Alerts[0].Text != stdlib.NotIsolatedVerdict("primary", "Ann", true) {
		t.Errorf("when it answers again: %+v %+v %v", m.Looks, m.Alerts, err)
	}
	j.add(5*time.Minute, engine.Record{Kind: "attempt", Attempt: 2})
	j.info.Attempts = 2
	j.looked(6*time.Minute, stdlib.Verdict{Answers: true, Why: "nfs_ds is active"})
	if m, err = Build(Input{Run: &j.info}); err != nil || len(m.Looks) != 3 || m.Looks[2].Attempt != 2 {
		t.Errorf("in another attempt: %+v %v", m.Looks, err)
	}
}

// TestRequestsStayFolded: the changing requests are printed only by who opens them; they would be half of the pages.
func TestRequestsStayFolded(t *testing.T) {
	t.Parallel()
	j := tell(t, stdlib.Facts{})
	j.add(time.Second, engine.Record{Kind: "intent", Intent: &engine.Intent{ID: j.info.ID + "-1", Op: "vm.start", Site: "secondary"}})
	model, err := Build(Input{Run: &j.info})
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := HTML(&page, model); err != nil {
		t.Fatal(err)
	}
	if want := `<section id="requests"><details><summary>Changing requests: 1</summary>`; !strings.Contains(page.String(), want) {
		t.Errorf("the page does not have %s", want)
	}
}
