package runner_test

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// guestServer is what a guest serves, at a port of this machine.
func guestServer(t *testing.T, health http.HandlerFunc) (port string) {
	t.Helper()
	server := httptest.NewServer(health)
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func unusedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// guestAt makes vm1 report that address.
func guestAt(address string) func(*lab.World) {
	return func(w *lab.World) {
		for i := range w.Sites {
			for k := range w.Sites[i].VMs {
				if vm := &w.Sites[i].VMs[k]; vm.Name == "vm1" {
					vm.IP, vm.Agent = address, address != ""
				}
			}
		}
	}
}

// TestProbes gives vm1 boot conditions that look at it from outside.
func TestProbes(t *testing.T) {
	t.Parallel()
	open := guestServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/health":
			fmt.Fprint(w, "database: ok")
		case "/moved":
			http.Redirect(w, r, "/health", http.StatusFound)
		default:
			http.Error(w, "not ready: "+r.URL.Path, http.StatusServiceUnavailable)
		}
	})
	closed := unusedPort(t)
	folder := t.TempDir()
	script := "#!/bin/sh\necho \"looked at $1\" >&2\n[ \"$1\" = vm1 ] && [ \"$2\" = 127.0.0.1 ] && [ \"$3\" = vm1.localdomain ] && [ \"$4\" = secondary ]\n"
	if err := os.WriteFile(filepath.Join(folder, "check.sh"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, boot  string
		address     string // that the guest agent reports; "-" for no agent
		state       string
		words       string // in the reason why it is not up
		least, most time.Duration
	}{
		{name: "tcp", boot: `dr.boot.tcp { port = OPEN }`, state: "up", most: time.Minute},
		{name: "tcp by place", boot: `dr.boot.tcp(OPEN)`, state: "up", most: time.Minute},
		{name: "tcp closed", boot: `dr.boot.tcp { port = CLOSED }`, state: "unverified", words: "127.0.0.1:CLOSED is not open", least: 10 * time.Minute, most: 11 * time.Minute},
		{name: "tcp closed, a time-out of its own", boot: `dr.boot.tcp { port = CLOSED, timeout = "90s" }`, state: "unverified", words: "is not open", least: 90 * time.Second, most: 2 * time.Minute},
		{name: "tcp without an agent", boot: `dr.boot.tcp { port = OPEN, timeout = "3m" }`, address: "-", state: "unverified", words: "no address yet: the guest agent does not report", least: 3 * time.Minute, most: 4 * time.Minute},
		{name: "tcp of a host needs no agent", boot: `dr.boot.tcp { port = OPEN, host = "localhost" }`, address: "-", state: "up", most: time.Minute},
		{name: "tcp of a NIC", boot: `dr.boot.tcp { port = OPEN, nic = "nic1" }`, state: "up", most: time.Minute},
		{name: "tcp of a NIC that is not there", boot: `dr.boot.tcp { port = OPEN, nic = "nic9", timeout = "1m" }`, state: "unverified", words: `the VM has no NIC "nic9", it has nic1`, most: 2 * time.Minute},
		{name: "a link-local address is none", boot: `dr.boot.tcp { port = OPEN, timeout = "1m" }`, address: "169.254.7.7", state: "unverified", words: "reports none of nic1", most: 2 * time.Minute},
		{name: "tls where there is none", boot: `dr.boot.tcp { port = OPEN, tls = true, timeout = "30s" }`, state: "unverified", words: "TLS with", most: 2 * time.Minute},
		{name: "a CA file that is not there", boot: `dr.boot.tcp { port = OPEN, tls = true, ca_file = "no.pem" }`, state: "unverified", words: "no.pem", most: time.Minute},
		{name: "http", boot: `dr.boot.http { url = "http://{ip}:OPEN/health" }`, state: "up", most: time.Minute},
		{name: "http by place", boot: `dr.boot.http "http://{ip}:OPEN/health"`, state: "up", most: time.Minute},
		{name: "http follows", boot: `dr.boot.http { url = "http://{ip}:OPEN/moved", contains = "ok" }`, state: "up", most: time.Minute},
		{name: "http holds", boot: `dr.boot.http { url = "http://{ip}:OPEN/health", status = 200, contains = "database: ok" }`, state: "up", most: time.Minute},
		{name: "http does not hold", boot: `dr.boot.http { url = "http://{ip}:OPEN/health", contains = "ready", timeout = "1m" }`, state: "unverified", words: `/health answered 200, and the body does not hold "ready"`, most: 2 * time.Minute},
		{name: "http with another status", boot: `dr.boot.http { url = "http://{ip}:OPEN/{name}", timeout = "1m" }`, state: "unverified", words: "answered 503 Service Unavailable: not ready: /vm1", most: 2 * time.Minute},
		{name: "http where 503 is right", boot: `dr.boot.http { url = "http://{ip}:OPEN/x", status = { 200, 503 } }`, state: "up", most: time.Minute},
		{name: "http, nobody listens", boot: `dr.boot.http { url = "http://{ip}:CLOSED/", timeout = "1m" }`, state: "unverified", words: "connection refused", most: 2 * time.Minute},
		{name: "exec", boot: `dr.boot.exec { "FOLDER/check.sh", folder = "FOLDER", "{name}", "{ip}", "{fqdn}", "{site}" }`, state: "up", most: time.Minute},
		{name: "exec fails", boot: `dr.boot.exec { "FOLDER/check.sh", folder = "FOLDER", "{site}", timeout = "1m" }`, state: "unverified", words: "looked at secondary", most: 2 * time.Minute},
		{name: "exec without an agent", boot: `dr.boot.exec { "FOLDER/check.sh", folder = "FOLDER", "{ip}", timeout = "1m" }`, address: "-", state: "unverified", words: "no address yet", most: 2 * time.Minute},
		{name: "exec that needs none", boot: `dr.boot.exec { "true", "{name}", folder = "FOLDER" }`, address: "-", state: "up", most: time.Minute},
		{name: "exec of what is not there", boot: `dr.boot.exec { "FOLDER/no-such-program", folder = "FOLDER" }`, state: "unverified", words: "no such file", most: time.Minute},
		{name: "all", boot: `dr.boot.all { dr.boot.tcp(OPEN), dr.boot.http "http://{ip}:OPEN/health", dr.boot.wait "2m" }`, state: "up", least: 2 * time.Minute, most: 3 * time.Minute},
		{name: "any", boot: `dr.boot.any { dr.boot.tcp(CLOSED), dr.boot.wait "3m" }`, state: "up", least: 3 * time.Minute, most: 4 * time.Minute},
		{name: "any with a broken one", boot: `dr.boot.any { dr.boot.exec { "FOLDER/no-such-program", folder = "FOLDER" }, dr.boot.tcp(OPEN) }`, state: "up", most: time.Minute},
		{name: "stable", boot: `dr.boot.tcp { port = OPEN, stable_for = "2m" }`, state: "up", least: 2 * time.Minute, most: 3 * time.Minute},
		{name: "stable as a whole", boot: `dr.boot.all { dr.boot.tcp(OPEN), dr.boot.guest_agent(), stable_for = "3m" }`, state: "up", least: 3 * time.Minute, most: 4 * time.Minute},
		{name: "not stable in time", boot: `dr.boot.tcp { port = CLOSED, stable_for = "30s", timeout = "1m" }`, state: "unverified", words: "is not open", least: time.Minute, most: 2 * time.Minute},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ports := strings.NewReplacer("OPEN", open, "CLOSED", closed, "FOLDER", folder)
			address := cmp.Or(strings.TrimPrefix(c.address, "-"), map[bool]string{true: "127.0.0.1"}[c.address == ""])
			p := newPairOf(t, 1, lab.TwoSitesOptions{}, guestAt(address))
			generated := map[bool]string{true: `rank = 0, boot = dr.boot.wait "60s"`, false: `rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`}[address == ""]
			p.edit(generated, "rank = 0, boot = "+ports.Replace(c.boot))
			if err := p.disk.MkdirAll(folder); err != nil { // programs run in a folder that this machine has, too
				t.Fatal(err)
			}
			p.lose()
			r := p.failover(nil)
			expect(t, r, map[bool]int{true: 0, false: 4}[c.state == "up"])
			first, next := vm(t, r, "vm1"), vm(t, r, "vm2")
			if first.Status != c.state || !strings.Contains(first.Error, ports.Replace(c.words)) {
				t.Errorf("vm1 is %s: %q; want %s: %q", first.Status, first.Error, c.state, ports.Replace(c.words))
			}
			if gap := next.StartedAt.Sub(*first.UpAt); gap < c.least || gap > c.most {
				t.Errorf("vm2 was started %s after vm1 was up, want %s to %s", gap, c.least, c.most)
			}
		})
	}
}

