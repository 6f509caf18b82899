package worlds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
)

// faulty is a world with one rule: vm1 runs, vm2 is down, and all hosts can be fenced.
const faulty = `local lab = require "lab"
local function site(name)
  local hosts = {}
  for i = 1, 2 do hosts[i] = { name = name .. "-host" .. i, power_management = true, fence_agents = { { type = "ipmilan", address = "bmc", username = "u" } } } end
  return { name = name, data_centers = { { name = "Main" } }, clusters = { { name = "Prod" } }, networks = { { name = "lan" } }, hosts = hosts }
end
local primary, secondary = site "primary", site "secondary"
primary.storage_domains = { { name = "nfs", data_center = "Main", address = "10.0.0.1", path = "/nfs" } }
primary.vms = { { name = "vm1", running = true, disks = { {} } }, { name = "vm2", disks = { {} } } }
secondary.storage_domains = { { name = "own", data_center = "Main", address = "10.0.0.2", path = "/own" } }
return lab.world {
  sites = { primary, secondary },
  exports = {
    { site = "primary", address = "10.0.0.1", path = "/nfs" }, { site = "secondary", address = "10.0.0.2", path = "/nfs" },
    { site = "secondary", address = "10.0.0.2", path = "/own" },
  },
  replications = { { domain = "nfs", source = "10.0.0.1:/nfs", target = "10.0.0.2:/nfs" } },
  faults = { %s },
}
`

// faultySpeed is how fast the time of these labs runs.
const faultySpeed = 100

// failing is a served lab with one rule.
type failing struct {
	*testing.T
	control            *lab.ControlClient
	primary, secondary *site
}

var (
	vm1 = "/vms/" + lab.ID("primary/vm/vm1")
	vm2 = "/vms/" + lab.ID("primary/vm/vm2")
	nfs = lab.ID("primary/storage_domain/nfs")
	own = "/datacenters/" + lab.ID("secondary/data_center/Main") + "/storagedomains"
)

// eventually waits until something holds, in time that runs faultySpeed times as fast.
func (f *failing) eventually(what string, holds func() bool) {
	f.Helper()
	for begin := time.Now(); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			f.Fatalf("never: %s", what)
		}
	}
}

func (f *failing) want(a answer, status int, fragment string) {
	f.Helper()
	if a.err != nil || a.status != status || !strings.Contains(a.body, fragment) {
		f.Fatalf("%d %v, want %d with %q\n%s", a.status, a.err, status, fragment, a.body)
	}
}

// cut demands that the connection broke instead of an answer.
func (f *failing) cut(a answer) {
	f.Helper()
	if a.err == nil {
		f.Fatalf("an answer: %d %s", a.status, a.body)
	}
}

func (s *site) tag(name string) answer {
	return s.do(http.MethodPost, "/tags", "<tag><name>"+name+"</name></tag>")
}

func (s *site) hasTag(name string) bool {
	return strings.Contains(s.do(http.MethodGet, "/tags", "").body, "<name>"+name+"</name>")
}

func (s *site) status(path string) string { return s.get(path).text("status") }

func (s *site) event(code string) bool {
	return slices.ContainsFunc(s.get("/events").Children, func(e element) bool { return e.text("code") == code })
}

// lose takes the primary's power and makes the copy at the secondary writable.
func (f *failing) lose() {
	f.Helper()
	if err := errors.Join(f.control.Disaster(f.Context(), "primary"), f.control.Promote(f.Context(), "nfs")); err != nil {
		f.Fatal(err)
	}
}

func (f *failing) imports() answer {
	return f.secondary.do(http.MethodPost, "/storagedomains", `<storage_domain id="`+nfs+`"><type>data</type><host><name>secondary-host1</name></host>`+
		`<storage><type>nfs</type><address>10.0.0.2</address><path>/nfs</path></storage></storage_domain>`)
}

func (f *failing) attaches() answer {
	return f.secondary.do(http.MethodPost, own, `<storage_domain id="`+nfs+`"/>`)
}

