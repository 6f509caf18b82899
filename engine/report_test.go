package engine_test

import (
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"

	"drrun/engine"
	"drrun/engine/sim"
)

// TestPages: what is made beside report.json sees the end of the run, is free of secrets, and cannot take the outcome along.
func TestPages(t *testing.T) {
	const secret = "hunter2hunter2"
	broken := errors.New("no ink")
	for name, tt := range map[string]struct {
		pages func(*engine.RunInfo, json.RawMessage) (map[string][]byte, error)
		fault func(op, path string) error
		html  string // "" where there is none
		err   string // "" where there is none
		lost  bool   // the end is not in the journal
	}{
		"written": {
			pages: func(info *engine.RunInfo, document json.RawMessage) (map[string][]byte, error) {
				return map[string][]byte{"report.html": []byte(info.Status + " " + secret + " " + string(document))}, nil
			},
			html: "stopped *** {\n  \"ok\": false\n}",
		},
		"none": {},
		"failed": {
			pages: func(*engine.RunInfo, json.RawMessage) (map[string][]byte, error) {
				return map[string][]byte{"report.html": []byte("half")}, broken
			},
			html: "half", err: "write the report of run",
		},
		"panicked": {
			pages: func(*engine.RunInfo, json.RawMessage) (map[string][]byte, error) { panic("out of paper") },
			err:   "out of paper",
		},
		"disk full": {
			pages: func(*engine.RunInfo, json.RawMessage) (map[string][]byte, error) {
				return map[string][]byte{"report.html": []byte("x")}, nil
			},
			fault: func(op, path string) error {
				if strings.HasSuffix(path, "report.html") {
					return syscall.ENOSPC
				}
				return nil
			},
			err: "no space left",
		},
		"journal full": {
			pages: func(info *engine.RunInfo, _ json.RawMessage) (map[string][]byte, error) {
				return map[string][]byte{"report.html": []byte("ended: " + info.Status)}, nil
			},
			fault: func(op, path string) error {
				if strings.HasSuffix(path, "journal.jsonl") && op == "write" {
					return syscall.ENOSPC
				}
				return nil
			},
			html: "ended: ", err: "no space left", lost: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *sim.World, env engine.Env) {
				r := newRun(env)
				r.SetRedactor(func(s string) string { return strings.ReplaceAll(s, secret, "***") })
				if tt.pages != nil {
					r.ReportWith(tt.pages)
				}
				w.Disk().Fault = tt.fault
				err := r.End("stopped", 5, map[string]any{"ok": false})
				switch {
				case (err == nil) != (tt.err == ""), err != nil && !strings.Contains(err.Error(), tt.err):
					t.Errorf("end: %v, want %q", err, tt.err)
				case errors.Is(err, engine.ErrEndLost) != tt.lost:
					t.Errorf("end: %v: lost is %t", err, !tt.lost)
				}
				html, err := env.FS.ReadFile(r.Dir() + "/report.html")
				if string(html) != tt.html || (err == nil) != (tt.html != "") {
					t.Errorf("report.html: %q, %v", html, err)
				}
				if string(must(env.FS.ReadFile(r.Dir()+"/report.json"))) != "{\n  \"ok\": false\n}\n" {
					t.Error("no report.json")
				}
			})
		})
	}
}

// TestSnapshots reads the texts of a run from the disk: all of them, and what was changed since is told.
func TestSnapshots(t *testing.T) {
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		r := must(engine.CreateRun(env, state, engine.Head{Plan: "p"}, map[string][]byte{"b.lua": []byte("return 1"), "a/x.lua": []byte("--")}))
		check(r.Close())
		r = must(engine.OpenRun(env, state, r.ID()))
		check(r.SetSnapshot(map[string][]byte{"b.lua": []byte("return 2")}))
		check(r.Close())
		check(env.FS.WriteFile(r.Dir()+"/plan/b.lua", []byte("return 3"), 0o600))
		check(env.FS.Remove(r.Dir() + "/plan/a/x.lua"))
		info := must(engine.ReadRun(env, state, r.ID()))
		var got []string
		for _, file := range info.Snapshots(env, state) {
			line := strings.Join([]string{string(rune('0' + file.Attempt)), file.Name, file.Digest[:4], string(file.Text)}, " ")
			if file.Err != nil {
				line += " bad"
			}
			got = append(got, line)
		}
		want := []string{"1 a/x.lua d815  bad", "1 b.lua 486d return 3 bad", "2 b.lua 8373 return 2"}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}
