package lab_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"drrun/ovirt/lab"
)

// TestSetMaster moves the master's role by hand, as the SDK's example change_master does.
func TestSetMaster(t *testing.T) {
	t.Parallel()
	w := lab.TwoSites(lab.TwoSitesOptions{Domains: 2})
	f := newForeigner(w, "primary")
	dc, first, second := "/datacenters/"+w.Sites[0].DataCenters[0].ID, w.Sites[0].StorageDomains[0], w.Sites[0].StorageDomains[1]
	is := func(d lab.StorageDomain, want string) bool {
		return strings.Contains(f.get(dc+"/storagedomains/"+d.ID).Body.String(), want)
	}
	set := func(d lab.StorageDomain) (int, string) {
		rec := f.send(http.MethodPost, dc+"/setmaster", fmt.Sprintf(`<action><storage_domain id="%s"/></action>`, d.ID))
		return rec.Code, rec.Body.String()
	}
	if code, body := set(first); code != http.StatusConflict || !strings.Contains(body, "already the master") {
		t.Errorf("the master becomes master: %d %s", code, body)
	}
	if code, body := set(lab.StorageDomain{ID: "12345678-0000-4000-8000-000000000000"}); code != http.StatusConflict || !strings.Contains(body, "not part of the Data Center") {
		t.Errorf("an unknown domain: %d %s", code, body)
	}
	if code, body := set(second); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	if !is(first, "<status>locked<") || !is(second, "<status>locked<") {
		t.Error("the two domains are not locked meanwhile")
	}
	for range 1000 {
		if is(second, "<status>active<") {
			break
		}
	}
	if !is(second, "<master>true<") || !is(first, "<master>false<") || !is(first, "<status>active<") {
		t.Errorf("the role did not move: %s", f.get(dc+"/storagedomains").Body)
	}
	if rec := f.send(http.MethodPost, dc+"/cleanfinishedtasks", "<action/>"); rec.Code != http.StatusOK {
		t.Errorf("cleanfinishedtasks: %d %s", rec.Code, rec.Body)
	}
}

// TestAllContent asks for a VM with its configuration, as the SDK's example download_vm_ovf does, by parameter and by header.
func TestAllContent(t *testing.T) {
	t.Parallel()
	w := lab.TwoSites(lab.TwoSitesOptions{})
	w.Sites[0].VMs[0].Description = "a < b & c"
	f := newForeigner(w, "primary")
	path := "/vms/" + w.Sites[0].VMs[0].ID
	if got := f.get(path).Body.String(); strings.Contains(got, "<configuration>") {
		t.Errorf("nobody asked for the OVF:\n%s", got)
	}
	e, err := parseElements(f.get(path + "?all_content=true").Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	ovf, err := parseElements([]byte(textAt(e, "initialization", "configuration", "data")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range ovf.children {
		if c.name == "Content" && textAt(c, "Name") == "vm1" && textAt(c, "Description") == "a < b & c" {
			return
		}
	}
	t.Error("the OVF does not tell of the VM")
}

func textAt(e *element, path ...string) string {
	for _, name := range path {
		next := &element{}
		for _, c := range e.children {
			if c.name == name {
				next = c
			}
		}
		e = next
	}
	return e.text
}
