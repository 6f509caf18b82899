package ovirt

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// scene is how an engine that agrees to everything shows its objects: always so, whatever was done.
type scene struct {
	vm      string // status; "" means absent
	disks   int
	domain  string // status of the attached domain; "unattached", or "" for absent
	storage string // storage type
	kind    string // domain type
}

// agreeable is an engine that does whatever it is asked, and keeps a list of it.
type agreeable struct {
	scene
	asked []string // "METHOD path?query body"
	bad   []string
}

func (a *agreeable) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		text, _ := io.ReadAll(r.Body)
		body = string(text)
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/ovirt-engine/api")
	reply := func(status int, kind, text string) (*http.Response, error) {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Request: r, Body: io.NopCloser(strings.NewReader(text))}
		return resp, nil
	}
	switch {
	case strings.HasSuffix(path, "/sso/oauth/token"):
		return reply(200, "application/json", `{"access_token":"t"}`)
	case r.Method != http.MethodGet && strings.HasPrefix(r.URL.Path, "/ovirt-engine/api"):
		a.asked = append(a.asked, r.Method+" "+path+"?"+r.URL.RawQuery+" "+body)
		if why := a.judge(r.Method, path, r.URL.Query(), body); why != "" {
			a.bad = append(a.bad, why+": "+a.asked[len(a.asked)-1])
		}
	}
	status, text := a.answer(r.Method, path)
	return reply(status, "application/xml", text)
}

// disk is how the engine shows a disk: on block storage as a LUN.
func (a *agreeable) disk(id string) string {
	if a.storage != "iscsi" && a.storage != "fcp" {
		return `<disk id="` + id + `"><alias>d</alias><storage_type>image</storage_type></disk>`
	}
	return `<disk id="` + id + `"><alias>d</alias><lun_storage><logical_units><logical_unit id="3600a"/></logical_units></lun_storage><storage_type>lun</storage_type></disk>`
}

// dark tells that the hosts have no power.
func (a *agreeable) dark() bool { return a.vm == "unknown" }

