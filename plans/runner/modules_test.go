package runner_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestModulesInARun runs a plan whose hooks read files, ask the environment and tell a server, all of it by the modules. The run is
// stopped by the last hook and resumed: what was told once is not told again, and what is looked at is looked at anew.
func TestModulesInARun(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprint(r.Method, " ", r.URL.Path, " ", string(body), " ", r.Header.Get("X-Key")))
	}))
	defer server.Close()
	p := newPair(t, 21, lab.TwoSitesOptions{})
	p.write("/site/addresses.csv", "vm,ip\nvm1,10.1.0.10\n")
	p.edit("return plan\n", `
local dr, fs, csv, http, env, log = require "dr", require "fs", require "csv", require "http", require "env", require "log"
plan:on("before_run", function(ctx)
  local row = csv.decode(fs.read "addresses.csv")[1]
  log.info("address", row)
  http.put { url = "`+server.URL+`/dns/" .. row.vm, json = { ip = row.ip, site = env.get("SITE", "none") }, headers = { ["X-Key"] = dr.secret "secondary_password" } }
  http.get "`+server.URL+`/health"
  if not ctx.retried then error "the hook breaks" end
end)
return plan
`)
	p.lose()
	first := p.failover(nil)
	if first.Exit == runner.ExitDone || first.Run == "" {
		t.Fatalf("exit %d, run %q", first.Exit, first.Run)
	}
	p.write("/site/addresses.csv", "vm,ip\nvm1,10.1.0.10\nvm2,10.1.0.11\n")
	expect(t, p.resume(first.Run, nil), 0)
	mu.Lock()
	defer mu.Unlock()
	put := `PUT /dns/vm1 {"ip":"10.1.0.10","site":"none"} ` + lab.SecondaryPassword
	if want := []string{put, "GET /health  ", "GET /health  "}; !reflect.DeepEqual(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	journal := p.read(p.journal())
	for _, want := range []string{`"http PUT ` + server.URL + `/dns/vm1"`, `address {\"ip\":\"10.1.0.10\",\"vm\":\"vm1\"}`} {
		if !strings.Contains(journal, want) {
			t.Errorf("the journal lacks %s", want)
		}
	}
	for _, path := range p.disk.Files() {
		if strings.Contains(p.read(path), lab.SecondaryPassword) && path != "/site/plan.lua" {
			t.Errorf("%s holds the password", path)
		}
	}
}

// TestModulesAtLoad sees that a plan cannot depend on the world while it is being loaded, and that the finding says where.
func TestModulesAtLoad(t *testing.T) {
	t.Parallel()
	p := newPair(t, 22, lab.TwoSitesOptions{})
	p.edit("return plan\n", "local home = require \"env\".get \"HOME\"\nreturn plan\n")
	r := p.failover(nil)
	expect(t, r, 2)
	found := fmt.Sprint(r.Findings)
	if !strings.Contains(found, "outside-a-run") || !strings.Contains(found, "plan is only being loaded") {
		t.Errorf("findings %s", found)
	}
}

// TestModulesInABootCondition sees that a VM counts as running when a server says so, that what fails until then is no error, and that a
// condition cannot change anything.
func TestModulesInABootCondition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, condition string
		exit, asked     int
	}{
		{"a server that starts", `http.ok(A)`, 0, 3},
		{"one that never answers", `http.ok "http://127.0.0.1:1/"`, 4, 0},
		{"a change", `http.put(A).status == 200`, 4, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if asked++; asked < 3 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}))
			defer server.Close()
			p := newPair(t, 23, lab.TwoSitesOptions{})
			p.edit(`rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, "rank = 0, boot = function() return "+strings.Replace(c.condition, "(A)", `("`+server.URL+`")`, 1)+" end")
			p.edit("local plan = dr.plan", "local http = require \"http\"\nlocal plan = dr.plan")
			p.lose()
			r := p.failover(nil)
			expect(t, r, c.exit)
			mu.Lock()
			defer mu.Unlock()
			if asked != c.asked {
				t.Errorf("asked %d times, want %d", asked, c.asked)
			}
			if c.name == "a change" && !strings.Contains(fmt.Sprint(r.VMs), "may only observe") {
				t.Errorf("VMs: %+v", r.VMs)
			}
		})
	}
}
