package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// screenText is what a terminal was sent, for a test that waits for it.
type screenText struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

func (s *screenText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	return len(p), nil
}

// await returns when the text holds a part behind a place, and where that part ends.
func (s *screenText) await(t *testing.T, from int, part string) int {
	t.Helper()
	for {
		s.mu.Lock()
		at := strings.Index(s.text.String()[from:], part)
		if at >= 0 {
			s.mu.Unlock()
			return from + at + len(part)
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		<-changed
	}
}

// TestConsoleKeys types at a terminal, key by key, and looks at what it shows.
func TestConsoleKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plan := filepath.Join(dir, "plan.lua")
	text := `local dr = require "dr"
return dr.plan {
  name = "Shop",
  sites = { primary = { url = "https://engine1.example", username = "admin@internal", password = dr.secret "primary_password" },
            secondary = { url = "https://engine2.example", username = "admin@internal", password = dr.secret "secondary_password" } },
  storage_domains = { { name = "shop", id = "00000005-0000-4000-8000-000000000001", type = "nfs",
    primary = { data_center = "Default", url = "nfs://10.0.0.1:/shop" }, secondary = { data_center = "Default", url = "nfs://10.1.0.1:/shop" } } },
  vms = { { name = "db1", id = "00000007-0000-4000-8000-000000000001" } },
}
`
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keyboard, typing := io.Pipe()
	screen := &screenText{}
	env, _, _ := testEnv(keyboard)
	env.Stdout, env.Stderr = screen, screen
	env.IsTerminal = func(any) bool { return true }
	raw, cooked := 0, 0
	env.RawTerminal = func() (func(), error) { raw++; return func() { cooked++ }, nil }
	signals := make(chan os.Signal)
	env.Signals = func() (<-chan os.Signal, func()) { return signals, func() {} }
	ended := make(chan int)
	go func() { ended <- Main(env, []string{"drrun", "console", plan, "--state", filepath.Join(dir, "state")}) }()
	at := screen.await(t, 0, "> ")
	for _, step := range []struct{ keys, shows string }{
		{"pla\t.vms[1].na\t\r", `"db1"`},
		{"secondary:storage_d\t\t", "storage_domains"},
		{"\x03", "^C"},
		{"secondary:vm(\"d\t\").name\r", `"db1"`},
		{"local z = {\r", ".. "},
		{"\t1, 2 }\r", "> "},
		{"#z\r", "\r\n2\n"},
		{"while true do\r", ".. "},
		{"\x03", "^C"},
		{"'still ' .. 'here'\r", `"still here"`},
		{"\x1b[A\r", `"still here"`},
		{"xyz\r", "no variable \"xyz\" is known here"},
		{":help secondary:vm\r", "Returns a VM of the plan on this site"},
		{"print('round') while true do end\r", "round\n"},
	} {
		if _, err := io.WriteString(typing, step.keys); err != nil {
			t.Fatal(err)
		}
		at = screen.await(t, at, step.shows)
	}
	signals <- os.Interrupt
	at = screen.await(t, at, "interrupted")
	screen.await(t, at, "> ")
	if _, err := io.WriteString(typing, "\x04"); err != nil {
		t.Fatal(err)
	}
	if exit := <-ended; exit != 0 {
		t.Errorf("it ended with %d", exit)
	}
	if raw == 0 || raw != cooked {
		t.Errorf("the terminal was taken %d times and given back %d times", raw, cooked)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "state", "console_history"))
	if err != nil || !bytes.HasPrefix(kept, []byte("plan.vms[1].name\n")) || bytes.Contains(kept, []byte("storage_d")) {
		t.Errorf("kept: %v\n%s", err, kept)
	}
}

// TestConsoleHistory keeps what may be kept.
func TestConsoleHistory(t *testing.T) {
	t.Parallel()
	env, _, _ := testEnv(strings.NewReader(""))
	dir := filepath.Join(t.TempDir(), "new", "state")
	for range 2 {
		h, err := openHistory(env.wall(), dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"first", "  ", " with a space", `password = "geheim"`, `x = { token = 'geheim' }`, `http.get { u, headers = { Authorization = "Bearer geheim" } }`, `h["X-Api-Key"] = "geheim"`, "a\x1bb", "first", "first", "second"} {
			h.Add(line)
		}
		h.close()
	}
	kept, err := os.ReadFile(filepath.Join(dir, "console_history"))
	if err != nil || string(kept) != "first\nsecond\nfirst\nsecond\n" {
		t.Errorf("kept: %v\n%s", err, kept)
	}
	info, err := os.Stat(filepath.Join(dir, "console_history"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "console_history"), []byte(strings.Repeat("x\n", 2*maxHistory)+"last\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := openHistory(env.wall(), dir)
	if err != nil || h.Len() != maxHistory || h.At(0) != "last" || h.At(1) != "x" {
		t.Errorf("%v: %d lines, the newest %q", err, h.Len(), h.At(0))
	}
	h.close()
	if _, err := openHistory(env.wall(), "/proc/nowhere"); err == nil {
		t.Error("a history was kept where nothing can be kept")
	}
}