func (a *agreeable) answer(method, path string) (int, string) {
	vm := strings.Replace(vmXML(1, a.vm), "<nics>", "<template id=\"t\"/><nics>", 1)
	sd := func(status string) string {
		dc := dcID
		if a.domain == "unattached" {
			dc = ""
		}
		text := strings.Replace(sdXML(sdID, status, dc), "<type>nfs</type>", "<type>"+a.storage+"</type>", 1)
		return strings.Replace(text, "<type>data</type>", "<type>"+a.kind+"</type>", 1)
	}
	switch parts := strings.Split(strings.Trim(path, "/"), "/"); {
	case method == http.MethodDelete, method == http.MethodPost && len(parts) > 2 && parts[len(parts)-1] != "storagedomains" && parts[len(parts)-1] != "steps":
		return 200, "<action><is_attached>true</is_attached><power_management><status>" + map[bool]string{true: "off", false: "on"}[a.dark()] + "</status></power_management><status>complete</status></action>"
	case parts[0] == "hosts" && len(parts) == 2:
		return 200, `<host id="` + hoID + `"><name>host1</name><status>` + map[bool]string{true: "non_responsive", false: "up"}[a.dark()] + `</status></host>`
	case method == http.MethodPost && path == "/storagedomains" && a.domain == "":
		return 400, "<fault><reason>Operation Failed</reason><detail>[no]</detail></fault>"
	case method == http.MethodPost && parts[len(parts)-1] == "storagedomains":
		return 201, sd("unknown")
	case method == http.MethodPost && parts[0] == "affinitylabels":
		return 201, `<affinity_label id="l"/>`
	case method == http.MethodPost && parts[0] == "events":
		return 201, markXML("x")
	case parts[0] == "jobs" && method == http.MethodPost:
		return 201, map[bool]string{true: `<job id="j"/>`, false: `<step id="s"/>`}[len(parts) == 1]
	case parts[0] == "jobs" && len(parts) == 1:
		return 200, "<jobs/>"
	case parts[0] == "jobs" && len(parts) == 2:
		return 200, `<job id="j"><status>started</status></job>`
	case parts[0] == "jobs":
		return 200, "<steps/>"
	case parts[0] == "events":
		return 200, "<events/>"
	case parts[0] == "affinitylabels":
		return 200, `<affinity_labels><affinity_label id="` + lbID + `"><name>held</name></affinity_label></affinity_labels>`
	case parts[0] == "storageconnections":
		return 200, `<storage_connections><storage_connection id="k1"><address>` + lbID + `</address><path>` + lbID + `</path></storage_connection></storage_connections>`
	case parts[0] == "disks" && len(parts) == 1:
		return 200, "<disks>" + a.disk(lbID) + "</disks>"
	case parts[0] == "disks" && len(parts) == 2 && method == http.MethodGet:
		return 200, a.disk(lbID)
	case parts[0] == "vms" && len(parts) == 3 && parts[2] == "diskattachments":
		return 200, "<disk_attachments>" + strings.Repeat(`<disk_attachment id="d"/>`, a.disks) + "</disk_attachments>"
	case parts[0] == "vms" && len(parts) == 4 && parts[2] == "nics":
		return 200, `<nic id="n"><name>nic1</name></nic>`
	case parts[0] == "vms" && a.vm == "":
		return 404, ""
	case parts[0] == "vms" && len(parts) == 1:
		return 200, vmsXML(vm)
	case parts[0] == "vms" && len(parts) == 2:
		id, _ := url.PathUnescape(parts[1])
		return 200, strings.Replace(vm, vmID(1), strings.NewReplacer("&", "&amp;", "\"", "&quot;", "<", "&lt;").Replace(id), 2)
	case parts[0] == "storagedomains" && len(parts) == 1:
		return 200, "<storage_domains/>"
	case parts[0] == "storagedomains" && len(parts) == 2 && a.domain != "":
		if a.domain == "unattached" {
			return 200, sd("unattached")
		}
		return 200, sd("")
	case parts[0] == "datacenters" && len(parts) == 3 && a.domain != "" && a.domain != "unattached":
		return 200, "<storage_domains>" + sd(a.domain) + "</storage_domains>"
	case parts[0] == "datacenters" && len(parts) == 4 && a.domain != "" && a.domain != "unattached":
		return 200, sd(a.domain)
	}
	return 404, ""
}

var (
	mayPost = regexp.MustCompile(`^/(vms/[^/]+/(start|shutdown|stop)|hosts/[^/]+/(refresh|fence|iscsilogin)|storagedomains|datacenters/[^/]+/storagedomains|datacenters/[^/]+/storagedomains/[^/]+/(de)?activate|` +
		`storagedomains/[^/]+/(updateovfstore|isattached|(vms|templates)/[^/]+/register)|affinitylabels|events|jobs|jobs/[^/]+/(steps|end|steps/[^/]+/end))$`)
	mayPut    = regexp.MustCompile(`^/(vms/[^/]+(/nics/[^/]+)?|storagedomains/[^/]+)$`)
	mayDelete = regexp.MustCompile(`^/(storagedomains/[^/]+|datacenters/[^/]+/storagedomains/[^/]+|storageconnections/[^/]+|vms/[^/]+|affinitylabels/[^/]+|disks/[^/]+)$`)
	setBody   = regexp.MustCompile(`^<storage_domain>(<(backup|discard_after_delete|wipe_after_delete)>(true|false)</(backup|discard_after_delete|wipe_after_delete)>|` +
		`<(critical_space_action_blocker|warning_low_space_indicator)>[0-9]+</(critical_space_action_blocker|warning_low_space_indicator)>)+</storage_domain>$`)
	// blockBody is the one request about block storage that imports: it is without name and LUNs, and says that it does.
	blockBody = regexp.MustCompile(`^<storage_domain id="[^"]+"><import>true</import><type>data</type><host id="[^"]*"></host><storage><type>(iscsi|fcp)</type></storage></storage_domain>$`)
	vmBody    = regexp.MustCompile(`^<vm>(<high_availability>.*</high_availability>(<lease>.*</lease>)?|<delete_protected>.*</delete_protected>|<comment>.*</comment>)</vm>$`)
)

