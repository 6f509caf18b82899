package runner_test

import (
	"slices"
	"strings"
	"testing"

	"drrun/internal/nameserver"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// sited is the example of the site libraries, with all that it talks to.
func sited(t *testing.T) (*field, *neighbours) {
	t.Helper()
	n := newNeighbours(t)
	f := newField(t, 3, lab.TwoSitesOptions{}, "../../examples/libraries", "plan.lua", n.replace()...)
	f.put("database-key", string(f.arrays.Key))
	f.put("known_hosts", f.read(f.folder+"/known_hosts")+n.shell.KnownHosts)
	f.secrets["dns_key"], f.secrets["balancer_token"], f.secrets["chat_url"] = nameserver.Secret, webToken, n.web.URL+"/hooks/ops"
	n.ran.answers["psql"] = []string{"f", "f", "t"} // it recovers for a while
	return f, n
}

// TestSiteLibraries runs the example of the site libraries there and back, and looks at what each server of the site was told.
func TestSiteLibraries(t *testing.T) {
	t.Parallel()
	f, n := sited(t)
	before := f.counters("primary")
	r := f.run(plans.ActionFailover, true, nil)
	expect(t, r, runner.ExitDone)
	f.verdicts(r, "nothing lost", "reverse replication: ready")
	f.sound("secondary", before)
	// The read-only volume cannot be detached at the primary, so its engine forgets it.
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "it is cleared from the engine's books, its content stays") {
		t.Errorf("warnings: %q", r.Warnings)
	}
	if got := n.names.Values("www.example.com. A"); !slices.Equal(got, []string{"10.1.0.10"}) {
		t.Errorf("www is %v", got)
	}
	if asked := n.ran.log(); len(asked) != 3 || asked[0] != "psql --no-psqlrc --tuples-only --no-align --command 'select not pg_is_in_recovery()'" {
		t.Errorf("the database was asked %q", asked)
	}
	primary, secondary := "PUT /api/pools/shop/members/10.0.0.10:443", "PUT /api/pools/shop/members/10.1.0.10:443"
	want := []string{
		`POST /hooks/ops {"text":"planned failover of Plan_Recovery to secondary begins (run ` + r.Run + `)"}`,
		primary + ` {"state":"draining"}`, primary + ` {"state":"disabled"}`, primary + ` {"state":"disabled"}`, secondary + ` {"state":"enabled"}`,
		`POST /hooks/ops {"text":"planned failover of Plan_Recovery to secondary has ended: done"}`,
	}
	if got := n.web.log(); !slices.Equal(got, want) {
		t.Errorf("the web was told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if mails := n.mails.Mails(); len(mails) != 2 || !strings.Contains(mails[1], "vm3: up") || !strings.Contains(mails[1], "To: oncall@example.com") {
		t.Errorf("mails: %q", mails)
	}
	if lines := n.lines(t, 2); !strings.HasSuffix(lines[1], "has ended: done") {
		t.Errorf("log lines: %q", lines)
	}
	back := f.run(plans.ActionFailback, true, nil)
	expect(t, back, runner.ExitDone)
	f.sound("primary", before)
	if got := n.names.Values("www.example.com. A"); !slices.Equal(got, []string{"10.0.0.10"}) {
		t.Errorf("www is %v after the way home", got)
	}
}

// TestSiteLibrariesAfterADisaster: nobody of the lost site is asked, and who cannot be told stops nothing.
func TestSiteLibrariesAfterADisaster(t *testing.T) {
	t.Parallel()
	f, n := sited(t)
	f.secrets["chat_url"] = "http://127.0.0.1:1/hooks/ops"
	n.mails.Close()
	n.ran.answers["psql"] = []string{"f"}
	if err := f.lab.Disaster("primary"); err != nil {
		t.Fatal(err)
	}
	r := f.run(plans.ActionFailover, false, nil)
	expect(t, r, runner.ExitPartial)
	warned := strings.Join(r.Warnings, "\n")
	for _, words := range []string{"the message was not sent: notify.webhook", "the message was not sent: notify.mail", "the database of vm1 is not good: select not pg_is_in_recovery() says f"} {
		if !strings.Contains(warned, words) {
			t.Errorf("no warning says %q:\n%s", words, warned)
		}
	}
	for _, vm := range r.VMs {
		if want := map[string]string{"vm1": "unverified", "vm2": "up", "vm3": "up"}[vm.Name]; vm.Status != want {
			t.Errorf("%s is %s, want %s", vm.Name, vm.Status, want)
		}
	}
	if got := n.names.Values("www.example.com. A"); !slices.Equal(got, []string{"10.1.0.10"}) {
		t.Errorf("www is %v", got)
	}
}

// TestSiteLibrariesCheck: what is wrong with a library's surroundings is said before anything begins.
func TestSiteLibrariesCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, old, new string
		change         func(f *field, n *neighbours)
		words          string
	}{
		{name: "a wrong password of the array", change: func(f *field, _ *neighbours) { f.secrets["secondary_array_password"] = "wrong" }, words: "401"},
		{name: "an unknown replication", old: "ca_file = \"secondary-ca.pem\" },\n})", new: "ca_file = \"secondary-ca.pem\" },\n  replications = { nfs_ds = \"gold\" },\n})", words: `there is no replication "gold" on this array; there are: nfs_ds`},
		{name: "a VM that the plan has not", old: "records = { vm2 =", new: "records = { web01 =", words: "the plan has no VM web01"},
		{name: "a name server that is silent", change: func(_ *field, n *neighbours) { n.names.Close() }, words: "dns"},
		{name: "a wrong token of the balancer", change: func(f *field, _ *neighbours) { f.secrets["balancer_token"] = "wrong" }, words: "401"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, n := sited(t)
			if c.change != nil {
				c.change(f, n)
			} else {
				f.change(c.old, c.new)
			}
			r := f.run(plans.ActionFailover, true, nil)
			expect(t, r, runner.ExitRefused)
			if !strings.Contains(r.Error.Message, c.words) {
				t.Errorf("error %q, want %q in it", r.Error.Message, c.words)
			}
			if changes := f.changes(); len(changes) > 0 {
				t.Errorf("%d changing requests", len(changes))
			}
		})
	}
}
