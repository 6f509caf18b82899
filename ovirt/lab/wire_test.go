package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestEveryLinkResolves walks all links and references from the root.
func TestEveryLinkResolves(t *testing.T) {
	t.Parallel()
	r := lost(t, TwoSitesOptions{VMs: 2})
	r.takeOver()
	r.registerAll(1)
	r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
	r.want(201, "", "secondary", "POST", "/affinitylabels", "<affinity_label><name>x</name></affinity_label>")
	r.clock.pass(time.Minute)
	seen, todo := map[string]bool{apiRoot: true}, []string{apiRoot}
	var collect func(n *node, inActions bool)
	collect = func(n *node, inActions bool) {
		href := n.attrs["href"]
		if strings.HasSuffix(n.name, "actions") {
			inActions = true
		}
		if href != "" && !inActions && !strings.Contains(href, "{") && !seen[href] {
			seen[href] = true
			todo = append(todo, href)
		}
		for _, c := range n.children {
			collect(c, inActions)
		}
	}
	for i := 0; i < len(todo); i++ {
		path := strings.TrimPrefix(todo[i], apiRoot)
		if strings.HasPrefix(path, "/storagedomains/") && strings.Contains(path, "/vms/") {
			continue // an unregistered VM has no object of its own
		}
		a := r.call("secondary", "GET", path, "")
		if a.status != 200 || a.doc == nil {
			t.Errorf("GET %s: %d", todo[i], a.status)
			continue
		}
		collect(a.doc, false)
	}
	if len(todo) < 60 {
		t.Errorf("only %d links", len(todo))
	}
	r.violations()
}

// elements of the recorded answers of a real engine (RHV 4.3), from which a client reads.
var recorded = map[string]string{
	"/datacenters":                      `name description link local quota_mode status storage_format supported_versions version`,
	"/clusters":                         `name description comment link ballooning_enabled cpu gluster_service ha_reservation switch_type version virt_service mac_pool`,
	"/hosts":                            `actions name comment link address cpu external_status iscsi max_scheduling_memory memory port power_management protocol se_linux spm status summary type update_available version cluster`,
	"/storagedomains":                   `actions name description comment link available backup block_size committed critical_space_action_blocker discard_after_delete external_status master storage storage_format supports_discard supports_discard_zeroes_data type used warning_low_space_indicator wipe_after_delete data_centers`,
	"/vms":                              `actions name description comment link bios cpu cpu_shares creation_time delete_protected high_availability memory memory_policy origin os placement_policy start_paused stateless storage_error_resume_behaviour type cluster fqdn guest_operating_system next_run_configuration_exists run_once start_time status host original_template template`,
	"/networks":                         `name description comment link mtu stp usages data_center`,
	"/vnicprofiles":                     `name link pass_through port_mirroring network`,
	"/vms/" + "VM" + "/nics":            `name link vm interface linked mac plugged reported_devices vnic_profile`,
	"/vms/" + "VM" + "/diskattachments": `active bootable interface pass_discard read_only uses_scsi_reservation disk vm`,
	"/vms/" + "VM" + "/reporteddevices": `name description ips mac type vm`,
	"/hosts/" + "HOST" + "/statistics":  `name description kind type unit values host`,
	"/events?max=1":                     `description code correlation_id custom_id flood_rate index origin severity time`,
}

func TestShapeOfARealEngine(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	for path, members := range recorded {
		path = strings.NewReplacer("VM", vmID(1), "HOST", uuidOf("primary/host1a")).Replace(path)
		doc := r.get("primary", path)
		if len(doc.children) == 0 {
			t.Errorf("%s is empty", path)
			continue
		}
		first := doc.children[0]
		if first.attr("id") == "" {
			t.Errorf("%s: no id", path)
		}
		for _, m := range strings.Fields(members) {
			if first.child(m) == nil {
				t.Errorf("%s: no element %s", path, m)
			}
		}
	}
	if disk := r.get("primary", "/disks").children; len(disk) != 6 || disk[0].value("content_type") != "ovf_store" || disk[2].value("provisioned_size") == "" {
		t.Errorf("%d disks", len(disk))
	}
}

