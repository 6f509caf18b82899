package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

// sample makes a journal with every kind of record and returns its bytes.
func sample(t testing.TB, notes int) []byte {
	w := sim.New(5)
	defer w.Close()
	var data []byte
	w.Run(func() {
		env := w.Env()
		r := newRun(env)
		check(r.SetFacts(map[string]any{"vms": []string{"db1"}}))
		vm := engine.Subject{Kind: "vm", Site: "secondary", ID: "id1", Name: "db1"}
		p := must(r.Begin(background, engine.Intent{Op: "vm.start", Method: "POST", Path: "/vms/id1/start", Subject: vm}))
		p.Done(engine.Outcome{Unknown: true, Error: "connection reset"})
		r.Settle(p.ID(), true, "event 32 with the correlation id")
		_ = must(r.Durable(background, engine.Durable{Key: "old"}, func(ctx contextT, _ bool) (any, error) { return 1, nil }))
		_ = must(r.Durable(background, engine.Durable{Key: "new", Was: "old"}, nil))
		r.Mark(engine.Status{Subject: vm, State: "up"})
		for i := range notes {
			r.Note("seen", vm, map[string]any{"i": i, "text": "a \"quoted\" <text> of usual length, such as a verdict"})
		}
		check(r.NoteSynced("confirmed", vm, nil))
		r.Stop("enough")
		check(r.End("stopped", 5, nil))
		data = must(env.FS.ReadFile(journalOf(r)))
	})
	return data
}

func TestJournalForm(t *testing.T) {
	data := sample(t, 1)
	records, size, err := engine.DecodeJournal(data)
	if err != nil || size != int64(len(data)) {
		t.Fatalf("size %d of %d, %v", size, len(data), err)
	}
	var got []string
	for _, r := range records {
		got = append(got, r.Kind)
	}
	want := "head attempt facts intent outcome settle step result rename mark note confirm stop end"
	if strings.Join(got, " ") != want {
		t.Errorf("kinds %s\nwant  %s", strings.Join(got, " "), want)
	}
	first, _, _ := bytes.Cut(data, []byte("\n"))
	if !strings.HasPrefix(string(first), `{"n":1,"time":"2026-11-20T14:32:00Z","prev":"`+strings.Repeat("0", 64)+`","kind":"head","schema":"drrun.journal/1","run":"20261120-1432-`) {
		t.Errorf("first line is %s", first)
	}
	if !strings.Contains(string(data), `<text>`) {
		t.Error("text is not readable")
	}
}

func TestGroupCommit(t *testing.T) {
	tests := []struct {
		name      string
		tasks     int
		each      int
		syncs     int // at most
		perRecord bool
	}{
		{name: "one after the other", tasks: 1, each: 10, syncs: 10},
		{name: "a hundred at once", tasks: 100, each: 1, syncs: 2},
		{name: "a hundred, ten times", tasks: 100, each: 10, syncs: 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, 1, func(w *sim.World, env engine.Env) {
				w.Disk().SyncTime = 5 * time.Millisecond
				r := newRun(env)
				_, before := w.Disk().Counts(journalOf(r))
				err := engine.NewScheduler(env).Run(background, background, "run", func(t *engine.Task) error {
					for i := range tt.tasks {
						t.Spawn(fmt.Sprint(i), func(t *engine.Task) (err error) {
							t.Release(func() {
								for range tt.each {
									p, e := r.Begin(t.OpCtx(), engine.Intent{Op: "x", Subject: engine.Subject{Kind: "vm", ID: t.Key()}})
									err = errors.Join(err, e)
									p.Done(engine.Outcome{OK: true})
								}
							})
							return err
						})
					}
					return nil
				})
				appends, after := w.Disk().Counts(journalOf(r))
				if want := 2 + 2*tt.tasks*tt.each; err != nil || appends != want || after-before > tt.syncs {
					t.Errorf("%d records, want %d; %d syncs, want at most %d; %v", appends, want, after-before, tt.syncs, err)
				}
				t.Logf("%d intents: %d syncs", tt.tasks*tt.each, after-before)
				check(r.Close())
			})
		})
	}
}

// An intent is on the disk when Begin returns; an outcome is after the next sync.
func TestWhatSurvivesAPowerFailure(t *testing.T) {
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		r := newRun(env)
		vm := engine.Subject{Kind: "vm", ID: "a"}
		survives := func() (begun, outcome bool) {
			image := w.Disk().Crash(7)
			records, _, err := engine.DecodeJournal(must(image.ReadFile(journalOf(r))))
			check(err)
			for _, rec := range records {
				begun = begun || rec.Kind == "intent"
				outcome = outcome || rec.Kind == "outcome"
			}
			return begun, outcome
		}
		p := must(r.Begin(background, engine.Intent{Op: "vm.start", Subject: vm}))
		if begun, _ := survives(); !begun {
			t.Error("the intent is not on the disk when Begin returns")
		}
		p.Done(engine.Outcome{OK: true})
		if _, outcome := survives(); outcome {
			t.Error("the outcome was synced by itself")
		}
		_ = must(r.Begin(background, engine.Intent{Op: "vm.start", Subject: vm}))
		if _, outcome := survives(); !outcome {
			t.Error("the outcome did not ride with the next sync")
		}
		check(r.Close())
	})
}

