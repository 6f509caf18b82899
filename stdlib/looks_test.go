package stdlib

import (
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"drrun/internal/nameserver"
)

func TestEnv(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	s.vars["SITE"], s.vars["EMPTY"], s.vars["DRRUN_SECRET_PW"] = "b", "", "hunter2"
	got := s.must(s.lua(`local env = require "env"; return { env.get "SITE", env.get("EMPTY", "x"), tostring(env.get "NONE") }`))
	if want := []any{"b", "x", "nil"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, err := s.lua(`return require "env".get "drrun_secret_pw"`)
	raised(t, err, "secret-in-result", `dr.secret "pw"`)
}

// TestFS reads below the plan's folder, and tries to get out of it.
func TestFS(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	s.write("data/vms.csv", "a,b\n")
	s.write("data/.hidden", "x")
	outer := t.TempDir()
	if err := os.WriteFile(filepath.Join(outer, "key"), []byte("private"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"out": outer, "key": filepath.Join(outer, "key"), "in": "data", "nowhere": "gone", "data/up": "../.."} {
		if err := os.Symlink(to, filepath.Join(s.folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	got := s.must(s.lua(`local fs = require "fs"
return { fs.read "data/vms.csv", fs.read "in/vms.csv", fs.read "./data/../data/vms.csv", fs.exists "data", fs.exists "nothing", fs.exists "nowhere", fs.list "in"[1].name .. #fs.list "in" .. fs.list "in"[2].name }`))
	if want := []any{"a,b\n", "a,b\n", "a,b\n", true, false, false, "up2vms.csv"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, path := range []string{"../x", "/etc/passwd", "out/key", "key", "data/../../x", "..", "data/up/x", "out", `a\\..`} {
		_, err := s.lua(`return require "fs".read "` + path + `"`)
		if path == "data/up/x" { // its target is not there: nothing can be read there either
			if err == nil {
				t.Error("data/up/x was read")
			}
			continue
		}
		raised(t, err, "outside-the-folder", "main.lua:1:26")
		if _, err = s.lua(`return require "fs".list "` + path + `"`); err == nil {
			t.Errorf("%s was listed", path)
		}
	}
	for code, want := range map[string]string{`read "gone"`: "no-file", `read "data"`: "no-file", `read ""`: "bad-argument", `list "gone"`: "no-file"} {
		_, err := s.lua(`return require "fs".` + code)
		raised(t, err, want)
	}
	if err := os.Truncate(s.write("big", ""), maxFile+1); err != nil {
		t.Fatal(err)
	}
	_, err := s.lua(`return require "fs".read "big"`)
	raised(t, err, "too-large", "16777217")
}

// listener accepts connections and does nothing with them.
func listener(t *testing.T) (host, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	host, port, _ = net.SplitHostPort(l.Addr().String())
	return host, port
}

// closedPort is a port that nothing listens at.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestTCP(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	secure := httptest.NewTLSServer(nil)
	defer secure.Close()
	_, tlsPort, _ := net.SplitHostPort(secure.Listener.Addr().String())
	s.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	_, plain := listener(t)
	closed := closedPort(t)
	for _, c := range []struct{ name, code, want, why string }{
		{"open", `{ host = "127.0.0.1", port = ` + plain + ` }`, "true", ""},
		{"closed", `{ host = "127.0.0.1", port = ` + closed + ` }`, "false", "refused"},
		{"TLS of a stranger", `{ host = "127.0.0.1", port = ` + tlsPort + `, tls = true }`, "false", "unknown authority"},
		{"TLS with its CA", `{ host = "127.0.0.1", port = ` + tlsPort + `, tls = true, ca_file = "ca.pem" }`, "true", ""},
		{"TLS of another name", `{ host = "127.0.0.1", port = ` + tlsPort + `, tls = true, ca_file = "ca.pem", server_name = "db.site" }`, "false", "db.site"},
		{"TLS unverified", `{ host = "127.0.0.1", port = ` + tlsPort + `, tls = true, insecure = true }`, "true", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.must(s.lua(`local tcp = require "tcp"; local p = tcp.probe ` + c.code + `; return { tostring(tcp.open ` + c.code + `), tostring(p.open), p.error or "" }`)).([]any)
			if got[0] != c.want || got[1] != c.want || !strings.Contains(got[2].(string), c.why) {
				t.Errorf("got %v", got)
			}
		})
	}
	for code, want := range map[string]string{
		`{ host = "h", port = 0 }`: "bad-argument", `{ host = "127.0.0.1", port = 1, tls = true, ca_file = "gone.pem" }`: "no-file",
		`{ host = "127.0.0.1", port = 1, tls = true, cert_file = "ca.pem" }`: "bad-argument",
	} {
		_, err := s.lua(`return require "tcp".open ` + code)
		raised(t, err, want)
	}
}

// TestTimeOut sees that a server that takes connections and says nothing does not hold a look up.
func TestTimeOut(t *testing.T) {
	t.Parallel()
	s := newFastScene(t, 100).begin()
	_, port := listener(t)
	got := s.must(s.lua(`return require "tcp".probe { host = "127.0.0.1", port = ` + port + `, tls = true, timeout = "5s" }`)).(map[string]any)
	if got["open"] != false || got["error"] != "no answer within 5s" {
		t.Errorf("got %v", got)
	}
}

// TestCancelledLook sees that a look ends with the run, and is an error then, not a "no".
func TestCancelledLook(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if connection, err := l.Accept(); err == nil {
			s.cancel()
			defer connection.Close()
		}
	}()
	_, err = s.lua(`return require "tcp".open { host = "127.0.0.1", port = ` + strconv.Itoa(l.Addr().(*net.TCPAddr).Port) + `, tls = true, timeout = "10m" }`)
	raised(t, err, "cancelled")
}

// TestPing asks this machine and one that is not there. Where the system lets nobody send ICMP, the error says so.
func TestPing(t *testing.T) {
	t.Parallel()
	s := newFastScene(t, 10).begin()
	got, err := s.lua(`local ping = require "ping"; return { ping.alive "127.0.0.1", ping.alive { host = "240.0.0.1", timeout = "2s" }, ping.alive "no-such-host.invalid" }`)
	if err != nil {
		raised(t, err, "ping-not-allowed", "ping_group_range", "tcp.open")
		return
	}
	if want := []any{true, false, false}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func newNameServer(t *testing.T) *nameserver.Server {
	t.Helper()
	n, err := nameserver.Listen(map[string][]string{
		"www.example.com. A": {"10.0.0.10", "10.0.0.9"}, "alias.example.com. CNAME": {"www.example.com."}, "note.example.com. TXT": {"a note"}, "10.0.0.10.in-addr.arpa. PTR": {"www.example.com."},
	}, time.Now, func(serve func()) { go serve() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func TestDNSLookup(t *testing.T) {
	t.Parallel()
	n := newNameServer(t)
	s := newScene(t).begin()
	for code, want := range map[string]any{
		`"www.example.com", { server = S }`:                   []any{"10.0.0.10", "10.0.0.9"},
		`"alias.example.com", { server = S, type = "CNAME" }`: []any{"www.example.com."},
		`"note.example.com", { server = S, type = "TXT" }`:    []any{"a note"},
		`"10.0.0.10", { server = S, type = "PTR" }`:           []any{"www.example.com."},
		`"gone.example.com", { server = S }`:                  map[string]any{},
		`"localhost"`:                                         []any{"127.0.0.1"},
		`"no-such-host.invalid"`:                              nil,
	} {
		got, err := s.lua(`local S = "` + n.Address + `"; return require "dns".lookup(` + code + `)`)
		if code == `"no-such-host.invalid"` { // the machine may have no name server to ask
			if err != nil {
				raised(t, err, "dns-failed", "no-such-host.invalid")
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v, want %v", code, got, err, want)
		}
	}
	_, err := s.lua(`return require "dns".lookup("refused.example.com", { server = "` + n.Address + `" })`)
	raised(t, err, "dns-failed", "REFUSED", "refused.example.com", n.Address)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	fast := newFastScene(t, 100).begin()
	_, err = fast.lua(`return require "dns".lookup("www.example.com", { server = "` + silent.LocalAddr().String() + `", timeout = "4s" })`)
	raised(t, err, "dns-failed", "no answer within 4s")
}

func TestDNSUpdate(t *testing.T) {
	t.Parallel()
	n := newNameServer(t)
	s := newScene(t).begin()
	s.secrets["tsig"], s.secrets["other"] = nameserver.Secret, "b3RoZXItc2VjcmV0LXZhbHVl"
	call := func(key, rest string) (any, error) {
		return s.lua(`local dr, dns = require "dr", require "dns"
return dns.update { server = "` + n.Address + `", zone = "example.com", key = { name = "drrun", secret = dr.secret "` + key + `" }, ` + rest + ` }`)
	}
	got := s.must(call("tsig", `set = { { name = "www", value = "10.1.0.10", ttl = "60s" }, { name = "www", value = "10.1.0.11" } }, add = { { name = "t.example.com.", type = "TXT", value = "a \"b\"" } },
		delete = { { name = "alias", type = "CNAME" }, { name = "note", type = "TXT", value = "a note" } }`))
	if want := map[string]any{"server": n.Address, "zone": "example.com.", "changes": 5.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if got := n.Values("www.example.com. A"); !reflect.DeepEqual(got, []string{"10.1.0.10", "10.1.0.11"}) {
		t.Errorf("www is %v", got)
	}
	for record, want := range map[string]int{"t.example.com. TXT": 1, "alias.example.com. CNAME": 0, "note.example.com. TXT": 0} {
		if values := n.Values(record); len(values) != want {
			t.Errorf("%s is %q, want %d values", record, values, want)
		}
	}
	_, err := call("other", `set = { { name = "www", value = "10.9.9.9" } }`)
	raised(t, err, "dns-failed", "REFUSED", "example.com", "no record was changed")
	for rest, words := range map[string]string{
		``: "nothing is to be changed", `set = { { name = "www" } }`: "set[1] needs a value", `set = { { name = "www", value = "ten" } }`: "no value of a record of type A",
		`add = { { name = "www.other.org.", value = "10.0.0.1" } }`: "outside of the zone",
	} {
		_, err := call("tsig", rest)
		raised(t, err, "bad-argument", words)
	}
	if n.Updates() != 1 {
		t.Errorf("%d updates", n.Updates())
	}
	left := s.left(err)
	for _, secret := range s.secrets {
		if strings.Contains(left, secret) {
			t.Errorf("%s is in what is left", secret)
		}
	}
}