// faultRules are rules as a world file has them, each with what a client sees of it.
var faultRules = []struct {
	name, rule string
	see        func(f *failing)
}{
	{"status by site, method, path and n-th time",
		`{ site = "primary", method = "GET", path = "/vms$", nth = 2, times = 2, status = 503, reason = "Operation Failed", detail = "[Try later]" }`, func(f *failing) {
			for i, want := range []int{200, 503, 503, 200} {
				f.want(f.secondary.do(http.MethodGet, "/vms", ""), 200, "<vms")
				f.want(f.primary.do(http.MethodGet, vm1, ""), 200, "<vm ")
				if a := f.primary.do(http.MethodPost, "/vms", "<vm/>"); a.status == 503 {
					f.Fatal("a POST is met")
				}
				if a := f.primary.do(http.MethodGet, "/vms", ""); a.status != want || want == 503 && !strings.Contains(a.body, "<detail>[Try later]</detail>") {
					f.Fatalf("request %d: %d\n%s", i+1, a.status, a.body)
				}
			}
		}},
	{"status without a body", `{ path = "/vms$", status = 500 }`, func(f *failing) {
		if a := f.primary.do(http.MethodGet, "/vms", ""); a.status != 500 || a.body != "" {
			f.Fatalf("%d %q", a.status, a.body)
		}
	}},
	{"HTML instead of the effect", `{ method = "POST", path = "/tags$", status = 502, html = true }`, func(f *failing) {
		f.want(f.primary.tag("a"), 502, "<html>")
		if f.primary.hasTag("a") {
			f.Error("it had an effect")
		}
	}},
	{"HTML after the effect", `{ method = "POST", path = "/tags$", html = true }`, func(f *failing) {
		f.want(f.primary.tag("a"), 200, "<html>")
		if !f.primary.hasTag("a") {
			f.Error("it had no effect")
		}
	}},
	{"no body after the effect", `{ method = "POST", path = "/tags$", empty = true }`, func(f *failing) {
		if a := f.primary.tag("a"); a.status != 201 || a.body != "" || a.err != nil || !f.primary.hasTag("a") {
			f.Errorf("%+v", a)
		}
	}},
	{"reset before the effect", `{ method = "POST", path = "/tags$", reset = "before" }`, func(f *failing) {
		f.cut(f.primary.tag("a"))
		if f.primary.hasTag("a") {
			f.Error("it had an effect")
		}
		f.want(f.primary.tag("a"), 201, "<tag ")
	}},
	{"reset after the effect", `{ method = "POST", path = "/tags$", reset = "after" }`, func(f *failing) {
		f.cut(f.primary.tag("a"))
		if !f.primary.hasTag("a") {
			f.Error("it had no effect")
		}
		f.want(f.primary.tag("a"), 409, "<fault")
	}},
	{"truncated body", `{ method = "POST", path = "/tags$", truncate = true }`, func(f *failing) {
		a := f.primary.tag("a")
		if !errors.Is(a.err, io.ErrUnexpectedEOF) || a.status != 201 || !strings.HasPrefix(a.body, "<") || strings.Contains(a.body, "</tag>") {
			f.Errorf("%+v", a)
		}
		if !f.primary.hasTag("a") {
			f.Error("it had no effect")
		}
	}},
	{"delay", `{ path = "/vms$", delay = "60s" }`, func(f *failing) {
		begin := time.Now()
		f.want(f.primary.do(http.MethodGet, "/vms", ""), 200, "<vms")
		if took := time.Since(begin); took < 60*time.Second/faultySpeed {
			f.Errorf("answered after %v", took)
		}
	}},
	{"probability with a seed", `{ method = "GET", path = "/tags$", probability = 0.5, seed = 7, status = 500 }`, func(f *failing) {
		var met strings.Builder
		for range 24 {
			fmt.Fprint(&met, f.primary.do(http.MethodGet, "/tags", "").status/100)
		}
		if met.String() != "525522255555522552522225" {
			f.Errorf("other requests were met than always: %s", met.String())
		}
	}},
	{"engine restart with a request", `{ site = "primary", method = "POST", path = "/tags$", restart = true }`, func(f *failing) {
		f.cut(f.primary.tag("a"))
		f.cut(f.primary.do(http.MethodGet, "/tags", ""))
		f.eventually("the engine answers", func() bool { return f.primary.do(http.MethodGet, "/tags", "").err == nil })
		f.want(f.primary.do(http.MethodGet, "/tags", ""), 401, "<html>")
		f.primary.login(lab.PrimaryUsername, lab.PrimaryPassword)
		if f.primary.hasTag("a") {
			f.Error("it had an effect")
		}
	}},
	{"engine restart before a request", `{ kind = "engine-restart", site = "secondary", path = "/tags$" }`, func(f *failing) {
		f.cut(f.secondary.do(http.MethodGet, "/tags", ""))
		f.want(f.primary.do(http.MethodGet, "/tags", ""), 200, "<tags")
		f.eventually("the engine answers", func() bool { return f.secondary.do(http.MethodGet, "/tags", "").status == 401 })
	}},
	{"loss of the site", `{ kind = "site-down", site = "primary", asked = "secondary", path = "/tags$" }`, func(f *failing) {
		f.want(f.primary.do(http.MethodGet, "/tags", ""), 200, "<tags")
		f.want(f.secondary.do(http.MethodGet, "/tags", ""), 200, "<tags")
		f.cut(f.primary.do(http.MethodGet, "/tags", ""))
	}},
	{"loss of a host", `{ kind = "host-down", subject = "primary-host1", method = "GET", path = "/tags$" }`, func(f *failing) {
		host := "/hosts/" + lab.ID("primary/host/primary-host1")
		if s := f.primary.status(host); s != "up" {
			f.Fatal(s)
		}
		f.primary.hasTag("")
		f.eventually("the host does not answer", func() bool { return f.primary.status(host) == "non_responsive" })
		f.eventually("its VM is unknown", func() bool { return f.primary.status(vm1) != "up" })
	}},
	{"a host that the engine does not hear", `{ kind = "host-isolated", subject = "primary-host1" }`, func(f *failing) {
		f.eventually("the host does not answer", func() bool {
			return f.primary.status("/hosts/"+lab.ID("primary/host/primary-host1")) == "non_responsive"
		})
		world, err := f.control.World(f.Context())
		if err != nil || !slices.ContainsFunc(world.Sites["primary"].VMs, func(v lab.VMView) bool { return v.Name == "vm1" && v.Running }) {
			f.Errorf("vm1 does not run on: %v %+v", err, world.Sites["primary"].VMs)
		}
	}},
	{"a BMC that does not answer", `{ kind = "host-bmc", subject = "primary-host2" }`, func(f *failing) {
		f.want(f.primary.do(http.MethodPost, "/hosts/"+lab.ID("primary/host/primary-host2")+"/fence", "<action><fence_type>status</fence_type></action>"), 200, "<status>failed</status>")
		f.want(f.primary.do(http.MethodPost, "/hosts/"+lab.ID("primary/host/primary-host1")+"/fence", "<action><fence_type>status</fence_type></action>"), 200, "<status>on</status>")
	}},
	{"a host that does not reach its storage", `{ kind = "host-blind", subject = "primary-host2", export = "10.0.0.1:/nfs" }`, func(f *failing) {
		f.eventually("the host is non_operational", func() bool {
			return f.primary.status("/hosts/"+lab.ID("primary/host/primary-host2")) == "non_operational"
		})
	}},
	{"loss of storage", `{ kind = "storage-down", export = "10.0.0.1:/nfs", path = "/tags$" }`, func(f *failing) {
		if s := f.primary.status(vm1); s != "up" {
			f.Fatal(s)
		}
		f.primary.hasTag("")
		f.eventually("the VM is paused", func() bool { return f.primary.status(vm1) == "paused" })
		if !f.primary.event("145") {
			f.Error("no event 145")
		}
	}},
	{"a job that failed behind an answer that says complete", `{ kind = "job-failed", subject = "vm2", path = "/start$" }`, func(f *failing) {
		f.want(f.primary.do(http.MethodPost, vm2+"/start", "<action/>"), 200, "<status>complete</status>")
		if jobs := f.primary.get("/jobs").Children; !slices.ContainsFunc(jobs, func(j element) bool { return j.text("status") == "failed" }) || f.primary.status(vm2) != "down" {
			f.Errorf("vm2 is %s; jobs: %+v", f.primary.status(vm2), jobs)
		}
		f.want(f.primary.do(http.MethodPost, vm2+"/start", "<action/>"), 200, "<status>complete</status>")
		f.eventually("the second start works", func() bool { return f.primary.status(vm2) == "up" })
	}},
	{"a VM that dies while booting", `{ kind = "vm-boot", subject = "vm2" }`, func(f *failing) {
		f.want(f.primary.do(http.MethodPost, vm2+"/start", "<action/>"), 200, "<status>complete</status>")
		f.eventually("it is down again", func() bool { return f.primary.status(vm2) == "down" && f.primary.event("119") })
		f.want(f.primary.do(http.MethodPost, vm2+"/start", "<action/>"), 200, "<status>complete</status>")
		f.eventually("the second start works", func() bool { return f.primary.status(vm2) == "up" })
	}},
	{"a guest that ignores a shutdown", `{ kind = "vm-shutdown", subject = "vm1" }`, func(f *failing) {
		f.want(f.primary.do(http.MethodPost, vm1+"/shutdown", "<action/>"), 200, "<status>complete</status>")
		f.eventually("it is up again", func() bool { return f.primary.event("147") && f.primary.status(vm1) == "up" })
	}},
	{"a host that cannot list an export", `{ kind = "listing", site = "secondary", subject = "10.0.0.2:/nfs" }`, func(f *failing) {
		f.lose()
		f.want(f.imports(), 400, "<fault")
		f.want(f.imports(), 409, "already exists")
	}},
	{"an attached storage domain that is not activated", `{ kind = "activation", site = "secondary", subject = "nfs" }`, func(f *failing) {
		f.lose()
		f.want(f.imports(), 201, "<storage_domain ")
		f.want(f.attaches(), 201, "<status>maintenance</status>")
		f.want(f.secondary.do(http.MethodPost, own+"/"+nfs+"/activate", "<action/>"), 200, "complete")
		f.eventually("it is active", func() bool { return f.secondary.status(own+"/"+nfs) == "active" })
	}},
	{"OVF stores that cannot be read", `{ kind = "ovf-unreadable" }`, func(f *failing) {
		f.lose()
		f.want(f.imports(), 201, "<storage_domain ")
		f.want(f.attaches(), 201, "<storage_domain ")
		if n := len(f.secondary.get("/storagedomains/" + nfs + "/vms?unregistered=true").Children); n != 0 || !f.secondary.event("1017") {
			f.Errorf("%d unregistered VMs", n)
		}
	}},
	{"a registration that is taken back", `{ kind = "register-lost", subject = "vm1" }`, func(f *failing) {
		f.lose()
		f.want(f.imports(), 201, "<storage_domain ")
		f.want(f.attaches(), 201, "<storage_domain ")
		f.want(f.secondary.do(http.MethodPost, "/storagedomains/"+nfs+vm1+"/register", "<action><cluster><name>Prod</name></cluster></action>"), 200, "complete")
		f.eventually("it is gone", func() bool { return f.secondary.do(http.MethodGet, vm1, "").status == 404 })
	}},
	{"a storage domain that falls back from maintenance", `{ kind = "deactivate", site = "secondary", subject = "nfs" }`, func(f *failing) {
		f.lose()
		f.want(f.imports(), 201, "<storage_domain ")
		f.want(f.attaches(), 201, "<storage_domain ")
		f.want(f.secondary.do(http.MethodPost, own+"/"+nfs+"/deactivate", "<action/>"), 200, "complete")
		f.eventually("it is active again", func() bool { return f.secondary.event("969") && f.secondary.status(own+"/"+nfs) == "active" })
	}},
}

