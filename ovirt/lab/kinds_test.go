package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// storageXML is the storage member that reaches the place of a domain, and blockXML the whole request for a block import.
func storageXML(kind, name string) string {
	switch kind {
	case kindGluster:
		return `<storage><type>glusterfs</type><address>gluster1.localdomain</address><path>/` + name + `</path><vfs_type>glusterfs</vfs_type></storage>`
	case kindPOSIX:
		return `<storage><type>posixfs</type><address>mon1.localdomain:6789,mon2.localdomain:6789</address><path>/` + name + `</path><vfs_type>ceph</vfs_type></storage>`
	case kindISCSI, kindFCP:
		return `<storage><type>` + kind + `</type></storage>`
	}
	return `<storage><type>nfs</type><address>` + arrayAddress + `</address><path>/` + name + `</path></storage>`
}

func importKind(kind, host, name, id string) string {
	flag := ""
	if kind == kindISCSI || kind == kindFCP {
		flag = "<import>true</import>"
	}
	return `<storage_domain id="` + id + `">` + flag + `<type>data</type><host id="` + host + `"/>` + storageXML(kind, name) + `</storage_domain>`
}

func iscsiXML(site, set, more string) string {
	address := sanOfPrimary
	if site == "secondary" {
		address = sanOfSecond
	}
	return `<iscsi><address>` + address + `</address><port>3260</port><target>` + targetName(site, set) + `</target>` + more + `</iscsi>`
}

// reach lets a host of a site see what lies on the LUNs of a set: over iSCSI it logs in.
func (r *rig) reach(kind, site, host, set string) {
	r.t.Helper()
	if kind == kindISCSI {
		r.want(200, "<status>complete</status>", site, "POST", "/hosts/"+r.id(site, host)+"/iscsilogin", "<action>"+iscsiXML(site, set, "")+"</action>")
	}
}

// TestLifeOfADomainOfEachKind takes a domain of every storage type to the other site and back.
func TestLifeOfADomainOfEachKind(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{kindNFS, kindISCSI, kindFCP, kindGluster, kindPOSIX} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, TwoSitesOptions{Kind: kind})
			r.get("primary", "")
			block := kind == kindISCSI || kind == kindFCP
			if got := r.get("primary", "/storagedomains/"+dsID).value("storage", "type"); got != kind {
				t.Fatalf("storage type %q", got)
			}
			r.clock.pass(time.Minute)
			r.ok(r.lab.Disaster("primary"))

			// Before promotion: a file system is read-only, LUNs can be read and not written.
			body := importKind(kind, r.id("secondary", "host2a"), "nfs_ds_replica", dsID)
			r.reach(kind, "secondary", "host2a", "nfs_ds_replica")
			if block {
				r.want(201, "", "secondary", "POST", "/storagedomains", body)
				r.want(400, "cannot be accessed", "secondary", "POST", r.secondaryDC(), `<storage_domain id="`+dsID+`"/>`)
				r.want(200, "", "secondary", "DELETE", "/storagedomains/"+dsID+"?host="+r.id("secondary", "host2a"), "")
			} else {
				r.want(400, "Permission settings", "secondary", "POST", "/storagedomains", body)
			}
			r.ok(r.lab.Promote("nfs_ds"))
			r.want(201, "", "secondary", "POST", "/storagedomains", body)
			r.want(200, "<is_attached>true</is_attached>", "secondary", "POST", "/storagedomains/"+dsID+"/isattached", `<action><host id="`+r.id("secondary", "host2a")+`"/></action>`)
			r.want(201, "<status>active</status>", "secondary", "POST", r.secondaryDC(), `<storage_domain id="`+dsID+`"/>`)
			for _, h := range r.get("secondary", "/hosts").children {
				if h.value("status") != "up" {
					t.Errorf("host %s is %s", h.value("name"), h.value("status"))
				}
			}
			connections := map[string]int{kindNFS: 2, kindISCSI: 2, kindFCP: 1, kindGluster: 2, kindPOSIX: 2}[kind] // with recovery_local
			if n := len(r.get("secondary", "/storageconnections").children); n != connections {
				t.Errorf("%d storage connections, want %d", n, connections)
			}
			r.registerAll(3)
			r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
			r.clock.pass(time.Minute)
			if a, b := r.counter("secondary", 1), r.counter("primary", 1); a <= b {
				t.Errorf("counters %d at the secondary, %d at the primary", a, b)
			}
			r.violations()

			// Back: the new side is the source, the old one forgets what it had.
			r.ok(r.lab.Heal("primary"))
			r.clock.pass(5 * time.Minute)
			r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/stop", "<action/>")
			r.clock.pass(time.Minute)
			r.want(200, "", "secondary", "POST", r.secondaryDC()+"/"+dsID+"/deactivate", "<action/>")
			r.clock.pass(time.Minute)
			r.want(200, "", "secondary", "DELETE", r.secondaryDC()+"/"+dsID, "")
			r.want(200, "", "secondary", "DELETE", "/storagedomains/"+dsID+"?host="+r.id("secondary", "host2a"), "")
			newest := r.counter("secondary", 1)
			if n := len(r.get("secondary", "/storageconnections").children); n != 1 {
				t.Errorf("%d storage connections left", n)
			}
			r.login("primary")
			r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/stop", "<action/>")
			r.clock.pass(time.Minute)
			r.want(200, "", "primary", "POST", r.primaryDC()+"/"+dsID+"/deactivate", "<action/>")
			r.clock.pass(time.Minute)
			r.want(200, "", "primary", "DELETE", r.primaryDC()+"/"+dsID, "")
			r.want(200, "", "primary", "DELETE", "/storagedomains/"+dsID+"?host="+r.id("primary", "host1a"), "")
			r.ok(r.lab.Replicate("nfs_ds"))
			r.clock.pass(time.Minute)
			r.ok(r.lab.Promote("nfs_ds"))
			r.reach(kind, "primary", "host1a", "nfs_ds")
			r.want(201, "", "primary", "POST", "/storagedomains", importKind(kind, r.id("primary", "host1a"), "nfs_ds", dsID))
			r.want(201, "<status>active</status>", "primary", "POST", r.primaryDC(), `<storage_domain id="`+dsID+`"/>`)
			own := `<action><cluster id="` + uuidOf("primary/cluster") + `"/></action>`
			r.want(200, "", "primary", "POST", "/storagedomains/"+dsID+"/templates/"+rhelID+"/register", own)
			r.clock.pass(2 * time.Second)
			r.want(200, "", "primary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(1)+"/register", own)
			r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
			r.clock.pass(time.Minute)
			if c := r.counter("primary", 1); c <= newest {
				t.Errorf("counter %d, want more than %d", c, newest)
			}
		})
	}
}