func TestTornTail(t *testing.T) {
	for torn := range 400 {
		inWorld(t, 1, func(w *sim.World, env engine.Env) {
			r := newRun(env)
			vm := engine.Subject{Kind: "vm", ID: "a", Name: "torn"}
			_ = must(r.Begin(background, engine.Intent{Op: "vm.start", Subject: vm}))
			r.Note("unsynced", vm, "the tail that a power failure tears")
			if torn > w.Disk().Unsynced(journalOf(r)) {
				check(r.Close())
				return
			}
			image := w.Disk().Crash(torn)
			check(r.Close())
			w.SetDisk(image)
			env = w.Env()
			r2, err := engine.OpenRun(env, state, r.ID())
			if err != nil {
				t.Fatalf("%d torn bytes: %v", torn, err)
			}
			if r2.Attempt() != 2 || len(r2.Cut("vm.start", vm)) != 1 {
				t.Fatalf("%d torn bytes: attempt %d, cut %v", torn, r2.Attempt(), r2.Cut("vm.start", vm))
			}
			check(r2.Close())
			if got := kinds(env, r2); got[len(got)-1] != "attempt" {
				t.Fatalf("%d torn bytes: records %v", torn, got)
			}
		})
	}
}

func TestBrokenJournal(t *testing.T) {
	data := sample(t, 3)
	lines := bytes.SplitAfter(data, []byte("\n"))
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "cut while it was being made"},
		{"only a head", lines[0], "cut while it was being made"},
		{"a changed byte", bytes.Replace(data, []byte("id1"), []byte("id2"), 1), "record 5: its hash of record 4 does not fit"},
		{"a missing record", join(join(lines[:4]...), join(lines[5:]...)), "record 5: it has the number 6"},
		{"no JSON in the middle", join(join(lines[:4]...), []byte("{\n"), join(lines[4:]...)), "record 5: it is no JSON record"},
		{"a whole last line that is no JSON", join(data, []byte("zzz\n")), "it is no JSON record"},
		{"no head", join(lines[1:]...), "the first record must be a head"},
		{"two heads", join(lines[0], bytes.Replace(lines[0], []byte(`"n":1`), []byte(`"n":2`), 1)), "record 2: it is a second head"},
		{"a later schema", bytes.Replace(data, []byte("journal/1"), []byte("journal/2"), 1), `the schema "drrun.journal/2", this drrun reads "drrun.journal/1"`},
		{"an unknown kind", bytes.Replace(data, []byte(`"kind":"attempt"`), []byte(`"kind":"guess"`), 1), `record 2: it is of kind "guess"`},
		{"a kind without its fields", bytes.Replace(data, []byte(`"attempt":1,`), nil, 1), "record 2: it is of kind \"attempt\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := sim.New(1)
			defer w.Close()
			w.Run(func() {
				env := w.Env()
				check(env.FS.MkdirAll(state + "/runs/r1"))
				check(env.FS.WriteFile(state+"/runs/r1/journal.jsonl", tt.data, 0o600))
				_, err := engine.OpenRun(env, state, "r1")
				var broken *engine.JournalError
				if !errors.As(err, &broken) || broken.Code() != "journal-broken" || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "journal.jsonl") {
					t.Errorf("got  %v\nwant %s", err, tt.want)
				}
				if after := must(env.FS.ReadFile(state + "/runs/r1/journal.jsonl")); !bytes.Equal(after, tt.data) {
					t.Error("a refused journal was changed")
				}
				// The lock was given back: a second try gives the same error.
				if _, again := engine.OpenRun(env, state, "r1"); fmt.Sprint(again) != fmt.Sprint(err) {
					t.Errorf("second open: %v", again)
				}
			})
		})
	}
}

