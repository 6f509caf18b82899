package stdlib

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"drrun/internal/sshhost"
)

// sshHost is an array with a command line: it takes the password of the scene's secret "pw" or the key that is allowed.
type sshHost struct {
	port    string
	known   string // its line for known_hosts
	allowed ssh.PublicKey
	mu      sync.Mutex
	ran     []string
}

func newSSHHost(t *testing.T, password string) *sshHost {
	t.Helper()
	h := &sshHost{}
	served, err := sshhost.Listen(sshhost.Options{
		Password: func(_, given string) bool { return given == password },
		Key: func(_ string, key ssh.PublicKey) bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.allowed != nil && string(key.Marshal()) == string(h.allowed.Marshal())
		},
		Run: h.run,
		Go:  func(fn func()) { go fn() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(served.Close)
	h.port, h.known = served.Port, served.KnownHosts
	return h
}

// commands are what was run.
func (h *sshHost) commands() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ran)
}

func (h *sshHost) run(s sshhost.Session) (code uint32, end sshhost.End) {
	h.mu.Lock()
	h.ran = append(h.ran, s.Command)
	h.mu.Unlock()
	switch s.Command {
	case "cat":
		_, _ = io.Copy(s.Channel, s.Channel)
	case "hang":
		_, _ = fmt.Fprintln(s.Channel, "waiting for the controller")
		s.Gone()
		return 0, sshhost.Silent
	case "vanish":
		return 0, sshhost.Silent
	case "promote gone":
		_, _ = fmt.Fprintln(s.Channel.Stderr(), "no such volume: gone")
		return 4, sshhost.WithCode
	default:
		_, _ = fmt.Fprintf(s.Channel, "%s: done by %s\n", s.Command, s.User)
	}
	return 0, sshhost.WithCode
}

// privateKey makes a key pair and returns the private one as OpenSSH writes it, locked where there is a passphrase.
func privateKey(t *testing.T, passphrase string) (public ssh.PublicKey, text string, raw ed25519.PrivateKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer.PublicKey(), string(pem.EncodeToMemory(block)), key
}

func TestSSH(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	s.secrets["pw"], s.secrets["phrase"], s.secrets["stdin"] = "hunter2", "correct horse", "battery staple"
	h := newSSHHost(t, "hunter2")
	s.write("known_hosts", h.known)
	public, locked, raw := privateKey(t, "correct horse")
	_, plain, _ := privateKey(t, "")
	s.write("locked", locked)
	s.write("plain", plain)
	call := func(rest string) (any, error) {
		return s.lua(`local dr, ssh = require "dr", require "ssh"
local r = ssh.run { host = "127.0.0.1", port = ` + h.port + `, user = "admin", ` + rest + ` }
return r.code .. "|" .. r.stdout .. "|" .. r.stderr`)
	}
	h.mu.Lock()
	h.allowed = public
	h.mu.Unlock()
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: raw}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "a")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			connection, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keys, connection) }()
		}
	}()
	for rest, want := range map[string]string{
		`command = "state", password = dr.secret "pw"`:                                                    "0|state: done by admin\n|",
		`command = "state", key_file = "locked", passphrase = dr.secret "phrase"`:                         "0|state: done by admin\n|",
		`command = "state", key_file = "plain", password = dr.secret "pw", observe = true`:                "0|state: done by admin\n|",
		`command = "cat", stdin = "hello", password = dr.secret "pw"`:                                     "0|hello|",
		`command = "cat", stdin = dr.secret "stdin", password = dr.secret "pw"`:                           "0|<secret stdin>|",
		`command = "promote gone", ok = { 0, 4 }, password = dr.secret "pw"`:                              "4||no such volume: gone\n",
		`command = "set " .. ssh.quote "it's $1", password = dr.secret "pw", known_hosts = "known_hosts"`: "0|set 'it'\\''s $1': done by admin\n|",
	} {
		if got, err := call(rest); err != nil || got != want {
			t.Errorf("%s: got %q, %v", rest, got, err)
		}
	}
	s.vars["SSH_AUTH_SOCK"] = socket
	if got, err := call(`command = "by agent"`); err != nil || got != "0|by agent: done by admin\n|" {
		t.Errorf("by agent: got %q, %v", got, err)
	}
	s.vars["SSH_AUTH_SOCK"] = ""
	ran := len(h.commands())
	for rest, want := range map[string][]string{
		`command = "x", password = dr.secret "phrase"`:                    {"ssh-failed", "log in as admin@127.0.0.1", "unable to authenticate", "was not run"},
		`command = "x", key_file = "plain"`:                               {"ssh-failed", "unable to authenticate"},
		`command = "x", key_file = "locked"`:                              {"bad-argument", "passphrase = dr.secret"},
		`command = "x", key_file = "locked", passphrase = dr.secret "pw"`: {"bad-argument", "read the private key"},
		`command = "x", key_file = "gone"`:                                {"no-file", "gone"},
		`command = "x"`:                                                   {"ssh-failed", "no agent"},
		`command = " "`:                                                   {"bad-argument", "empty"},
		`command = "x", known_hosts = "gone", password = dr.secret "pw"`:  {"ssh-failed", "cannot be checked", "ssh-keyscan"},
		`command = "x", password = "hunter2"`:                             {"bad-argument", "password is not a secret"},
	} {
		_, err := call(rest)
		raised(t, err, want[0], want[1:]...)
	}
	if now := h.commands(); len(now) != ran {
		t.Errorf("commands were run: %q", now[ran:])
	}
	_, err = call(`command = "promote gone", password = dr.secret "pw"`)
	raised(t, err, "exec-failed", "run promote gone on 127.0.0.1: it ended with the exit code 4", "it said: no such volume: gone")
	_, err = call(`command = "vanish", password = dr.secret "pw"`)
	raised(t, err, "exec-failed", "run vanish on 127.0.0.1")
	s.end()
	left := s.left(err)
	for _, secret := range s.secrets {
		if strings.Contains(left, secret) {
			t.Errorf("%q is in what is left", secret)
		}
	}
}