// TestOneSeedOneTrace runs the same story twice and compares everything that can be seen.
func TestOneSeedOneTrace(t *testing.T) {
	t.Parallel()
	story := func() string {
		r := lost(t, TwoSitesOptions{VMs: 6, Domains: 2})
		r.takeOver()
		var b strings.Builder
		for n := 1; n <= 5; n += 2 {
			a := r.call("secondary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(n)+"/register", registerBody(""))
			b.WriteString(a.body)
		}
		r.ok(r.lab.Heal("primary"))
		r.clock.pass(time.Hour)
		r.login("primary")
		for _, site := range []string{"primary", "secondary"} {
			for _, path := range []string{"/vms?follow=nics,disk_attachments.disk", "/events", "/jobs", "/storagedomains", "/disks", "/hosts"} {
				a := r.call(site, "GET", path, "")
				b.WriteString(a.body)
			}
		}
		for _, v := range []any{r.lab.View(), r.lab.Log()} {
			j, err := json.Marshal(v)
			r.ok(err)
			b.Write(j)
		}
		return b.String()
	}
	first := story()
	for range 3 {
		if story() != first {
			t.Fatal("two runs differ")
		}
	}
}

func TestCorrelationID(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"run-1_a": "run-1_a", "a b/ü;c": "abc", strings.Repeat("x", 40): strings.Repeat("x", 36)} {
		r := newRig(t, TwoSitesOptions{})
		r.login("primary")
		req, _ := http.NewRequest("GET", PrimaryURL+"/vms", nil)
		req.Header.Set("Authorization", "Bearer "+r.token["primary"])
		req.Header.Set("Correlation-Id", in)
		if got := r.do(req).header.Get("Correlation-Id"); got != want {
			t.Errorf("%q is echoed as %q", in, got)
		}
		req, _ = http.NewRequest("GET", PrimaryURL+"/vms?correlation_id=q", nil)
		req.Header.Set("Authorization", "Bearer "+r.token["primary"])
		if got := r.do(req).header.Get("Correlation-Id"); got != "q" {
			t.Errorf("of the query: %q", got)
		}
		if log := r.lab.Log(); log[1].Correlation != want || log[2].Correlation != "q" {
			t.Errorf("log %+v", log)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.login("primary")
	for _, tc := range []struct {
		method, path, name, value string
		status                    int
	}{
		{"GET", "/vms", "Version", "4", 200},
		{"GET", "/vms", "Version", "5", 400},
		{"GET", "/v4/vms", "", "", 200},
		{"GET", "/vms", "Accept", "text/plain", 406},
		{"GET", "/vms", "Accept", "*/*", 200},
		{"POST", "/vms/" + vmID(1) + "/start", "Content-Type", "text/plain", 415},
		{"PATCH", "/vms", "", "", 405},
		{"DELETE", "/vms", "", "", 405},
	} {
		req, _ := http.NewRequest(tc.method, PrimaryURL+tc.path, strings.NewReader("{}"))
		req.Header.Set("Authorization", "Bearer "+r.token["primary"])
		if tc.name != "" {
			req.Header.Set(tc.name, tc.value)
		}
		if a := r.do(req); a.status != tc.status {
			t.Errorf("%s %s with %s: %s = %d, want %d", tc.method, tc.path, tc.name, tc.value, a.status, tc.status)
		}
	}
	base := strings.TrimSuffix(PrimaryURL, "/api")
	for path, want := range map[string]string{
		"/services/health": "DB Up!",
		"/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA": "BEGIN CERTIFICATE",
		"/services/pki-resource?resource=engine-certificate":                "BEGIN CERTIFICATE",
	} {
		req, _ := http.NewRequest("GET", base+path, nil)
		if a := r.do(req); a.status != 200 || !strings.HasPrefix(strings.Trim(a.body, "-"), want) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	req, _ := http.NewRequest("GET", base+"/services/pki-resource?resource=x", nil)
	if a := r.do(req); a.status != 400 {
		t.Errorf("a bad resource: %d", a.status)
	}
}

func TestEscaping(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{})
	name := `a<b>&"c' ü` + "\t\x01"
	w.Sites[0].VMs[0].Description = name
	r := rigOf(t, w)
	if got := r.get("primary", "/vms/"+vmID(1)).child("description").text; got != strings.ReplaceAll(name, "\x01", "\uFFFD") {
		t.Errorf("%q", got)
	}
}

func TestLatencyOfConcurrentRegistrations(t *testing.T) {
	t.Parallel()
	slots := newResource(2)
	now := newClock().Now()
	var ends []time.Duration
	for range 5 {
		ends = append(ends, slots.take(now, 3*time.Second).Sub(now))
	}
	if got := fmt.Sprint(ends); got != "[3s 3s 6s 6s 9s]" {
		t.Errorf("%s", got)
	}
}

func TestWorldIsJSON(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{VMs: 5, Domains: 2})
	b, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var back World
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(back)
	if string(again) != string(b) {
		t.Error("the world changes on its way through JSON")
	}
	if err := back.Check(); err != nil {
		t.Error(err)
	}
	back.Sites[0].VMs[0].ClusterID = "x"
	if err := back.Check(); err == nil {
		t.Error("a broken reference passes")
	}
}

func TestAThousandVMs(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{VMs: 1000, Domains: 4})
	if n := len(r.get("primary", "/vms?follow=nics,disk_attachments.disk").children); n != 1000 {
		t.Errorf("%d VMs", n)
	}
	macs := map[string]bool{}
	for _, v := range r.lab.View().Sites["primary"].VMs {
		macs[v.NICs[0].MAC] = true
	}
	if len(macs) != 1000 {
		t.Errorf("%d MACs", len(macs))
	}
}

func BenchmarkListDetails5000(b *testing.B) {
	clock := newClock()
	l := New(TwoSites(TwoSitesOptions{VMs: 5000, Domains: 8}), clock, 1)
	req, err := http.NewRequest("GET", PrimaryURL+"/vms?follow=nics,disk_attachments.disk", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.SetBasicAuth(PrimaryUsername, PrimaryPassword)
	b.ResetTimer()
	for range b.N {
		res, err := l.Transport().RoundTrip(req)
		if err != nil || res.StatusCode != 200 {
			b.Fatal(err)
		}
		b.SetBytes(res.ContentLength)
	}
}
