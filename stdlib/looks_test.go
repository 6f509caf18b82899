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
	"sync"
	"testing"

	"github.com/miekg/dns"
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

const tsigSecret = "c2VjcmV0LW9mLXRoZS1rZXkh"

// nameServer is the primary of example.com, and takes updates that are signed with the key "drrun".
type nameServer struct {
	address string
	mu      sync.Mutex          // two servers, for UDP and TCP
	zone    map[string][]string // "name type" → values
	updates int
}

// samePort listens by UDP and TCP at one port; another test may have the other half of the first that is free.
func samePort(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	var failed error
	for range 50 {
		socket, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		stream, err := net.Listen("tcp", socket.LocalAddr().String())
		if err == nil {
			return socket, stream
		}
		failed = err
		_ = socket.Close()
	}
	t.Fatal(failed)
	return nil, nil
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	n := &nameServer{zone: map[string][]string{
		"www.example.com. A": {"10.0.0.10", "10.0.0.9"}, "alias.example.com. CNAME": {"www.example.com."}, "note.example.com. TXT": {"a note"}, "10.0.0.10.in-addr.arpa. PTR": {"www.example.com."},
	}}
	socket, stream := samePort(t)
	n.address = socket.LocalAddr().String()
	for _, server := range []*dns.Server{
		{PacketConn: socket, Handler: n, TsigSecret: map[string]string{"drrun.": tsigSecret}},
		{Listener: stream, Handler: n, TsigSecret: map[string]string{"drrun.": tsigSecret}, MsgAcceptFunc: func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }},
	} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return n
}

func (n *nameServer) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	answer := new(dns.Msg).SetReply(question)
	defer func() { _ = w.WriteMsg(answer) }()
	if question.Opcode == dns.OpcodeUpdate {
		n.update(w, question, answer)
		return
	}
	name, kind := question.Question[0].Name, dns.TypeToString[question.Question[0].Qtype]
	if strings.HasPrefix(name, "refused.") {
		answer.Rcode = dns.RcodeRefused
		return
	}
	values, found := n.zone[name+" "+kind]
	if !found {
		answer.Rcode = dns.RcodeNameError
	}
	for _, value := range values {
		if kind == "TXT" {
			value = strconv.Quote(value)
		}
		record, err := dns.NewRR(name + " 300 IN " + kind + " " + value)
		if err != nil {
			panic(err)
		}
		answer.Answer = append(answer.Answer, record)
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp && strings.HasPrefix(name, "note.") { // too long for UDP, it says
		answer.Answer, answer.Truncated = nil, true
	}
}

func (n *nameServer) update(w dns.ResponseWriter, question, answer *dns.Msg) {
	signed := question.IsTsig()
	if signed == nil || w.TsigStatus() != nil {
		answer.Rcode = dns.RcodeRefused
		return
	}
	n.updates++
	for _, record := range question.Ns {
		h := record.Header()
		key := h.Name + " " + dns.TypeToString[h.Rrtype]
		switch value := strings.TrimPrefix(record.String(), h.String()); h.Class {
		case dns.ClassANY:
			delete(n.zone, key)
		case dns.ClassNONE:
			kept := n.zone[key][:0]
			for _, old := range n.zone[key] {
				if strings.Trim(strings.TrimPrefix(record.String(), h.String()), `"`) != old {
					kept = append(kept, old)
				}
			}
			n.zone[key] = kept
		default:
			n.zone[key] = append(n.zone[key], strings.Trim(value, `"`))
		}
	}
	answer.SetTsig("drrun.", signed.Algorithm, 300, int64(signed.TimeSigned))
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
		got, err := s.lua(`local S = "` + n.address + `"; return require "dns".lookup(` + code + `)`)
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
	_, err := s.lua(`return require "dns".lookup("refused.example.com", { server = "` + n.address + `" })`)
	raised(t, err, "dns-failed", "REFUSED", "refused.example.com", n.address)
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
	s.secrets["tsig"], s.secrets["other"] = tsigSecret, "b3RoZXItc2VjcmV0LXZhbHVl"
	call := func(key, rest string) (any, error) {
		return s.lua(`local dr, dns = require "dr", require "dns"
return dns.update { server = "` + n.address + `", zone = "example.com", key = { name = "drrun", secret = dr.secret "` + key + `" }, ` + rest + ` }`)
	}
	got := s.must(call("tsig", `set = { { name = "www", value = "10.1.0.10", ttl = "60s" }, { name = "www", value = "10.1.0.11" } }, add = { { name = "t.example.com.", type = "TXT", value = "a \"b\"" } },
		delete = { { name = "alias", type = "CNAME" }, { name = "note", type = "TXT", value = "a note" } }`))
	if want := map[string]any{"server": n.address, "zone": "example.com.", "changes": 5.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	n.mu.Lock()
	if got := n.zone["www.example.com. A"]; !reflect.DeepEqual(got, []string{"10.1.0.10", "10.1.0.11"}) {
		t.Errorf("www is %v", got)
	}
	if len(n.zone["t.example.com. TXT"]) != 1 || n.zone["alias.example.com. CNAME"] != nil || len(n.zone["note.example.com. TXT"]) != 0 {
		t.Errorf("the zone is %v", n.zone)
	}
	n.mu.Unlock()
	_, err := call("other", `set = { { name = "www", value = "10.9.9.9" } }`)
	raised(t, err, "dns-failed", "REFUSED", "example.com", "no record was changed")
	for rest, words := range map[string]string{
		``: "nothing is to be changed", `set = { { name = "www" } }`: "set[1] needs a value", `set = { { name = "www", value = "ten" } }`: "no value of a record of type A",
		`add = { { name = "www.other.org.", value = "10.0.0.1" } }`: "outside of the zone",
	} {
		_, err := call("tsig", rest)
		raised(t, err, "bad-argument", words)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.updates != 1 {
		t.Errorf("%d updates", n.updates)
	}
	left := s.left(err)
	for _, secret := range s.secrets {
		if strings.Contains(left, secret) {
			t.Errorf("%s is in what is left", secret)
		}
	}
}
