package lab

import (
	"bytes"
	"reflect"
	"testing"
)

// A document that is read line by line is the same as one that a general parser reads, and is written as it was.
func TestReadLines(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{VMs: 3})
	w.Sites[0].VMs[0].Description = "a<b>&\"c'\t\x01\n ü</description>"
	r := rigOf(t, w)
	for _, path := range []string{"", "/vms?all_content=true", "/vms/" + vmID(1), "/hosts", "/datacenters", "/disks", "/events", "/storagedomains", "/tags", "/jobs"} {
		body := []byte(r.call("primary", "GET", path, "").body)
		want, err := parseXML(body)
		r.ok(err)
		got, err := readLines(body, false)
		r.ok(err)
		if !reflect.DeepEqual(got, trimmed(want)) {
			t.Errorf("%s is read as something else", path)
		}
		lazy, err := readLines(body, true)
		r.ok(err)
		for _, doc := range []*node{got, lazy} {
			x := newDocument()
			doc.document(x)
			if !bytes.Equal(x.b, body) {
				t.Errorf("%s is written as\n%s", path, x.b)
			}
		}
	}
	for _, bad := range []string{"", "x\n", "<a>\n", "<a/>\n<b/>\n", "</a>\n", "<a b>\n", "<a b=\"c>\n"} {
		if n, err := readLines([]byte(bad), false); err == nil {
			t.Errorf("%q is %+v", bad, n)
		}
	}
}

// trimmed takes the text between members away.
func trimmed(n *node) *node {
	if len(n.children) > 0 {
		n.text = ""
	}
	for _, c := range n.children {
		trimmed(c)
	}
	return n
}