// Each rule does through an ordinary HTTP client what it says, whether a world file has it or the control API was told.
func TestFaults(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, rule string) lab.World {
		file := filepath.Join(t.TempDir(), "world.lua")
		if err := os.WriteFile(file, fmt.Appendf(nil, faulty, rule), 0o600); err != nil {
			t.Fatal(err)
		}
		return sound(t, file)
	}
	kinds := map[string]bool{}
	for _, tc := range faultRules {
		for _, by := range []string{"world file", "control API"} {
			t.Run(tc.name+", by "+by, func(t *testing.T) {
				t.Parallel()
				world := write(t, tc.rule)
				rule := world.Faults[0]
				if by == "control API" {
					world.Faults = nil
				}
				control, sites := serve(t, world, faultySpeed)
				if by == "control API" {
					if _, err := control.AddFault(context.Background(), rule); err != nil {
						t.Fatal(err)
					}
				}
				tc.see(&failing{T: t, control: control, primary: sites["primary"], secondary: sites["secondary"]})
				if list, err := control.Faults(context.Background()); err != nil || len(list) != 1 || list[0].Used == 0 || len(list[0].Fired) == 0 {
					t.Errorf("the lab does not tell that the rule was used: %v %+v", err, list)
				}
			})
		}
		_, rest, _ := strings.Cut(tc.rule, `kind = "`)
		kind, _, _ := strings.Cut(rest, `"`)
		kinds[kind] = true
	}
	for _, kind := range lab.FaultKinds() {
		if !kinds[kind] {
			t.Errorf("no rule of kind %s is tried", kind)
		}
	}
}
