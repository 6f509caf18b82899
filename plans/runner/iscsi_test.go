package runner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// logins counts the logins of hosts of the secondary, by host and target.
func (p *pair) logins() map[string]int {
	count := map[string]int{}
	for _, entry := range p.lab.Log() {
		if text, ok := strings.CutPrefix(entry.Effect, "log host "); ok && entry.Site == "secondary" {
			count[text]++
		}
	}
	return count
}

// warned reports whether a run said something that holds all of the words.
func warned(r *runner.Result, words ...string) bool {
	return slices.ContainsFunc(r.Warnings, func(text string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
	})
}

// TestEveryHostLogsIn: each host that is up logs in at each portal once, and not again by a repeated run.
func TestEveryHostLogsIn(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2, Hosts: 3, Kind: plans.StorageISCSI})
	p.lose()
	expect(t, p.failover(nil), runner.ExitDone)
	logins := p.logins()
	if len(logins) != 3*2 { // the effect names the target and not the portal
		t.Errorf("logins %v", logins)
	}
	for who, n := range logins {
		if n != 2 {
			t.Errorf("%s: %d times, want once at each portal", who, n)
		}
	}
}

// TestLoginsAreReadBeforeTheyAreRepeated stops the run when the logins were made: the next one sees the sessions and makes no other.
func TestLoginsAreReadBeforeTheyAreRepeated(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 3, Kind: plans.StorageISCSI})
	p.lose()
	p.fail(lab.Fault{Site: "secondary", Method: "POST", Path: "/storagedomains$", Times: -1, Status: 409, Reason: "Operation Failed", Detail: "[Cannot add Storage. Failed to get data for Import operation.]"})
	r := p.failover(nil)
	if r.Exit == runner.ExitDone {
		t.Fatalf("%+v", r.Error)
	}
	before := p.logins()
	if err := p.lab.DropFault(0); err != nil {
		t.Fatal(err)
	}
	expect(t, p.failover(nil), runner.ExitDone)
	if now := p.logins(); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("logins %v, were %v", now, before)
	}
}

// withCHAP makes the targets of both sites ask for a password.
func withCHAP(w *lab.World) {
	for i := range w.Targets {
		w.Targets[i].Username, w.Targets[i].Password = lab.CHAPUsername, lab.CHAPPassword
	}
}

// guardTargets writes into the plan what CHAP asks for at the secondary.
func (p *pair) guardTargets() {
	p.t.Helper()
	text := p.read("/site/plan.lua")
	lines := strings.Split(text, "\n")
	secondary := false
	for i, line := range lines {
		secondary = secondary || strings.HasPrefix(strings.TrimSpace(line), "secondary = { data_center")
		if !secondary || !strings.Contains(line, "targets = {") {
			continue
		}
		open, rest, _ := strings.Cut(line, "targets = { ")
		list, end, _ := strings.Cut(rest, " }")
		var guarded []string
		for _, target := range strings.Split(list, ", ") {
			guarded = append(guarded, fmt.Sprintf(`{ target = %s, username = %q, password = dr.secret "secondary_chap_password" }`, target, lab.CHAPUsername))
		}
		lines[i] = open + "targets = { " + strings.Join(guarded, ", ") + " }" + end
		secondary = false
	}
	p.write("/site/plan.lua", strings.Join(lines, "\n"))
}

// withSecrets gives a run the passwords of CHAP.
func withSecrets(password string) func(o *runner.Options) {
	return func(o *runner.Options) {
		known := o.Secrets.Env
		o.Secrets.Env = func(name string) (string, bool) {
			if name == "DRRUN_SECRET_PRIMARY_CHAP_PASSWORD" || name == "DRRUN_SECRET_SECONDARY_CHAP_PASSWORD" {
				return password, true
			}
			return known(name)
		}
	}
}

