package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// readCall is one read with the document that it expects.
type readCall struct {
	name, route, good string
	call              func(context.Context, *Site) (any, error)
}

var readCalls = []readCall{
	{"Product", "GET ", `<api><product_info><name>oVirt Engine</name><vendor>ovirt.org</vendor><instance_id>i1</instance_id><version><full_version>4.5.4-1</full_version><major>4</major><minor>5</minor></version></product_info><time>2026-11-20T14:32:00.000Z</time></api>`,
		func(ctx context.Context, s *Site) (any, error) { return s.Product(ctx) }},
	{"DataCenters", "GET /datacenters", `<data_centers><data_center id="d1"><name>Default</name><status>up</status><version><major>4</major><minor>7</minor></version></data_center></data_centers>`,
		func(ctx context.Context, s *Site) (any, error) { return s.DataCenters(ctx) }},
	{"DataCenter", "GET /datacenters/d1", `<data_center id="d1"><name>Default</name></data_center>`,
		func(ctx context.Context, s *Site) (any, error) { return s.DataCenter(ctx, "d1") }},
	{"Clusters", "GET /clusters", `<clusters><cluster id="c1"><name>Prod</name><bios_type>q35_sea_bios</bios_type><cpu><architecture>x86_64</architecture></cpu><data_center id="d1"/></cluster></clusters>`,
		func(ctx context.Context, s *Site) (any, error) { return s.Clusters(ctx) }},
	{"Hosts", "GET /hosts", `<hosts><host id="h1"><name>host1</name><status>up</status><spm><status>spm</status></spm><power_management><enabled>true</enabled></power_management></host></hosts>`,
		func(ctx context.Context, s *Site) (any, error) { return s.Hosts(ctx) }},
	{"Host", "GET /hosts/h1", `<host id="h1"><name>host1</name></host>`,
		func(ctx context.Context, s *Site) (any, error) { return s.Host(ctx, "h1") }},
	{"StorageDomains", "GET /storagedomains", `<storage_domains>` + sdXML(sdID, "", dcID) + `</storage_domains>`,
		func(ctx context.Context, s *Site) (any, error) { return s.StorageDomains(ctx) }},
	{"StorageDomain", "GET /storagedomains/" + sdID, sdXML(sdID, "unattached", ""),
		func(ctx context.Context, s *Site) (any, error) { return s.StorageDomain(ctx, sdID) }},
	{"AttachedStorageDomains", "GET /datacenters/d1/storagedomains", `<storage_domains>` + sdXML(sdID, "active", "d1") + `</storage_domains>`,
		func(ctx context.Context, s *Site) (any, error) { return s.AttachedStorageDomains(ctx, "d1") }},
	{"AttachedStorageDomain", "GET /datacenters/d1/storagedomains/" + sdID, sdXML(sdID, "active", "d1"),
		func(ctx context.Context, s *Site) (any, error) { return s.AttachedStorageDomain(ctx, "d1", sdID) }},
	{"StorageConnections", "GET /storageconnections", `<storage_connections><storage_connection id="k1"><type>nfs</type><address>a</address><path>/p</path></storage_connection></storage_connections>`,
		func(ctx context.Context, s *Site) (any, error) { return s.StorageConnections(ctx) }},
	{"HostLUNs", "GET /hosts/h1/storage", `<host_storages><host_storage id="3600a"><logical_units><logical_unit id="3600a"><address>10.0.0.1</address><paths>2</paths><port>3260</port><target>iqn.x:a</target><volume_group_id>v1</volume_group_id></logical_unit></logical_units><type>iscsi</type></host_storage></host_storages>`,
		func(ctx context.Context, s *Site) (any, error) { return s.HostLUNs(ctx, "h1") }},
	{"Networks", "GET /networks", `<networks><network id="n1"><name>lan</name><usages><usage>vm</usage></usages></network></networks>`,
		func(ctx context.Context, s *Site) (any, error) { return s.Networks(ctx) }},
	{"VNICProfiles", "GET /vnicprofiles", `<vnic_profiles><vnic_profile id="p1"><name>lan</name><network id="n1"/></vnic_profile></vnic_profiles>`,
		func(ctx context.Context, s *Site) (any, error) { return s.VNICProfiles(ctx) }},
	{"Templates", "GET /templates", `<templates><template id="t1"><name>rhel9</name><status>ok</status></template></templates>`,
		func(ctx context.Context, s *Site) (any, error) { return s.Templates(ctx) }},
	{"Template", "GET /templates/t1", `<template id="t1"><name>rhel9</name><status>ok</status></template>`,
		func(ctx context.Context, s *Site) (any, error) { return s.Template(ctx, "t1") }},
	{"VMs", "GET /vms", vmsXML(vmXML(1, "up"), vmXML(2, "down")),
		func(ctx context.Context, s *Site) (any, error) { return s.VMs(ctx, VMQuery{Details: true}) }},
	{"VM", "GET /vms/" + vmID(1), vmXML(1, "up"),
		func(ctx context.Context, s *Site) (any, error) { return s.VM(ctx, vmID(1)) }},
	{"Obstacles", "GET /vms", vmsXML(vmXML(1, "up"), vmXML(2, "down")),
		func(ctx context.Context, s *Site) (any, error) { return s.Obstacles(ctx) }},
	{"Disks", "GET /disks", `<disks><disk id="k1"><alias>d</alias><status>locked</status><storage_domains><storage_domain id="s1"/></storage_domains></disk></disks>`,
		func(ctx context.Context, s *Site) (any, error) { return s.Disks(ctx) }},
	{"LooseLUNDisks", "GET /disks", `<disks><disk id="k1"><alias>d</alias><lun_storage><logical_units><logical_unit id="3600a"/></logical_units><type>fcp</type></lun_storage><storage_type>lun</storage_type></disk></disks>`,
		func(ctx context.Context, s *Site) (any, error) { return s.LooseLUNDisks(ctx) }},
	{"VMBackups", "GET /vms/v1/backups", `<backups><backup id="b1"><creation_date>2026-11-20T14:32:00.000Z</creation_date><phase>ready</phase></backup></backups>`,
		func(ctx context.Context, s *Site) (any, error) { return s.VMBackups(ctx, "v1") }},
	{"VMNICs", "GET /vms/v1/nics", `<nics><nic id="n1"><name>nic1</name></nic></nics>`,
		func(ctx context.Context, s *Site) (any, error) { return s.VMNICs(ctx, "v1") }},
	{"UnregisteredVMs", "GET /storagedomains/s1/vms", vmsXML(vmXML(1, "up")),
		func(ctx context.Context, s *Site) (any, error) { return s.UnregisteredVMs(ctx, "s1") }},
	{"StorageDomainTemplates", "GET /storagedomains/s1/templates", `<templates><template id="t1"/></templates>`,
		func(ctx context.Context, s *Site) (any, error) { return s.StorageDomainTemplates(ctx, "s1") }},
	{"UnregisteredDisks", "GET /storagedomains/s1/disks", `<disks><disk id="k1"><alias>loose</alias></disk></disks>`,
		func(ctx context.Context, s *Site) (any, error) { return s.UnregisteredDisks(ctx, "s1") }},
	{"UnregisteredTemplates", "GET /storagedomains/s1/templates", `<templates><template id="t1"/></templates>`,
		func(ctx context.Context, s *Site) (any, error) { return s.UnregisteredTemplates(ctx, "s1") }},
	{"StorageDomainVMs", "GET /storagedomains/s1/vms", vmsXML(vmXML(1, "up")),
		func(ctx context.Context, s *Site) (any, error) { return s.StorageDomainVMs(ctx, "s1") }},
	{"StorageDomainTemplates", "GET /storagedomains/s1/templates", `<templates><template id="t1"><name>rhel9</name></template></templates>`,
		func(ctx context.Context, s *Site) (any, error) { return s.StorageDomainTemplates(ctx, "s1") }},
	{"MasterDomain", "GET /datacenters/d1/storagedomains", `<storage_domains>` + strings.Replace(sdXML(sdID, "active", "d1"), "<type>", "<master>true</master><type>", 1) + sdXML("s2", "active", "d1") + `</storage_domains>`,
		func(ctx context.Context, s *Site) (any, error) { return s.MasterDomain(ctx, "d1") }},
	{"AffinityLabels", "GET /affinitylabels", `<affinity_labels><affinity_label id="l1"><name>drrun.1</name></affinity_label></affinity_labels>`,
		func(ctx context.Context, s *Site) (any, error) { return s.AffinityLabels(ctx) }},
	{"JobsOf", "GET /jobs", `<jobs><job id="j1"><description>drrun failover</description><status>started</status></job></jobs>`,
		func(ctx context.Context, s *Site) (any, error) { return s.JobsOf(ctx, "run-1") }},
	{"Job", "GET /jobs/j1", `<job id="j1"><description>drrun failover</description><status>unknown</status></job>`,
		func(ctx context.Context, s *Site) (any, error) { return s.Job(ctx, "j1") }},
	{"Steps", "GET /jobs/j1/steps", `<steps><step id="s1"><description>import</description><status>failed</status></step></steps>`,
		func(ctx context.Context, s *Site) (any, error) { return s.Steps(ctx, "j1") }},
	{"HeldLabels", "GET /affinitylabels", `<affinity_labels><affinity_label id="l1"><name>drrun.1</name></affinity_label></affinity_labels>`,
		func(ctx context.Context, s *Site) (any, error) { return s.HeldLabels(ctx) }},
	{"ShutdownReached", "GET /events", `<events>` + eventXML(7, 73, "<correlation_id>run-1</correlation_id>") + `</events>`,
		func(ctx context.Context, s *Site) (any, error) { return s.ShutdownReached(ctx, "run-1") }},
	{"Events", "GET /events", `<events>` + eventXML(7, 119, "") + `</events>`,
		func(ctx context.Context, s *Site) (any, error) { return s.Events(ctx, EventQuery{Max: 1}) }},
	{"HostBootTime", "GET /hosts/h1/statistics", `<statistics><statistic id="s1"><name>boot.time</name><values><value><datum>1566924606</datum></value></values></statistic></statistics>`,
		func(ctx context.Context, s *Site) (any, error) { return s.HostBootTime(ctx, "h1") }},
	{"StartReached", "GET /events", `<events>` + eventXML(7, 153, "<correlation_id>run-1</correlation_id>") + `</events>`,
		func(ctx context.Context, s *Site) (any, error) { return s.StartReached(ctx, "run-1") }},
	{"RefreshReached", "GET /events", `<events>` + eventXML(7, 606, "<correlation_id>run-1</correlation_id>") + `</events>`,
		func(ctx context.Context, s *Site) (any, error) { return s.RefreshReached(ctx, "run-1") }},
	{"ImportReached", "GET /events", `<events>` + eventXML(7, 956, "<correlation_id>run-1</correlation_id>") + `</events>`,
		func(ctx context.Context, s *Site) (any, error) { return s.ImportReached(ctx, "run-1") }},
	{"VMUpdateReached", "GET /events", `<events>` + eventXML(7, 35, "<correlation_id>run-1</correlation_id>") + `</events>`,
		func(ctx context.Context, s *Site) (any, error) { return s.VMUpdateReached(ctx, "run-1") }},
	{"UpdateReached", "GET /events", `<events>` + eventXML(7, 199, "<correlation_id>run-1</correlation_id>") + `</events>`,
		func(ctx context.Context, s *Site) (any, error) { return s.UpdateReached(ctx, "run-1") }},
}