// judge says why a request may destroy something. It knows nothing of the client.
func (a *agreeable) judge(method, path string, query url.Values, body string) string {
	for _, part := range strings.Split(path, "/")[1:] {
		if plain, err := url.PathUnescape(part); err != nil || plain == "" || plain == "." || plain == ".." {
			return "a path with a part that is no id"
		}
	}
	for _, word := range []string{"<format", "override", "logical_unit", "volume_group", "<import", "<force", "<disk"} {
		if strings.Contains(body, word) && !(word == "<import" && blockBody.MatchString(body)) && !(word == "logical_unit" && strings.HasSuffix(path, "/register")) {
			return "a body with " + word
		}
	}
	if query.Has("format") || query.Has("force") || query.Has("unregistered") {
		return "a query that formats or forces"
	}
	switch method {
	case http.MethodPost:
		switch {
		case !mayPost.MatchString(path):
			return "a POST that is not known to be harmless"
		case strings.HasSuffix(path, "/shutdown") && a.vm != "up":
			return "a shutdown of a VM that is not up"
		case strings.HasSuffix(path, "/shutdown") && strings.Count(strings.Join(a.asked, "\n"), "/shutdown?") > 1:
			return "a second shutdown"
		case strings.HasSuffix(path, "/stop") && slices.Contains([]string{"suspended", "saving_state", "restoring_state", "unknown", "image_locked", "down"}, a.vm):
			return "a stop of a VM that is " + a.vm
		case strings.HasSuffix(path, "/fence") && body == "<action><fence_type>manual</fence_type></action>":
			if !a.dark() || !slices.Contains(a.asked, "POST "+path+"? <action><fence_type>status</fence_type></action>") {
				return "a host taken for off that nobody saw off"
			}
		case strings.HasSuffix(path, "/fence") && body != "<action><fence_type>status</fence_type></action>":
			return "a fence action that does more than ask"
		case strings.HasSuffix(path, "/isattached") && a.domain != "unattached":
			return "a look that takes the storage from a host"
		case path == "/storagedomains" && (strings.Contains(body, "<name>") || !strings.HasPrefix(body, `<storage_domain id="`) || strings.HasPrefix(body, `<storage_domain id=""`)):
			return "a storage domain that could be created"
		case path == "/storagedomains" && (strings.Contains(body, ">iscsi<") || strings.Contains(body, ">fcp<")) && !blockBody.MatchString(body):
			return "a block domain that could be created"
		case path == "/storagedomains" && strings.Contains(body, "localfs"):
			return "a local domain that could be created"
		}
	case http.MethodPut:
		if !mayPut.MatchString(path) {
			return "a PUT of something else than a VM, a NIC or the settings of a domain"
		}
		if strings.HasPrefix(path, "/storagedomains/") && !setBody.MatchString(body) {
			return "a PUT of more than the settings of a domain"
		}
		if strings.HasPrefix(path, "/vms/") && strings.Count(path, "/") == 2 && !vmBody.MatchString(strings.ReplaceAll(body, "\n", "")) {
			return "a PUT of more than a harmless member of a VM"
		}
	case http.MethodDelete:
		switch {
		case !mayDelete.MatchString(path):
			return "a DELETE that is not known to be harmless"
		case strings.HasPrefix(path, "/disks/") && (len(query) != 0 || a.storage != "iscsi" && a.storage != "fcp" || path != "/disks/"+lbID):
			return "a DELETE of a disk that holds data"
		case strings.HasPrefix(path, "/vms/") && (query.Encode() != "detach_only=true" || a.disks != 0 || a.vm != "down"):
			return "a DELETE of a VM that could lose something"
		case strings.HasPrefix(path, "/datacenters/") && (len(query) != 0 || a.storage == "localfs" || a.domain != "maintenance"):
			return "a detach that could format"
		case strings.HasPrefix(path, "/storagedomains/") && query.Encode() == "destroy=true":
			if a.domain == "active" || a.kind != "data" {
				return "a destroy of a domain in use"
			}
		case strings.HasPrefix(path, "/storagedomains/"):
			if len(query) != 1 || query.Get("host") == "" || a.domain != "unattached" || a.kind != "data" {
				return "a removal of a domain in use"
			}
		}
	default:
		return "an unknown method"
	}
	return ""
}