// TestCHAP: the password is a secret of the plan; it is in nothing that the run leaves behind.
func TestCHAP(t *testing.T) {
	t.Parallel()
	p := newPairOf(t, 3, lab.TwoSitesOptions{VMs: 3, Kind: plans.StorageISCSI}, withCHAP)
	if text := p.read("/site/plan.lua"); !strings.Contains(text, `username = "drrun-lab", password = dr.secret "primary_chap_password" }`) {
		t.Fatalf("the plan does not say what the primary's targets ask for:\n%s", text)
	}
	p.lose()

	r := p.failover(withSecrets(lab.CHAPPassword)) // nobody told the plan about the secondary's
	if r.Exit == runner.ExitDone || r.Error.Code != "iscsi-unreachable" || !strings.Contains(r.Error.Hint, "CHAP") {
		t.Fatalf("without a password: %d %+v", r.Exit, r.Error)
	}
	p.guardTargets()
	r = p.failover(withSecrets("wrong-password"))
	if r.Exit == runner.ExitDone || r.Error.Code != "iscsi-unreachable" || !strings.Contains(r.Error.Message, "authorization failure") || !strings.Contains(r.Error.Hint, "CHAP") {
		t.Fatalf("with the wrong password: %d %+v", r.Exit, r.Error)
	}
	r = p.failover(withSecrets(lab.CHAPPassword))
	expect(t, r, runner.ExitDone)
	for _, path := range p.disk.Files() {
		if text := p.read(path); strings.Contains(text, lab.CHAPPassword) || strings.Contains(text, "wrong-password") {
			t.Errorf("%s holds a password", path)
		}
	}
	for _, event := range p.out {
		if strings.Contains(fmt.Sprintf("%+v", event), lab.CHAPPassword) {
			t.Errorf("an event holds the password: %+v", event)
		}
	}
}

// TestOneHostCannotLogIn: the run goes on without it, and says which host it is and what follows. The import goes through another one.
func TestOneHostCannotLogIn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"host2a", "host2b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			oneHostCannotLogIn(t, name)
		})
	}
}

func oneHostCannotLogIn(t *testing.T, name string) {
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 3, Hosts: 3, Kind: plans.StorageISCSI})
	host := ""
	for _, h := range p.lab.View().Sites["secondary"].Hosts {
		if h.Name == name {
			host = h.ID
		}
	}
	p.fail(lab.Fault{Site: "secondary", Method: "POST", Path: "/hosts/" + host + "/iscsilogin$", Times: -1, Status: 400, Reason: "Operation Failed", Detail: "[Failed to login to iSCSI node]"})
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitDone)
	if !warned(r, name, "nfs_ds", "Failed to login to iSCSI node", "non-operational", "none of the plan's VMs starts there") {
		t.Errorf("warnings %q", r.Warnings)
	}
}

// TestOnePortalIsDead: the host reaches the storage over the other one.
func TestOnePortalIsDead(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 3, Kind: plans.StorageISCSI})
	p.fail(lab.Fault{Site: "secondary", Method: "POST", Path: "/iscsilogin$", Times: 1, Status: 400, Reason: "Operation Failed", Detail: "[Failed to login to iSCSI node]"})
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitDone)
	if !warned(r, "over 1 of 2 portals only") {
		t.Errorf("warnings %q", r.Warnings)
	}
}

// TestNoHostLogsIn: without storage nothing is imported.
func TestNoHostLogsIn(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 3, Kind: plans.StorageISCSI})
	p.fail(lab.Fault{Site: "secondary", Method: "POST", Path: "/iscsilogin$", Times: -1, Status: 400, Reason: "Operation Failed", Detail: "[Failed to login to iSCSI node]"})
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitRefused)
	if r.Error.Code != "iscsi-unreachable" || !strings.Contains(r.Error.Message, "nfs_ds") || !strings.Contains(r.Error.Hint, "storage network") {
		t.Errorf("%+v", r.Error)
	}
	if err := p.lab.DropFault(0); err != nil {
		t.Fatal(err)
	}
	expect(t, p.failover(nil), runner.ExitDone)
}