// TestSSHHostKeys sees that no command runs on a host whose key is not the known one.
func TestSSHHostKeys(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	s.secrets["pw"] = "hunter2"
	h, other := newSSHHost(t, "hunter2"), newSSHHost(t, "hunter2")
	for known, want := range map[string][]string{
		"# nobody\n": {"ssh-failed", "key is unknown", "ssh-keyscan -p " + h.port + " 127.0.0.1"},
		other.known:  {"ssh-failed", "key is unknown"},
		strings.Replace(other.known, other.port, h.port, 1): {"ssh-failed", "key mismatch", "stand in between"},
		"@revoked " + h.known:                               {"ssh-failed", "revoked"},
	} {
		s.write("known_hosts", known)
		_, err := s.lua(`return require "ssh".run { host = "127.0.0.1", port = ` + h.port + `, user = "admin", command = "x", password = require "dr".secret "pw" }`)
		raised(t, err, want[0], want[1:]...)
	}
	if ran := h.commands(); len(ran) > 0 {
		t.Errorf("ran %q", ran)
	}
}

// TestSSHTimeOut sees that a command that does not end is cut off, and so is a host that says nothing.
func TestSSHTimeOut(t *testing.T) {
	t.Parallel()
	s := newFastScene(t, 20).begin()
	s.secrets["pw"] = "hunter2"
	h := newSSHHost(t, "hunter2")
	s.write("known_hosts", h.known)
	_, err := s.lua(`return require "ssh".run { host = "127.0.0.1", port = ` + h.port + `, user = "admin", command = "hang", password = require "dr".secret "pw", timeout = "20s" }`)
	raised(t, err, "exec-failed", "it did not end within 20s: its connection was cut", "waiting for the controller")
	_, silent := listener(t)
	_, err = s.lua(`return require "ssh".run { host = "127.0.0.1", port = ` + silent + `, user = "admin", command = "x", password = require "dr".secret "pw", timeout = "10s" }`)
	raised(t, err, "ssh-failed", "no answer within 10s", "was not run")
}

// TestSSHDurable sees that a command of a hook that is called again is not run again.
func TestSSHDurable(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.secrets["pw"] = "hunter2"
	h := newSSHHost(t, "hunter2")
	s.write("known_hosts", h.known)
	code := `local r = require "ssh".run { host = "127.0.0.1", port = ` + h.port + `, user = "admin", command = "promote vol", password = require "dr".secret "pw" }
if not ctx.retried then error "breaks" end
return r.stdout`
	if _, err := s.hook("h", code); err == nil {
		t.Fatal("no error")
	}
	s.end()
	if got := s.must(s.hook("h", code)); got != "promote vol: done by admin\n" || !reflect.DeepEqual(h.commands(), []string{"promote vol"}) {
		t.Errorf("got %q, ran %q", got, h.commands())
	}
}