// TestProbeUntilItHolds opens the port of a guest when drrun says that it waits for it, and sees what it waited for in journal and output.
func TestProbeUntilItHolds(t *testing.T) {
	t.Parallel()
	port := unusedPort(t)
	p := newPairOf(t, 1, lab.TwoSitesOptions{}, guestAt("127.0.0.1"))
	p.edit(`rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, "rank = 0, boot = dr.boot.tcp { port = "+port+", stable_for = \"1m\" }")
	p.lose()
	var waited []string
	r := p.failover(func(o *runner.Options) {
		seen := o.Observe
		o.Observe = func(e engine.Event) {
			seen(e)
			if e.Kind != stdlib.WaitNote || e.Subject.Name != "vm1" {
				return
			}
			waited = append(waited, e.Text)
			if strings.Contains(e.Text, "is not open") {
				l, err := net.Listen("tcp", "127.0.0.1:"+port)
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { _ = l.Close() })
			}
		}
	})
	expect(t, r, 0)
	want := []string{"no address yet: the guest agent does not report", "127.0.0.1:" + port + " is not open", "127.0.0.1:" + port + " is open; it has to hold for 1m0s"}
	if len(waited) != len(want) {
		t.Fatalf("it said %q, want %q", waited, want)
	}
	for i := range want {
		if !strings.HasPrefix(waited[i], want[i]) {
			t.Errorf("it said %q, want %q", waited[i], want[i])
		}
	}
	if !strings.Contains(p.read(p.journal()), "is open; it held for 1m0s") {
		t.Error("the journal does not hold the verdict")
	}
}

// TestStableStartsAnew breaks a condition for a moment: the time for which it has to hold begins anew.
func TestStableStartsAnew(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.edit(`rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, `rank = 0, boot = dr.boot.all { function(ctx, vm)
		LOOKS.n = LOOKS.n + 1
		return LOOKS.n ~= 20
	end, stable_for = "90s" }`)
	p.edit(`local plan = dr.plan`, `local LOOKS = { n = 0 }
local plan = dr.plan`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, 0)
	// 20 looks, one every 3 s, then 90 s.
	if gap := vm(t, r, "vm2").StartedAt.Sub(*vm(t, r, "vm1").UpAt); gap < 147*time.Second || gap > 165*time.Second {
		t.Errorf("vm2 was started %s after vm1 was up", gap)
	}
}