// texts are what callers may pass as an id or a name: also what would change the meaning of a request that is put together badly.
var texts = []string{lbID, "", "..", ".", "a/b", "../vms/" + lbID, lbID + "?format=true", "x&format=true", "a#b", "%2e%2e", lbID + ";unregistered", `"/><format>true</format>`, "vms/" + lbID, lbID}

// argument makes a value of a type: text for its texts, except where only some words are accepted.
func argument(t reflect.Type, text string, on bool, name string) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.String:
		kind := map[bool]string{true: "nfs", false: "iscsi"}[on]
		for field, word := range map[string]string{"Type": kind, "Severity": "normal", "Origin": "drrun", "VFSType": "ceph", "Description": "text"} {
			if name == field {
				text = word
			}
		}
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(on)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
		if t == reflect.TypeFor[time.Duration]() {
			v.SetInt(int64(20 * time.Second))
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).Name != "NICs" && t.Field(i).Name != "Earlier" {
				v.Field(i).Set(argument(t.Field(i).Type, text, on, t.Field(i).Name))
			}
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String { // ids
			v.Set(reflect.Append(v, reflect.ValueOf(text)))
		}
	case reflect.Func:
		if t.NumOut() == 2 { // until of a wait
			v.Set(reflect.MakeFunc(t, func([]reflect.Value) []reflect.Value {
				return []reflect.Value{reflect.ValueOf(true), reflect.Zero(t.Out(1))}
			}))
		}
	}
	return v
}

// TestNoCallDestroys calls everything that a Site exports, with good and with wicked arguments, against engines that agree to
// everything, and lets an independent judge look at each changing request.
func TestNoCallDestroys(t *testing.T) {
	scenes := []scene{
		{"up", 1, "active", "nfs", "data"}, {"down", 0, "maintenance", "nfs", "data"}, {"down", 1, "unattached", "nfs", "data"}, {"suspended", 1, "inactive", "nfs", "data"},
		{"powering_down", 1, "maintenance", "localfs", "data"}, {"paused", 1, "active", "localfs", "data"}, {"unknown", 0, "unknown", "iscsi", "data"}, {"image_locked", 0, "locked", "nfs", "data"},
		{"saving_state", 0, "unattached", "localfs", "data"}, {"restoring_state", 0, "unattached", "nfs", "iso"}, {"not_responding", 0, "maintenance", "", "data"}, {"powering_up", 0, "inactive", "nfs", "iso"},
		{"", 0, "", "nfs", "data"}, {"up", 0, "preparing_for_maintenance", "fcp", "data"},
	}
	site := reflect.TypeFor[*Site]()
	ops := map[string]int{}
	calls := 0
	for _, scene := range scenes {
		for round, text := range texts {
			synctest.Test(t, func(t *testing.T) {
				for i := range site.NumMethod() {
					method := site.Method(i)
					if slices.Contains([]string{"Close", "Name", "URL", "Counters", "Redact"}, method.Name) {
						continue
					}
					engine := &agreeable{scene: scene}
					s, err := New(Options{Name: "secondary", URL: "https://engine2.localdomain/ovirt-engine/api", Transport: engine, Clock: realClock{},
						OnWrite: func(_ context.Context, w *Write) (func(WriteResult), error) {
							ops[w.Op]++
							w.Correlation = "run-1"
							return nil, nil
						}})
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
					in := []reflect.Value{reflect.ValueOf(s), reflect.ValueOf(ctx)}
					for k := 2; k < method.Type.NumIn(); k++ {
						value := argument(method.Type.In(k), text, round%2 == 0, "")
						if method.Type.In(k) == reflect.TypeFor[StorageDomain]() { // as its caller has just read it
							value = reflect.ValueOf(StorageDomain{ID: text, Status: scene.domain, DataCenterID: map[bool]string{false: dcID}[scene.domain == "unattached"]})
						}
						in = append(in, value)
					}
					method.Func.Call(in)
					cancel()
					calls++
					for _, why := range engine.bad {
						t.Errorf("%s with %q, %+v: %s", method.Name, text, scene, why)
					}
				}
			})
		}
	}
	for _, op := range []string{OpImportDomain, OpAttachDomain, OpActivateDomain, OpRemoveDomain, OpRemoveConnection, OpRefreshHost, OpPowerStatus, OpRegisterTemplate, OpRegisterVM, OpUpdateNIC, OpStartVM, OpShutdownVM, OpStopVM,
		OpSetHA, OpSetProtection, OpTouchVM, OpRemoveVM, OpDeactivateDomain, OpDetachDomain, OpDestroyDomain, OpUpdateOVFStore, OpIsAttached, OpConfirmRebooted, OpCreateLabel, OpDeleteLabel, OpPostEvent,
		OpAddJob, OpAddStep, OpEndStep, OpEndJob, OpSetDomain, OpLogInISCSI, OpRemoveLUNDisk} {
		if ops[op] == 0 {
			t.Errorf("no call came to %s: the test proves nothing for it", op)
		}
	}
	if testing.Verbose() {
		fmt.Println(calls, "calls", ops)
	}
}