func TestFullDisk(t *testing.T) {
	tests := []struct {
		name     string
		op       string // that fails
		forever  bool
		recorded bool // the outcome of what was running
		ended    bool // the end record
	}{
		{name: "one write", op: "write", recorded: true, ended: true},
		{name: "every write", op: "write", forever: true},
		{name: "a sync", op: "sync"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, 1, func(w *sim.World, env engine.Env) {
				r := newRun(env)
				in := engine.Intent{Op: "vm.start", Subject: engine.Subject{Kind: "vm", ID: "a"}}
				running := must(r.Begin(background, in))
				failed := false
				w.Disk().Fault = func(op, path string) error {
					if op == tt.op && strings.HasSuffix(path, "journal.jsonl") && (tt.forever || !failed) {
						failed = true
						return syscall.ENOSPC
					}
					return nil
				}
				if _, err := r.Begin(background, in); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "journal record 4") {
					t.Errorf("begin on a full disk: %v", err)
				}
				if _, err := r.Begin(background, in); !errors.Is(err, engine.ErrStopping) || !strings.Contains(err.Error(), "no space left") {
					t.Errorf("begin after it: %v", err)
				}
				_, err := r.Durable(background, engine.Durable{Key: "k"}, func(contextT, bool) (any, error) {
					t.Error("a step ran after the journal failed")
					return nil, nil
				})
				if !errors.Is(err, engine.ErrStopping) {
					t.Errorf("durable after it: %v", err)
				}
				select {
				case <-r.Stopped():
				default:
					t.Error("Stopped is not closed")
				}
				running.Done(engine.Outcome{OK: true})
				if err := r.End("stopped", 5, map[string]any{"ok": false}); (err == nil) != tt.ended {
					t.Errorf("end: %v", err)
				}
				got := strings.Join(kinds(env, r), " ")
				want := "head attempt intent"
				if tt.op == "sync" {
					want += " intent" // written, and nobody knows whether it is on the disk
				}
				if tt.recorded {
					want += " stop outcome end"
				}
				if got != want {
					t.Errorf("records %s\nwant    %s", got, want)
				}
				if string(must(env.FS.ReadFile(r.Dir()+"/report.json"))) != "{\n  \"ok\": false\n}\n" {
					t.Error("no report")
				}
			})
		})
	}
}

// FuzzDecode: no input makes the decoder fail otherwise than with a *JournalError, and
// what it accepts it accepts again, cut at its size.
func FuzzDecode(f *testing.F) {
	data := sample(f, 2)
	f.Add(data)
	f.Add(data[:len(data)-9])
	f.Add([]byte{})
	f.Add([]byte("\n\n"))
	f.Add([]byte(`{"n":1,"kind":"head","schema":"drrun.journal/1","head":{}}` + "\n"))
	f.Add(bytes.Replace(data, []byte(`"n":3`), []byte(`"n":-3`), 1))
	f.Add([]byte(`{"n":1,"time":"2026-11-20T14:32:00Z","prev":"` + strings.Repeat("0", 64) + `","kind":"head","schema":"drrun.journal/1","run":"r","head":{"plan":"p","action":"a"}}` + "\n{\"n\":2,"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, size, err := engine.DecodeJournal(data)
		var broken *engine.JournalError
		if err != nil && !errors.As(err, &broken) {
			t.Fatalf("error of another type: %v", err)
		}
		if size < 0 || size > int64(len(data)) {
			t.Fatalf("size %d of %d", size, len(data))
		}
		again, size2, err := engine.DecodeJournal(data[:size])
		if err != nil || size2 != size || len(again) != len(records) {
			t.Fatalf("the accepted part is not accepted: %d records of %d, %v", len(again), len(records), err)
		}
	})
}

// FuzzRedact: whatever secret and text, JSON stays JSON, the journal can be read, and the
// secret is in no string of the data.
func FuzzRedact(f *testing.F) {
	f.Add("hush", `x`)
	f.Add("a\"b", `say a"b`)
	f.Add("p<w>\\\n", `p<w>\`+"\n")
	f.Add("note", "kind")
	f.Fuzz(func(t *testing.T, secret, text string) {
		secret, text = strings.ToValidUTF8(secret, ""), strings.ToValidUTF8(text, "")
		if secret == "" || strings.Contains("***", secret) {
			return
		}
		env := engine.SystemEnv(1)
		env.FS = sim.NewFS()
		r := must(engine.CreateRun(env, state, engine.Head{Plan: text}, nil, engine.WithRedactor(func(s string) string {
			return strings.ReplaceAll(s, secret, "***")
		})))
		r.Note("n", engine.Subject{Name: text + secret}, map[string]any{"k" + secret: text + secret, "t": []string{secret, text}})
		check(r.Close())
		records, _, err := engine.DecodeJournal(must(env.FS.ReadFile(journalOf(r))))
		check(err)
		var got any
		check(json.Unmarshal(records[len(records)-1].Data, &got))
		for _, s := range texts(got) {
			if strings.ReplaceAll(s, secret, "***") != s && !strings.Contains(strings.ReplaceAll(text+secret, secret, "***"), secret) {
				t.Errorf("%q is in %q", secret, s)
			}
		}
	})
}

// texts lists the strings of a decoded JSON value.
func texts(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, x := range v {
			out = append(out, texts(x)...)
		}
	case map[string]any:
		for k, x := range v {
			if k != "t" {
				out = append(out, k)
			}
			out = append(out, texts(x)...)
		}
	}
	return out
}

func BenchmarkOpenRun(b *testing.B) {
	data := sample(b, 50_000)
	w := sim.New(1)
	defer w.Close()
	disk := w.Env().FS
	check(disk.MkdirAll(state + "/runs/r1"))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		check(disk.WriteFile(state+"/runs/r1/journal.jsonl", data, 0o600))
		w.Run(func() { check(must(engine.OpenRun(w.Env(), state, "r1")).Close()) })
	}
	b.ReportMetric(float64(bytes.Count(data, []byte("\n"))), "records")
}