// badBodies are answers that no read may take for an answer.
func badBodies(good string) map[string]answer {
	return map[string]answer{
		"empty":           {status: 200, kind: "application/xml"},
		"nothing at all":  {status: 200},
		"html":            htmlPage,
		"html as xml":     {status: 200, kind: "application/xml", body: htmlPage.body},
		"truncated":       {status: 200, body: good[:len(good)*2/3]},
		"end missing":     {status: 200, body: good[:strings.LastIndex(good, "<")]},
		"wrong root":      {status: 200, body: "<bookmarks><bookmark id=\"1\"/></bookmarks>"},
		"fault with 200":  {status: 200, body: "<fault><reason>no</reason></fault>"},
		"two documents":   {status: 200, body: good + good},
		"junk at the end": {status: 200, body: good + "junk"},
		"not xml":         {status: 200, kind: "application/json", body: `{"vm":[]}`},
		"bad entity":      {status: 200, body: strings.Replace(good, ">", ">&nbsp;", 1)},
		"cut connection":  {status: 200, body: good[:len(good)/2], cut: true},
	}
}

func TestReadsRefuseBadBodies(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range readCalls {
		covered[c.name] = true
		bubble(t, func(t *testing.T, f *fake) {
			f.on(c.route, xmlAnswer(200, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`+"\n"+c.good+"\n<!-- end -->"))
			got, err := c.call(t.Context(), f.site())
			if err != nil || reflect.ValueOf(got).IsZero() {
				t.Fatalf("%s: good body: %v, %v", c.name, got, err)
			}
		})
		for name, bad := range badBodies(c.good) {
			bubble(t, func(t *testing.T, f *fake) {
				f.on(c.route, bad)
				got, err := c.call(t.Context(), f.site())
				code := CodeBadReply
				if bad.cut {
					code = CodeUnreachable
				}
				if err == nil {
					t.Fatalf("%s: %s: no error, %v", c.name, name, got)
				}
				wantCode(t, err, code)
				if v := reflect.ValueOf(got); v.Kind() == reflect.Slice && v.Len() > 0 {
					t.Fatalf("%s: %s: part of the answer was returned: %v", c.name, name, got)
				}
			})
		}
	}
	// A read that is added must be added to the table.
	site := reflect.TypeFor[*Site]()
	other := map[string]bool{"Close": true, "Name": true, "URL": true, "Counters": true, "Redact": true, "Probe": true, "ImportDomain": true, "AttachDomain": true, "ActivateDomain": true,
		"WaitStorageDomain": true, "RefreshHost": true, "LogInISCSI": true, "LUNsOfHosts": true, "SetDomainSettings": true, "RemoveLUNDisk": true, "PowerStatus": true, "ConfirmRebooted": true, "DeactivateDomain": true, "DetachDomain": true, "RemoveDomain": true, "DestroyDomain": true, "IsAttached": true,
		"SetHA": true, "SetDeleteProtection": true, "TouchVM": true, "ShutdownVM": true, "RemoveDisklessVM": true, "UpdateOVFStore": true, "CreateLabel": true, "DeleteLabel": true, "CreateLabels": true, "DeleteLabels": true, "PostEvent": true, "AddJob": true, "AddStep": true, "EndStep": true, "EndJob": true, "RegisterTemplate": true, "RegisterVM": true, "UpdateNIC": true, "StartVM": true, "WaitVM": true, "WaitNICs": true}
	for i := range site.NumMethod() {
		if name := site.Method(i).Name; !covered[name] && !other[name] {
			t.Errorf("%s has no row in readCalls", name)
		}
	}
}

func TestReadStatuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer answer
		code   Code
		tries  int // 0: more than one
	}{
		{"absent", notFound, CodeNotFound, 1},
		{"absent with a fault", fault(404, "Operation Failed", "Entity not found: vm1"), CodeNotFound, 1},
		{"page of the web server", answer{status: 404, kind: "text/html", body: "<html><title>404</title></html>"}, CodeBadReply, 0},
		{"forbidden", fault(403, "Operation Failed", "no permission"), CodeForbidden, 1},
		{"engine bug", answer{status: 500, kind: "text/html", body: "<html/>"}, CodeEngineError, 1},
		{"proxy without an engine", answer{status: 503, kind: "text/html", body: "<html/>"}, CodeUnreachable, 0},
		{"redirect", answer{status: 302, header: map[string]string{"Location": "https://sso.example.com/login?x=s3cret"}}, CodeNotAnEngine, 1},
		{"bad request", fault(400, "Operation Failed", "[bad]"), CodeBadRequest, 1},
		{"created", xmlAnswer(201, vmXML(1, "up")), CodeBadReply, 1},
		{"nobody listens", refused, CodeUnreachable, 0},
		{"reset", reset, CodeUnreachable, 0},
		{"no answer", answer{after: time.Hour}, CodeTimeout, 1},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			f.on("GET /vms/v1", c.answer)
			started := time.Now()
			_, err := f.site().VM(t.Context(), "v1")
			e := wantCode(t, err, c.code)
			n := len(f.requests("GET"))
			if c.tries != 0 && n != c.tries || c.tries == 0 && (n < 3 || !e.Retryable) {
				t.Errorf("%s: %d requests, retryable %v", c.name, n, e.Retryable)
			}
			if took := time.Since(started); took > defaultCallTimeout {
				t.Errorf("%s: took %s", c.name, took)
			}
		})
	}
}

func TestReadRepeatsUntilTheEngineAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /vms/v1", refused, answer{status: 503}, answer{status: 200, body: "<vm", cut: true}, xmlAnswer(200, vmXML(1, "up")))
		vm, err := f.site().VM(t.Context(), "v1")
		if err != nil || vm.Status != "up" {
			t.Fatal(vm, err)
		}
	})
}

func TestReadIsCancelled(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /vms/v1", answer{after: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Second) // virtual
			cancel()
		}()
		_, err := f.site().VM(ctx, "v1")
		wantCode(t, err, CodeCancelled)
	})
}

// writeCall is one changing call: what it sends, and the reads that show its goal not reached and reached.
type writeCall struct {
	name, route string
	good        answer
	reads       string // the read that shows the effect
	not, yes    answer
	also        map[string]answer
	call        func(context.Context, *Site) (bool, error)
	blind       bool // no read shows it
	again       bool // a second call sends it again
}

var attachedRoute = "GET /datacenters/" + dcID + "/storagedomains/" + sdID

var writeCalls = []writeCall{
	{name: "ImportDomain", route: "POST /storagedomains", good: xmlAnswer(201, sdXML(sdID, "unknown", "")),
		reads: "GET /storagedomains/" + sdID, not: notFound, yes: xmlAnswer(200, sdXML(sdID, "unattached", "")),
		also: map[string]answer{"GET /storageconnections": xmlAnswer(200, "<storage_connections/>")},
		call: func(ctx context.Context, s *Site) (bool, error) {
			_, changed, err := s.ImportDomain(ctx, ImportSpec{ID: sdID, Type: "nfs", Address: "192.168.122.210", Path: "/nfs_ds_replica", HostID: hoID})
			return changed, err
		}},
	{name: "ImportDomain, block", route: "POST /storagedomains", good: xmlAnswer(201, blockXML("unknown", "3600b")),
		reads: "GET /storagedomains/" + sdID, not: notFound, yes: xmlAnswer(200, blockXML("unattached", "3600b")),
		call: func(ctx context.Context, s *Site) (bool, error) {
			_, changed, err := s.ImportDomain(ctx, ImportSpec{ID: sdID, Type: "fcp", HostID: hoID, LUNs: []string{"3600b"}, OtherLUNs: []string{"3600a"}})
			return changed, err
		}},
	{name: "SetDomainSettings", route: "PUT /storagedomains/" + sdID, good: xmlAnswer(200, sdXML(sdID, "unattached", "")),
		reads: "GET /storagedomains/" + sdID, not: xmlAnswer(200, sdXML(sdID, "unattached", "")),
		yes: xmlAnswer(200, strings.Replace(sdXML(sdID, "unattached", ""), "<type>", "<warning_low_space_indicator>15</warning_low_space_indicator><wipe_after_delete>true</wipe_after_delete><type>", 1)),
		call: func(ctx context.Context, s *Site) (bool, error) {
			return s.SetDomainSettings(ctx, sdID, DomainSettings{WipeAfterDelete: true, WarningLowSpace: 15})
		}},
	{name: "AttachDomain", route: "POST /datacenters/" + dcID + "/storagedomains", good: xmlAnswer(201, sdXML(sdID, "active", dcID)),
		reads: attachedRoute, not: notFound, yes: xmlAnswer(200, sdXML(sdID, "active", dcID)),
		also: map[string]answer{"GET /storagedomains/" + sdID: xmlAnswer(200, sdXML(sdID, "unattached", "")), "GET /events": xmlAnswer(200, "<events/>")},
		call: func(ctx context.Context, s *Site) (bool, error) {
			_, changed, err := s.AttachDomain(ctx, sdID, dcID, AttachOptions{})
			return changed, err
		}},
	{name: "ActivateDomain", route: "POST /datacenters/" + dcID + "/storagedomains/" + sdID + "/activate", good: complete,
		reads: attachedRoute, not: xmlAnswer(200, sdXML(sdID, "maintenance", dcID)), yes: xmlAnswer(200, sdXML(sdID, "active", dcID)),
		also: map[string]answer{"GET /datacenters/" + dcID + "/storagedomains": xmlAnswer(200, "<storage_domains>"+sdXML(sdID, "active", dcID)+"</storage_domains>"),
			"GET /events": xmlAnswer(200, "<events/>")},
		call: func(ctx context.Context, s *Site) (bool, error) {
			_, changed, err := s.ActivateDomain(ctx, dcID, sdID, 0)
			return changed, err
		}},
	{name: "RegisterVM", route: "POST /storagedomains/" + sdID + "/vms/" + vmID(1) + "/register", good: complete,
		reads: "GET /vms/" + vmID(1), not: notFound, yes: xmlAnswer(200, vmXML(1, "down")), also: map[string]answer{"GET /events": xmlAnswer(200, "<events/>")},
		call: func(ctx context.Context, s *Site) (bool, error) {
			_, changed, err := s.RegisterVM(ctx, RegisterSpec{VMID: vmID(1), Name: "vm1", StorageDomainID: sdID, ClusterID: clID})
			return changed, err
		}},
	{name: "RegisterTemplate", route: "POST /storagedomains/" + sdID + "/templates/" + tmID + "/register", good: complete,
		reads: "GET /templates/" + tmID, not: notFound, yes: xmlAnswer(200, `<template id="`+tmID+`"><name>rhel9</name><status>ok</status></template>`),
		also: map[string]answer{"GET /events": xmlAnswer(200, "<events/>")},
		call: func(ctx context.Context, s *Site) (bool, error) {
			_, changed, err := s.RegisterTemplate(ctx, RegisterTemplateSpec{TemplateID: tmID, Name: "rhel9", StorageDomainID: sdID, ClusterID: clID})
			return changed, err
		}},
	{name: "UpdateNIC", route: "PUT /vms/" + vmID(1) + "/nics/" + nicI, good: xmlAnswer(200, `<nic id="`+nicI+`"/>`),
		reads: "GET /vms/" + vmID(1) + "/nics/" + nicI, not: xmlAnswer(200, `<nic id="`+nicI+`"><name>nic1</name></nic>`),
		yes:  xmlAnswer(200, `<nic id="`+nicI+`"><name>nic1</name><vnic_profile id="`+prID+`"/></nic>`),
		call: func(ctx context.Context, s *Site) (bool, error) { return s.UpdateNIC(ctx, vmID(1), nicI, prID) }},
	{name: "StartVM", route: "POST /vms/" + vmID(1) + "/start", good: complete,
		reads: "GET /vms/" + vmID(1), not: xmlAnswer(200, vmXML(1, "down")), yes: xmlAnswer(200, vmXML(1, "up")),
		also: map[string]answer{"GET /events": xmlAnswer(200, "<events/>")},
		call: func(ctx context.Context, s *Site) (bool, error) {
			r, err := s.StartVM(ctx, vmID(1), StartOptions{})
			return r.Requested, err
		}},
	{name: "SetHA", route: "PUT /vms/" + vmID(1), good: xmlAnswer(200, vmXML(1, "up")),
		reads: "GET /vms/" + vmID(1), not: xmlAnswer(200, haVM(true, 50, "")), yes: xmlAnswer(200, haVM(false, 50, "")),
		call: func(ctx context.Context, s *Site) (bool, error) {
			_, changed, err := s.SetHA(ctx, vmID(1), HA{})
			return changed, err
		}},
	{name: "SetDeleteProtection", route: "PUT /vms/" + vmID(1), good: xmlAnswer(200, vmXML(1, "up")),
		reads: "GET /vms/" + vmID(1), not: xmlAnswer(200, vmXML(1, "up")), yes: xmlAnswer(200, strings.Replace(vmXML(1, "up"), "<name>", "<delete_protected>true</delete_protected><name>", 1)),
		call: func(ctx context.Context, s *Site) (bool, error) { return s.SetDeleteProtection(ctx, vmID(1), true) }},
	{name: "TouchVM", route: "PUT /vms/" + vmID(1), good: xmlAnswer(200, vmXML(1, "down")),
		reads: "GET /vms/" + vmID(1), not: xmlAnswer(200, vmXML(1, "down")), yes: xmlAnswer(200, strings.Replace(vmXML(1, "down"), "<name>", "<comment>drrun 1</comment><name>", 1)),
		call: func(ctx context.Context, s *Site) (bool, error) {
			_, changed, err := s.TouchVM(ctx, vmID(1), "drrun 1")
			return changed, err
		}},
	{name: "ShutdownVM", route: "POST /vms/" + vmID(1) + "/shutdown", good: complete,
		reads: "GET /vms/" + vmID(1), not: xmlAnswer(200, vmXML(1, "up")), yes: xmlAnswer(200, vmXML(1, "down")),
		also: map[string]answer{"GET /events": xmlAnswer(200, "<events/>")},
		call: func(ctx context.Context, s *Site) (bool, error) {
			r, err := s.ShutdownVM(ctx, vmID(1), ShutdownOptions{})
			return r.Requested, err
		}},
	{name: "ShutdownVM, forced", route: "POST /vms/" + vmID(1) + "/stop", good: complete,
		reads: "GET /vms/" + vmID(1), not: xmlAnswer(200, vmXML(1, "powering_down")), yes: xmlAnswer(200, vmXML(1, "down")),
		call: func(ctx context.Context, s *Site) (bool, error) {
			r, err := s.ShutdownVM(ctx, vmID(1), ShutdownOptions{Grace: time.Second, Force: true})
			return r.Forced, err
		}},
	{name: "RemoveDisklessVM", route: "DELETE /vms/" + vmID(1), good: complete,
		reads: "GET /vms/" + vmID(1), not: xmlAnswer(200, vmXML(1, "down")), yes: notFound,
		also: map[string]answer{"GET /vms/" + vmID(1) + "/diskattachments": xmlAnswer(200, "<disk_attachments/>")},
		call: func(ctx context.Context, s *Site) (bool, error) { return s.RemoveDisklessVM(ctx, vmID(1)) }},
	{name: "RemoveLUNDisk", route: "DELETE /disks/" + lunDiskID, good: complete,
		reads: "GET /disks/" + lunDiskID, not: xmlAnswer(200, lunDiskXML), yes: notFound, also: map[string]answer{"GET /disks": xmlAnswer(200, "<disks>"+lunDiskXML+"</disks>")},
		call: func(ctx context.Context, s *Site) (bool, error) { return s.RemoveLUNDisk(ctx, lunDiskID) }},
	{name: "DeactivateDomain", route: "POST /datacenters/" + dcID + "/storagedomains/" + sdID + "/deactivate", good: complete,
		reads: attachedRoute, not: xmlAnswer(200, sdXML(sdID, "active", dcID)), yes: xmlAnswer(200, sdXML(sdID, "maintenance", dcID)),
		also: map[string]answer{"GET /datacenters/" + dcID + "/storagedomains": xmlAnswer(200, "<storage_domains>"+sdXML(sdID, "maintenance", dcID)+"</storage_domains>"),
			"GET /events": xmlAnswer(200, "<events/>")},
		call: func(ctx context.Context, s *Site) (bool, error) {
			_, changed, err := s.DeactivateDomain(ctx, dcID, sdID, 0)
			return changed, err
		}},
	{name: "DetachDomain", route: "DELETE /datacenters/" + dcID + "/storagedomains/" + sdID, good: complete,
		reads: attachedRoute, not: xmlAnswer(200, sdXML(sdID, "maintenance", dcID)), yes: notFound,
		also: map[string]answer{"GET /storagedomains/" + sdID: xmlAnswer(200, sdXML(sdID, "unattached", ""))},
		call: func(ctx context.Context, s *Site) (bool, error) { return s.DetachDomain(ctx, dcID, sdID) }},
	{name: "RemoveDomain", route: "DELETE /storagedomains/" + sdID, good: complete,
		reads: "GET /storagedomains/" + sdID, not: xmlAnswer(200, sdXML(sdID, "unattached", "")), yes: notFound,
		call: func(ctx context.Context, s *Site) (bool, error) { return s.RemoveDomain(ctx, sdID, hoID) }},
	{name: "DestroyDomain", route: "DELETE /storagedomains/" + sdID, good: complete,
		reads: "GET /storagedomains/" + sdID, not: xmlAnswer(200, sdXML(sdID, "", dcID)), yes: notFound,
		also: map[string]answer{attachedRoute: xmlAnswer(200, sdXML(sdID, "inactive", dcID))},
		call: func(ctx context.Context, s *Site) (bool, error) { return s.DestroyDomain(ctx, sdID) }},
	{name: "UpdateOVFStore", route: "POST /storagedomains/" + sdID + "/updateovfstore", good: complete, again: true,
		reads: "GET /events", not: xmlAnswer(200, "<events/>"), yes: xmlAnswer(200, "<events>"+storeEvent(7, 199, "")+"</events>"),
		call: func(ctx context.Context, s *Site) (bool, error) {
			r, err := s.UpdateOVFStore(ctx, sdID)
			return r.Written, err
		}},
	{name: "CreateLabel", route: "POST /affinitylabels", good: xmlAnswer(201, `<affinity_label id="`+lbID+`"><name>drrun.1</name></affinity_label>`),
		reads: "GET /affinitylabels", not: xmlAnswer(200, "<affinity_labels/>"), yes: labelsXML("drrun.1", lbID),
		call: counted(func(ctx context.Context, s *Site) error { return s.CreateLabel(ctx, "drrun.1", lbID) })},
	{name: "DeleteLabel", route: "DELETE /affinitylabels/" + lbID, good: complete,
		reads: "GET /affinitylabels", not: labelsXML("drrun.1", lbID), yes: xmlAnswer(200, "<affinity_labels/>"),
		call: counted(func(ctx context.Context, s *Site) error { return s.DeleteLabel(ctx, lbID) })},
	{name: "PostEvent", route: "POST /events", good: xmlAnswer(201, markXML("run 1 holds nfs_ds")),
		reads: "GET /events", not: xmlAnswer(200, "<events/>"), yes: xmlAnswer(200, "<events>"+markXML("run 1 holds nfs_ds")+"</events>"),
		call: counted(func(ctx context.Context, s *Site) error {
			_, err := s.PostEvent(ctx, mark)
			return err
		})},
	{name: "AddJob", route: "POST /jobs", good: xmlAnswer(201, jobText(statusStarted)), again: true,
		reads: "GET /jobs", not: xmlAnswer(200, "<jobs/>"), yes: xmlAnswer(200, "<jobs>"+jobText(statusStarted)+"</jobs>"),
		call: counted(func(ctx context.Context, s *Site) error {
			job, err := s.AddJob(ctx, "drrun failover")
			return mustHave(job.ID, jobID, err)
		})},
	{name: "AddStep", route: "POST /jobs/" + jobID + "/steps", good: xmlAnswer(201, stepText("s2", statusStarted)), again: true,
		reads: "GET /jobs/" + jobID + "/steps", not: xmlAnswer(200, "<steps>"+stepText("s1", statusStarted)+"</steps>"),
		yes: xmlAnswer(200, "<steps>"+stepText("s1", statusStarted)+stepText("s2", statusStarted)+"</steps>"),
		call: counted(func(ctx context.Context, s *Site) error {
			step, err := s.AddStep(ctx, StepSpec{JobID: jobID, Description: "import", Known: []string{"s1"}})
			return mustHave(step.ID, "s2", err)
		})},
	{name: "EndStep", route: "POST /jobs/" + jobID + "/steps/s1/end", good: complete, again: true,
		reads: "GET /jobs/" + jobID + "/steps", not: xmlAnswer(200, "<steps>"+stepText("s1", statusStarted)+"</steps>"), yes: xmlAnswer(200, "<steps>"+stepText("s1", "finished")+"</steps>"),
		call: counted(func(ctx context.Context, s *Site) error { return s.EndStep(ctx, jobID, "s1", true) })},
	{name: "EndJob", route: "POST /jobs/" + jobID + "/end", good: complete, again: true,
		reads: "GET /jobs/" + jobID, not: xmlAnswer(200, jobText(statusStarted)), yes: xmlAnswer(200, jobText("failed")),
		call: counted(func(ctx context.Context, s *Site) error { return s.EndJob(ctx, jobID, false) })},
	{name: "IsAttached", route: "POST /storagedomains/" + sdID + "/isattached", good: xmlAnswer(200, "<action><is_attached>true</is_attached><status>complete</status></action>"), blind: true,
		also: map[string]answer{"GET /storagedomains/" + sdID: xmlAnswer(200, sdXML(sdID, "unattached", ""))},
		call: func(ctx context.Context, s *Site) (bool, error) {
			return s.IsAttached(ctx, StorageDomain{ID: sdID, Status: "unattached"}, hoID)
		}},
	{name: "LogInISCSI", route: "POST /hosts/" + hoID + "/iscsilogin", good: complete, blind: true,
		call: func(ctx context.Context, s *Site) (bool, error) {
			return true, s.LogInISCSI(ctx, Host{ID: hoID, Name: "host1"}, ISCSITarget{Address: "10.0.0.1", Port: 3260, IQN: "iqn.x:a"})
		}},
	{name: "RefreshHost", route: "POST /hosts/" + hoID + "/refresh", good: complete, blind: true,
		call: func(ctx context.Context, s *Site) (bool, error) { return true, s.RefreshHost(ctx, hoID) }},
}

const lunDiskID = "5b0b7b0e-2f4b-4c57-a6f5-0a7e0ac3e111"

const lunDiskXML = `<disk id="` + lunDiskID + `"><alias>data</alias><lun_storage><logical_units><logical_unit id="3600a"/></logical_units><type>fcp</type></lun_storage><storage_type>lun</storage_type></disk>`

const lbID = "1f0f3dd2-5fd5-44e9-8b3f-2a1c7d3b9a11"

const jobID = "b9a6c1b0-0f0e-4a6e-9d55-0a6f1f3f7c11"

func jobText(status string) string {
	return `<job id="` + jobID + `"><description>drrun failover</description><external>true</external><status>` + status + `</status></job>`
}

func stepText(id, status string) string {
	return `<step id="` + id + `"><description>import</description><status>` + status + `</status></step>`
}

// mustHave is the error of a call, or that it returned another id.
func mustHave(got, want string, err error) error {
	if err == nil && got != want {
		return fmt.Errorf("the id is %q, want %q", got, want)
	}
	return err
}

var mark = EventSpec{Origin: "drrun", CustomID: 7, Severity: "normal", Description: "run 1 holds nfs_ds", StorageDomainID: sdID}

func markXML(description string) string {
	return `<event id="9"><description>` + description + `</description><code>9801</code><custom_id>7</custom_id><origin>drrun</origin><severity>normal</severity></event>`
}

func labelsXML(name, id string) answer {
	return xmlAnswer(200, `<affinity_labels><affinity_label id="x"><name>other</name></affinity_label><affinity_label id="`+id+`"><name>`+name+`</name></affinity_label></affinity_labels>`)
}

func haVM(on bool, priority int, lease string) string {
	more := fmt.Sprintf("<high_availability><enabled>%v</enabled><priority>%d</priority></high_availability>", on, priority)
	if lease != "" {
		more += `<lease><storage_domain id="` + lease + `"/></lease>`
	}
	return strings.Replace(vmXML(1, "up"), "<name>", more+"<name>", 1)
}

// storeEvent is an event about the storage domain.
func storeEvent(id, code int, correlation string) string {
	more := `<storage_domain id="` + sdID + `"/>`
	if correlation != "" {
		more += "<correlation_id>" + correlation + "</correlation_id>"
	}
	return eventXML(id, code, more)
}

// counted makes a call that does not tell whether it changed something tell it.
func counted(call func(context.Context, *Site) error) func(context.Context, *Site) (bool, error) {
	return func(ctx context.Context, s *Site) (bool, error) {
		before := s.Counters().Writes
		err := call(ctx, s)
		return s.Counters().Writes > before, err
	}
}

// world makes the reads of a write call show the goal once reached() says so.
func (c writeCall) world(f *fake, reached func() bool) {
	for route, a := range c.also {
		f.on(route, a)
	}
	if c.reads != "" {
		f.handle(c.reads, func(*http.Request, string) answer {
			if reached() {
				return c.yes
			}
			return c.not
		})
	}
}

// unclear are answers to a changing request that say nothing about its effect.
func unclear(good answer) map[string]answer {
	bad := map[string]answer{
		"no answer":  {after: time.Hour},
		"reset":      reset,
		"bad proxy":  {status: 502, kind: "text/html", body: "<html/>"},
		"html 500":   {status: 500, kind: "text/html", body: "<html/>"},
		"empty":      {status: good.status, kind: "application/xml"},
		"html":       {status: good.status, kind: "text/html", body: htmlPage.body},
		"truncated":  {status: good.status, body: good.body[:len(good.body)*2/3]},
		"cut":        {status: good.status, body: good.body[:len(good.body)*2/3], cut: true},
		"wrong root": {status: good.status, body: "<bookmark/>"},
	}
	return bad
}

func TestWrites(t *testing.T) {
	for _, c := range writeCalls {
		t.Run(c.name, func(t *testing.T) {
			run := func(name string, fn func(t *testing.T, f *fake)) {
				t.Run(name, func(t *testing.T) { bubble(t, fn) })
			}
			run("done", func(t *testing.T, f *fake) {
				done := false
				c.world(f, func() bool { return done })
				f.handle(c.route, func(*http.Request, string) answer { done = true; return c.good })
				changed, err := c.call(t.Context(), f.site())
				if err != nil || !changed {
					t.Fatal(changed, err)
				}
				if len(f.writes()) != 1 || f.hooked[0].Retry != "" || f.ended[0].Err != nil {
					t.Fatalf("%v %+v", f.writes(), f.hooked)
				}
				if c.again {
					return
				}
				changed, err = c.call(t.Context(), f.site())
				if err != nil || !c.blind && (changed || len(f.writes()) != 1) {
					t.Fatalf("second call: %v %v %v", changed, err, f.writes())
				}
			})
			for name, bad := range unclear(c.good) {
				run(name+", effect", func(t *testing.T, f *fake) {
					if c.blind {
						return
					}
					done := false
					c.world(f, func() bool { return done })
					f.handle(c.route, func(*http.Request, string) answer { done = true; return bad })
					changed, err := c.call(t.Context(), f.site())
					if name == "no answer" && err != nil { // the call's own time is over as well
						wantCode(t, err, CodeTimeout)
						return
					}
					if err != nil || !changed {
						t.Fatal(changed, err)
					}
					if len(f.writes()) != 1 || !f.ended[0].Unknown {
						t.Fatalf("%v %+v", f.writes(), f.ended)
					}
				})
				run(name+", no effect", func(t *testing.T, f *fake) {
					done := false
					c.world(f, func() bool { return done })
					n := 0
					f.handle(c.route, func(*http.Request, string) answer {
						if n++; n == 1 {
							return bad
						}
						done = true
						return c.good
					})
					changed, err := c.call(t.Context(), f.site())
					if name == "no answer" && err != nil {
						wantCode(t, err, CodeTimeout)
						return
					}
					if err != nil || !changed {
						t.Fatal(changed, err)
					}
					if len(f.writes()) != 2 || f.hooked[1].Retry == "" || !f.ended[0].Unknown {
						t.Fatalf("%v %+v %+v", f.writes(), f.hooked, f.ended)
					}
					if !c.blind && f.requests(c.reads) == nil {
						t.Fatal("not settled by reading")
					}
				})
				run(name+", for ever", func(t *testing.T, f *fake) {
					c.world(f, func() bool { return false })
					f.on(c.route, bad)
					_, err := c.call(t.Context(), f.site())
					if err == nil {
						t.Fatal("no error")
					}
					if n := len(f.writes()); n > maxRepeats+1 {
						t.Fatalf("%d requests", n)
					}
					for _, w := range f.hooked[1:] {
						if w.Retry == "" {
							t.Fatal("a repeat without a reason")
						}
					}
				})
			}
			run("token renewed", func(t *testing.T, f *fake) {
				done := false
				c.world(f, func() bool { return done })
				f.handle(c.route, func(*http.Request, string) answer { done = true; return c.good })
				s := f.site()
				if _, err := s.Product(t.Context()); !HasCode(err, CodeNotFound) {
					t.Fatal(err)
				}
				// The engine forgets the token between the reads before the request and the request.
				f.valid = func(token string) bool {
					return token != "token1" || len(f.writesLocked()) == 0
				}
				changed, err := c.call(t.Context(), s)
				if err != nil || !changed {
					t.Fatal(changed, err)
				}
				if w := f.writes(); len(w) != 2 || f.hooked[1].Retry == "" || f.ended[0].Unknown || f.ended[0].Status != 401 || f.logins != 2 {
					t.Fatalf("%v %+v %+v %d", w, f.hooked, f.ended, f.logins)
				}
			})
			run("locked, then done", func(t *testing.T, f *fake) {
				done := false
				c.world(f, func() bool { return done })
				n := 0
				f.handle(c.route, func(*http.Request, string) answer {
					if n++; n < 3 {
						return fault(409, "Operation Failed", "[Cannot ${action} Storage. Related operation is currently in progress. Please try again later.]")
					}
					done = true
					return c.good
				})
				changed, err := c.call(t.Context(), f.site())
				if err != nil || !changed || len(f.writes()) != 3 || !strings.Contains(f.hooked[2].Retry, "currently in progress") {
					t.Fatalf("%v %v %+v", changed, err, f.hooked)
				}
			})
			run("refused", func(t *testing.T, f *fake) {
				c.world(f, func() bool { return false })
				f.on(c.route, fault(409, "Operation Failed", "[Cannot do that.]"))
				_, err := c.call(t.Context(), f.site())
				e := wantCode(t, err, CodeConflict)
				if len(f.writes()) != 1 || f.ended[0].Unknown || !strings.Contains(e.Error(), "engine says 409: [Cannot do that.]") {
					t.Fatalf("%v %v", f.writes(), err)
				}
			})
			run("200 that failed", func(t *testing.T, f *fake) {
				if c.good.status != 200 || strings.HasPrefix(c.route, "PUT") {
					return
				}
				c.world(f, func() bool { return false })
				f.on(c.route, xmlAnswer(200, "<action><fault><reason>Operation Failed</reason><detail>[agent failed]</detail></fault><status>failed</status></action>"))
				_, err := c.call(t.Context(), f.site())
				e := wantCode(t, err, CodeEngineError)
				if e.Detail != "[agent failed]" || len(f.writes()) != 1 {
					t.Fatalf("%v %v", f.writes(), err)
				}
			})
			run("no connection", func(t *testing.T, f *fake) {
				done := false
				c.world(f, func() bool { return done })
				n := 0
				f.handle(c.route, func(*http.Request, string) answer {
					if n++; n == 1 {
						return refused
					}
					done = true
					return c.good
				})
				changed, err := c.call(t.Context(), f.site())
				if err != nil || !changed || f.ended[0].Unknown || f.hooked[1].Retry == "" {
					t.Fatalf("%v %v %+v", changed, err, f.ended)
				}
			})
			run("hook refuses", func(t *testing.T, f *fake) {
				c.world(f, func() bool { return false })
				no := errors.New("the journal is full")
				_, err := c.call(t.Context(), f.site(func(o *Options) {
					o.OnWrite = func(context.Context, *Write) (func(WriteResult), error) { return nil, no }
				}))
				wantCode(t, err, CodeRefused)
				if !errors.Is(err, no) || len(f.writes()) != 0 {
					t.Fatal(err, f.writes())
				}
			})
			run("cancelled", func(t *testing.T, f *fake) {
				c.world(f, func() bool { return false })
				ctx, cancel := context.WithCancel(t.Context())
				f.handle(c.route, func(*http.Request, string) answer { cancel(); return answer{after: time.Hour} })
				_, err := c.call(ctx, f.site())
				wantCode(t, err, CodeCancelled)
				if len(f.writes()) != 1 || !f.ended[0].Unknown {
					t.Fatalf("%v %+v", f.writes(), f.ended)
				}
			})
		})
	}
}

// writesLocked is writes for use inside valid, where mu is held.
func (f *fake) writesLocked() (out []string) {
	for _, line := range f.log {
		if !strings.HasPrefix(line, "GET ") {
			out = append(out, line)
		}
	}
	return out
}

func ExampleError() {
	e := &Error{Site: "secondary", Op: OpAttachDomain, Subject: Subject{Kind: KindStorageDomain, ID: sdID, Name: "nfs_ds"}}
	fmt.Println(e.fault(409, "Operation Failed", "[Cannot attach Storage. There is no active Host in the Data Center.]"))
	e = &Error{Site: "primary", Op: opRead, Subject: Subject{Kind: "vms"}}
	fmt.Println(e.fault(404, "", ""))
	e = &Error{Site: "secondary", Op: OpStartVM, Subject: Subject{Kind: KindVM, ID: "1", Name: "db1"}, State: "paused", Err: errors.New("it is paused")}
	fmt.Println(e)
	// Output:
	// attach storage domain "nfs_ds" on secondary: engine says 409: [Cannot attach Storage. There is no active Host in the Data Center.]
	// read vms on primary: engine answers 404 without words
	// start vm "db1" on secondary: it is paused (its state is paused)
}
