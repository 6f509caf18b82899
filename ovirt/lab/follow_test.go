package lab

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// flat writes an element so that the order of its members does not matter.
func flat(n *node) string {
	var parts []string
	for _, k := range n.children {
		parts = append(parts, flat(k))
	}
	slices.Sort(parts)
	var attrs []string
	for _, a := range attributeOrder(n) {
		attrs = append(attrs, a+"="+n.attrs[a])
	}
	return n.name + "[" + strings.Join(attrs, ",") + "]{" + strings.TrimSpace(n.text) + strings.Join(parts, ";") + "}"
}

// TestFollowedAtOnce compares what the VMs' handler inlines itself with what following each link would give.
func TestFollowedAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{VMs: 3})
	for _, value := range []string{"nics", "disk_attachments", "disk_attachments.disk", "nics,disk_attachments.disk,snapshots"} {
		for _, path := range []string{"/vms", "/vms/" + vmID(2)} {
			fast := r.get("primary", path+"?follow="+value)
			slow := r.get("primary", path)
			r.lab.lock()
			c := &call{lab: r.lab, engine: r.lab.engine("primary"), ctx: t.Context(), req: mustGet(t)}
			entities := []*node{slow}
			if isCollection(slow) {
				entities = slow.children
			}
			for _, link := range parseFollow(value).then {
				if !c.followLink(entities, link, map[string]*node{}) {
					t.Errorf("%s: %s cannot be followed", path, value)
				}
			}
			r.lab.mu.Unlock()
			x := newDocument()
			slow.document(x)
			slow, err := parseXML(x.b)
			r.ok(err)
			if flat(fast) != flat(slow) {
				t.Errorf("%s?follow=%s:\n%s\n%s", path, value, flat(fast), flat(slow))
			}
		}
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{VMs: 3})
	w.Sites[0].VMs[2].Running = false
	r := rigOf(t, w)
	one := "/vms/" + vmID(1)
	for _, tc := range []struct {
		path, follow string
		at           []string // a path of elements
		want         string   // its name
	}{
		{"/vms", "nics.vnic_profile", []string{"vm", "nics", "nic", "vnic_profile"}, "lan"},
		{"/vms", "nics.vnic_profile.network,disk_attachments.disk", []string{"vm", "nics", "nic", "vnic_profile", "network"}, "lan"},
		{one, "nics.vnic_profile,cluster.data_center", []string{"cluster", "data_center"}, "Default"},
		{one, "cluster,template,host", []string{"host"}, "host1a"},
		{one, "cluster.data_center.storage_domains", []string{"cluster", "data_center", "storage_domains", "storage_domain"}, "nfs_ds"},
		{"/hosts", "cluster", []string{"host", "cluster"}, "Prod"},
		{"/clusters", "data_center", []string{"cluster", "data_center"}, "Default"},
		{"/datacenters", "clusters", []string{"data_center", "clusters", "cluster"}, "Prod"},
		{"/networks", "vnic_profiles", []string{"network", "vnic_profiles", "vnic_profile"}, "lan"},
		{one + "/nics", "vnic_profile", []string{"nic", "vnic_profile"}, "lan"},
		{"/vms?max=1", "cdroms,tags,nics", []string{"vm"}, "vm1"},
	} {
		sep := "?"
		if strings.Contains(tc.path, "?") {
			sep = "&"
		}
		at := r.get("primary", tc.path+sep+"follow="+tc.follow).child(tc.at...)
		if at == nil || at.value("name") != tc.want {
			t.Errorf("%s follow=%s: %v has not the name %q", tc.path, tc.follow, tc.at, tc.want)
		}
	}
	doc := r.get("primary", one+"?follow=nics,cdroms")
	if doc.child("nics", "nic") == nil || doc.child("cdroms") == nil || !slices.ContainsFunc(doc.all("link"), func(n *node) bool { return n.attrs["rel"] == "nics" }) {
		t.Errorf("links are to be inlined and kept:\n%s", flat(doc))
	}
	if plain := r.get("primary", one+"?follow="); flat(plain) != flat(r.get("primary", one)) {
		t.Error("an empty follow changes the answer")
	}
	for _, bad := range []string{"/vms?follow=colours", "/vms?follow=nics.colour", "/vms?follow=diskattachments", "/vms?follow=vms.nics", "/vms?follow=nics,,",
		"/vms?follow=host", "/hosts?follow=storage", one + "?follow=name"} {
		a := r.call("primary", "GET", bad, "")
		if a.status != 500 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", bad, a.status, a.header.Get("Content-Type"))
		}
	}
}

func mustGet(t *testing.T) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, PrimaryURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
