package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/stdlib"
)

// longRun writes the journal of a run of 5,000 VMs with 50,000 records, which nobody works on, and returns its state folder.
func longRun(t testing.TB, id string) string {
	t.Helper()
	state := t.TempDir()
	dir := filepath.Join(state, "runs", id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	n, prev := 0, strings.Repeat("0", 64)
	write := func(rec engine.Record) {
		n++
		rec.N, rec.Prev, rec.Time = int64(n), prev, time.Date(2026, 11, 20, 3, 12, 0, 0, time.UTC).Add(time.Duration(n)*time.Millisecond)
		text, err := json.Marshal(rec)
		prev = fmt.Sprintf("%x", sha256.Sum256(text))
		if err == nil {
			_, err = file.Write(append(text, '\n'))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	facts := stdlib.Facts{Action: "failover", Source: "primary", Target: "secondary", Domains: []stdlib.FactDomain{{ID: "d", Name: "nfs_ds"}}}
	for i := range 5000 {
		facts.VMs = append(facts.VMs, stdlib.FactVM{ID: fmt.Sprintf("vm-%d", i), Name: fmt.Sprintf("vm%d", i), Rank: i % 3})
	}
	data, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	write(engine.Record{Kind: "head", Schema: engine.Schema, Run: id, Head: &engine.Head{Plan: "p", Action: "failover", Source: "primary", Target: "secondary"}})
	write(engine.Record{Kind: "attempt", Attempt: 1, Host: "dr1", User: "ann"})
	write(engine.Record{Kind: "facts", Data: data})
	write(engine.Record{Kind: "mark", Mark: &engine.Status{Subject: engine.Subject{Kind: "storage_domain", Site: "secondary", ID: "d", Name: "nfs_ds"}, State: "active"}})
	write(engine.Record{Kind: "note", Note: "stage", Data: json.RawMessage(`{"text":"boot rank 2"}`)})
	for i := 0; n < 50000; i++ {
		subject := engine.Subject{Kind: "vm", Site: "secondary", ID: fmt.Sprintf("vm-%d", i%5000), Name: fmt.Sprintf("vm%d", i%5000)}
		intent := engine.Intent{ID: fmt.Sprintf("%s-%d", id, i), Op: "vm.start", Method: "POST", Path: "/vms/" + subject.ID + "/start", Site: "secondary", Subject: subject}
		write(engine.Record{Kind: "intent", Intent: &intent})
		write(engine.Record{Kind: "outcome", ID: intent.ID, Outcome: &engine.Outcome{OK: true, Status: 200}})
		write(engine.Record{Kind: "mark", Mark: &engine.Status{Subject: subject, State: []string{"registered", "starting", "up"}[min(i/5000, 2)]}})
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return state
}

// TestStandingOfALongRun looks at a run of 50,000 records: in less than a second, and afterwards only at what is new.
func TestStandingOfALongRun(t *testing.T) {
	t.Parallel()
	const id = "20261120-0312-3f9a2c"
	state := longRun(t, id)
	var stdout *bytes.Buffer
	best := time.Hour
	for range 5 { // other tests work at the same time
		var env Env
		env, stdout, _ = testEnv(strings.NewReader(""))
		began := time.Now()
		if code := Main(env, []string{"drrun", "status", id, "--state", state}); code != 0 {
			t.Fatalf("exit %d", code)
		}
		if best = min(best, time.Since(began)); best < time.Second {
			break
		}
	}
	if best > time.Second {
		t.Errorf("50,000 records in %s", best)
	}
	for _, want := range []string{
		"run " + id + ": failover of p, primary to secondary", "attempt 1 was cut off after 50s", "  stage: boot rank 2, since ",
		"RANK  VMS   UP\n0     1667  1667\n1     1667  1667\n2     1666  1666\n", "drrun resume " + id + " --state " + state,
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, stdout)
		}
	}
}

// TestStandingNamesWhatIsWaitedFor sees that a VM is named with what it does not meet yet, as long as it does not.
func TestStandingNamesWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newStanding("r")
	facts, err := json.Marshal(stdlib.Facts{VMs: []stdlib.FactVM{{ID: "1", Name: "db1"}}})
	if err != nil {
		t.Fatal(err)
	}
	vm := engine.Subject{Kind: "vm", Site: "secondary", ID: "1", Name: "db1"}
	s.observe(engine.Record{Kind: "facts", Data: facts})
	s.observe(engine.Record{Kind: "mark", Mark: &engine.Status{Subject: vm, State: stdlib.StateUp}})
	s.observe(engine.Record{Kind: "note", Note: stdlib.WaitNote, Subject: &vm, Data: json.RawMessage(`{"text":"10.0.0.7:5432 is not open: connection refused"}`)})
	told := func() string {
		s.at(time.Time{}, true, "", nil, "")
		return s.text()
	}
	const want = "  db1 is up, and not yet as its boot condition wants it: 10.0.0.7:5432 is not open: connection refused\n"
	if text := told(); !strings.Contains(text, want) {
		t.Errorf("it does not say %q:\n%s", want, text)
	}
	s.observe(engine.Record{Kind: "note", Note: "boot_condition", Subject: &vm, Data: json.RawMessage(`{"ok":true,"why":"it is open"}`)})
	if text := told(); strings.Contains(text, "not yet") {
		t.Errorf("it still waits:\n%s", text)
	}
}

func BenchmarkStanding(b *testing.B) {
	const id = "20261120-0312-3f9a2c"
	state := longRun(b, id)
	for b.Loop() {
		f, err := engine.Follow(engine.SystemEnv(1), state, id, engine.QuietKinds...)
		if err != nil {
			b.Fatal(err)
		}
		s := newStanding(id)
		records, err := f.Next()
		for _, rec := range records {
			s.observe(rec)
		}
		if err != nil || s.facts == nil {
			b.Fatal(err)
		}
	}
}