func TestISCSIDiscoveryAndLogin(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{Kind: kindISCSI})
	for i := range w.Targets {
		w.Targets[i].Username, w.Targets[i].Password = CHAPUsername, CHAPPassword
	}
	r := rigOf(t, w)
	host := "/hosts/" + r.id("secondary", "host2a")
	other := "/hosts/" + r.id("secondary", "host2b")
	portal := `<iscsi><address>` + sanOfSecond + `</address></iscsi>`
	chap := func(password string) string {
		return `<username>` + CHAPUsername + `</username><password>` + password + `</password>`
	}
	for _, name := range []string{"iscsidiscover", "discoveriscsi"} {
		a := r.want(200, "<status>complete</status>", "secondary", "POST", host+"/"+name, "<action>"+portal+"</action>")
		found := a.doc.child("discovered_targets").all("iscsi_details")
		if len(found) != 2 || found[1].value("portal") != "192.168.123.221:3260,2" || len(a.doc.child("iscsi_targets").all("iscsi_target")) != 2 {
			t.Errorf("%s:\n%s", name, a.body)
		}
	}
	storage := func(host string) int { return len(r.get("secondary", host+"/storage").children) }
	if n := storage(host); n != 0 {
		t.Errorf("%d LUNs before a login", n)
	}
	for _, tc := range []struct {
		status               int
		fragment, path, body string
	}{
		{400, "iscsi.address", host + "/iscsidiscover", "<action/>"},
		{400, "iscsi.target", host + "/iscsilogin", "<action>" + portal + "</action>"},
		{400, "Invalid value", host + "/iscsilogin", "<action><iscsi><address>a</address><target>t</target><port>x</port></iscsi></action>"},
		{400, "Failed discovery of iSCSI targets", host + "/iscsidiscover", "<action><iscsi><address>10.0.0.9</address></iscsi></action>"},
		{400, "[Failed to login to iSCSI node]", host + "/iscsilogin", "<action><iscsi><address>10.0.0.9</address><target>iqn.x</target></iscsi></action>"},
		{400, "[Failed to login to iSCSI node due to authorization failure]", host + "/iscsilogin", "<action>" + iscsiXML("secondary", "nfs_ds_replica", "") + "</action>"},
		{400, "due to authorization failure", host + "/iscsilogin", "<action>" + iscsiXML("secondary", "nfs_ds_replica", chap("wrong")) + "</action>"},
		{400, "connect to the specified targets", host + "/unregisteredstoragedomainsdiscover", "<action>" + iscsiXML("secondary", "nfs_ds_replica", chap("wrong")) + "<iscsi_targets><iscsi_target>" + targetName("secondary", "nfs_ds_replica") + "</iscsi_target></iscsi_targets></action>"},
		{400, "connect to the specified targets", "/storagedomains", importKind(kindISCSI, r.id("secondary", "host2a"), "", dsID)},
		{404, "", "/hosts/" + dsID + "/iscsilogin", "<action/>"},
	} {
		if a := r.want(tc.status, tc.fragment, "secondary", "POST", tc.path, tc.body); strings.Contains(a.body, "wrong") && strings.Contains(a.body, "<reason>wrong") {
			t.Errorf("%s", a.body)
		}
	}
	if r.events("secondary", "996") != 3 {
		t.Errorf("%d events 996", r.events("secondary", "996"))
	}
	for range 2 { // the second login is no error
		r.want(200, "", "secondary", "POST", host+"/iscsilogin", "<action>"+iscsiXML("secondary", "nfs_ds_replica", chap(CHAPPassword))+"</action>")
	}
	if a, b := storage(host), storage(other); a != 2 || b != 0 {
		t.Errorf("after the login the hosts see %d and %d LUNs", a, b)
	}
	unit := r.get("secondary", host+"/storage").children[1]
	u := unit.child("logical_units", "logical_unit")
	for name, want := range map[string]string{"status": "used", "storage_domain_id": dsID, "volume_group_id": volumeGroupID(dsID), "paths": "1", "lun_mapping": "1",
		"address": sanOfSecond, "username": CHAPUsername, "vendor_id": "LIO-ORG", "size": fmt.Sprint(512 * gib)} {
		if got := u.value(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(r.want(200, "", "secondary", "GET", host+"/storage", "").body, CHAPPassword) {
		t.Error("the password is in a document")
	}
	if got := r.get("secondary", strings.TrimPrefix(unit.attrs["href"], apiRoot)).attrs["id"]; got != unit.attrs["id"] {
		t.Errorf("the href of a LUN leads to %q", got)
	}
	if n := r.get("secondary", host+"/storage?report_status=false").children[0].child("logical_units", "logical_unit"); n.child("status") != nil {
		t.Error("a status with report_status=false")
	}
	a := r.want(200, "", "secondary", "POST", other+"/unregisteredstoragedomainsdiscover", "<action>"+iscsiXML("secondary", "nfs_ds_replica", chap(CHAPPassword))+
		"<iscsi_targets><iscsi_target>"+targetName("secondary", "nfs_ds_replica")+"</iscsi_target></iscsi_targets></action>")
	if d := a.doc.child("storage_domains", "storage_domain"); d.attr("id") != dsID || d.value("name") != "nfs_ds" || d.value("storage", "type") != kindISCSI {
		t.Errorf("discovered\n%s", a.body)
	}
	r.ok(r.lab.Promote("nfs_ds"))
	r.want(409, "Failed to get data for Import operation", "secondary", "POST", "/storagedomains", importKind(kindISCSI, r.id("secondary", "host2a"), "", rhelID))
	r.want(400, "StorageDomain [id] required", "secondary", "POST", "/storagedomains", `<storage_domain><import>true</import><type>data</type><host id="`+r.id("secondary", "host2a")+`"/><storage><type>iscsi</type></storage></storage_domain>`)
	r.want(409, "already in use", "secondary", "POST", "/storagedomains", strings.Replace(importKind(kindISCSI, r.id("secondary", "host2a"), "", dsID), "<type>data", "<name>recovery_local</name><type>data", 1))
	r.want(201, "", "secondary", "POST", "/storagedomains", importKind(kindISCSI, r.id("secondary", "host2a"), "", dsID))
	r.want(409, "The Storage Domain already exists", "secondary", "POST", "/storagedomains", importKind(kindISCSI, r.id("secondary", "host2a"), "", dsID))
	a = r.want(200, "<status>complete</status>", "secondary", "POST", other+"/unregisteredstoragedomainsdiscover", "<action/>")
	if a.doc.child("storage_domains") != nil {
		t.Error("an empty list is not absent")
	}
	r.want(201, "<status>active</status>", "secondary", "POST", r.secondaryDC(), `<storage_domain id="`+dsID+`"/>`)
	if n := storage(other); n != 2 {
		t.Errorf("after attach the other host sees %d LUNs", n)
	}
	d := r.get("secondary", r.secondaryDC()+"/"+dsID).child("storage", "volume_group")
	if n := len(d.child("logical_units").children); d.attrs["id"] != volumeGroupID(dsID) || n != 2 { // one portal, two LUNs
		t.Errorf("volume group %v with %d units", d.attrs, n)
	}
	k := r.get("secondary", "/storagedomains/"+dsID+"/storageconnections").child("storage_connection")
	if k.value("type") != kindISCSI || k.value("port") != "3260" || k.value("target") != targetName("secondary", "nfs_ds_replica") || k.value("username") != CHAPUsername || k.child("password") != nil {
		t.Errorf("connection %+v", k)
	}
	r.want(409, "used by the following storage domains : nfs_ds", "secondary", "DELETE", "/storageconnections/"+k.attrs["id"], "")
}