// TestProbeRequests counts what it costs to know the addresses of many guests: one request a tick for 80 of them, no read for one.
func TestProbeRequests(t *testing.T) {
	t.Parallel()
	const vms = 120
	port := guestServer(t, func(http.ResponseWriter, *http.Request) {})
	requests := func(boot string) (polls, reads int) {
		p := newPairOf(t, 1, lab.TwoSitesOptions{VMs: vms}, func(w *lab.World) {
			for i := range w.Sites {
				for k := range w.Sites[i].VMs {
					w.Sites[i].VMs[k].IP, w.Sites[i].VMs[k].Agent = "127.0.0.1", true
				}
			}
		})
		text := p.read("/site/plan.lua")
		if n := strings.Count(text, `boot = dr.boot.guest_agent { timeout = "5m" }`); n != vms {
			t.Fatalf("%d VMs have the condition to replace", n)
		}
		p.write("/site/plan.lua", strings.ReplaceAll(text, `boot = dr.boot.guest_agent { timeout = "5m" }`, "boot = "+boot))
		p.lose()
		r := p.failover(nil)
		expect(t, r, 0)
		return r.Requests["secondary"].Polls, r.Requests["secondary"].Reads
	}
	agentPolls, agentReads := requests(`dr.boot.guest_agent { timeout = "5m" }`)
	polls, reads := requests("dr.boot.tcp(" + port + ")")
	t.Logf("%d VMs: %d polls and %d reads for the guest agent alone, %d and %d for an address of each", vms, agentPolls, agentReads, polls, reads)
	if reads != agentReads {
		t.Errorf("%d reads, %d without addresses", reads, agentReads)
	}
	if polls > 2*agentPolls+10 {
		t.Errorf("%d polls, %d without addresses", polls, agentPolls)
	}
}

// TestProbeSecrets sends a token to a guest that shows it, and looks for it in everything that is left.
func TestProbeSecrets(t *testing.T) {
	t.Parallel()
	asked := 0
	port := guestServer(t, func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked < 3 {
			http.Error(w, "not yet, "+r.Header.Get("Authorization"), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, r.Header.Get("Authorization"))
	})
	p := newPairOf(t, 1, lab.TwoSitesOptions{}, guestAt("127.0.0.1"))
	p.edit(`rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, `rank = 0, boot = dr.boot.http { url = "http://{ip}:`+port+`/?key=query-of-the-plan", token = dr.secret "primary_password" }`)
	p.lose()
	expect(t, p.failover(nil), 0)
	if strings.Contains(p.read(p.journal()), "query-of-the-plan") {
		t.Error("the journal holds the query of the address, which can be a key")
	}
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	for _, path := range p.disk.Files() {
		if strings.Contains(p.read(path), lab.PrimaryPassword) {
			t.Errorf("%s holds the token", path)
		}
	}
	for _, e := range p.out {
		if strings.Contains(e.Text, lab.PrimaryPassword) {
			t.Errorf("it was said: %s", e.Text)
		}
	}
}

// TestProbeInADryRun sees that a dry run looks at no guest.
func TestProbeInADryRun(t *testing.T) {
	t.Parallel()
	p := newPairOf(t, 1, lab.TwoSitesOptions{}, guestAt("127.0.0.1"))
	p.edit(`rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, `rank = 0, boot = dr.boot.exec { "false", "{ip}" }`)
	p.lose()
	expect(t, p.failover(func(o *runner.Options) { o.DryRun = true }), 0)
}