// TestJudge makes sure that the judge above sees what it is for.
func TestJudge(t *testing.T) {
	down := scene{"down", 1, "maintenance", "nfs", "data"}
	for _, c := range []struct {
		scene        scene
		method, path string
		query, body  string
	}{
		{down, "DELETE", "/storagedomains/s", "host=h&format=true", ""}, {down, "DELETE", "/storagedomains/s/vms/v", "", ""}, {down, "DELETE", "/vms/v", "", ""}, {down, "DELETE", "/vms/v", "detach_only=true", ""},
		{down, "DELETE", "/templates/t", "", ""}, {down, "DELETE", "/disks/" + lbID, "", ""}, {scene{storage: "fcp"}, "DELETE", "/disks/d", "", ""}, {down, "POST", "/vms/v/shutdown", "", ""}, {scene{vm: "suspended"}, "POST", "/vms/v/stop", "", ""},
		{down, "PUT", "/storagedomains/s", "", "<storage_domain/>"}, {down, "POST", "/storagedomains", "", `<storage_domain id="s"><name>x</name></storage_domain>`}, {down, "POST", "/vms/v/commitsnapshot", "", ""},
		{scene{domain: "maintenance", storage: "localfs"}, "DELETE", "/datacenters/d/storagedomains/s", "", ""}, {scene{domain: "active", kind: "data"}, "DELETE", "/storagedomains/s", "destroy=true", ""},
		{down, "POST", "/hosts/h/fence", "", "<action><fence_type>stop</fence_type></action>"}, {down, "POST", "/hosts/h/fence", "", "<action/>"},
		{down, "POST", "/hosts/h/fence", "", "<action><fence_type>manual</fence_type></action>"}, {scene{vm: "unknown"}, "POST", "/hosts/h/fence", "", "<action><fence_type>manual</fence_type></action>"},
		{down, "POST", "/storagedomains", "", `<storage_domain id="s"><type>data</type><host id="h"></host><storage><type>fcp</type></storage></storage_domain>`},
		{down, "POST", "/storagedomains", "", `<storage_domain id="s"><import>true</import><type>data</type><host id="h"></host><storage><logical_units><logical_unit id="l"/></logical_units><type>fcp</type></storage></storage_domain>`},
		{down, "PUT", "/storagedomains/s", "", `<storage_domain><backup>false</backup><storage><volume_group/></storage></storage_domain>`}, {down, "PUT", "/storagedomains/s", "", `<storage_domain><name>x</name></storage_domain>`},
		{down, "DELETE", "/storagedomains/..", "host=h", ""}, {down, "PUT", "/vms/v", "", "<vm><memory>1</memory></vm>"},
	} {
		query, _ := url.ParseQuery(c.query)
		if (&agreeable{scene: c.scene}).judge(c.method, c.path, query, c.body) == "" {
			t.Errorf("%s %s?%s is thought harmless", c.method, c.path, c.query)
		}
	}
	twice := &agreeable{scene: scene{vm: "up"}, asked: []string{"POST /vms/v/shutdown? x", "POST /vms/v/shutdown? x"}}
	if twice.judge("POST", "/vms/v/shutdown", nil, "") == "" {
		t.Error("a second shutdown is thought harmless")
	}
}
