package ovirt

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// wholeVM has all that the scanner takes, and things that it must not take for it.
const wholeVM = `<vm href="/ovirt-engine/api/vms/v1" id="v1"><actions><link href="/a?b=1&amp;c='2'" rel="start"/></actions><name>db &lt;1&gt; &#x41;&#66;</name>
<description>two
lines</description><comment/><link href='x>"y' rel="nics"/><bios><type>q35</type><name>not this</name></bios><cpu><topology><cores>1</cores></topology></cpu>
<delete_protected>true</delete_protected><high_availability><enabled>true</enabled><priority>50</priority><other><enabled>false</enabled></other></high_availability>
<lease><storage_domain href="/s" id="s1"/></lease><memory>1073741824</memory><origin>ovirt</origin><placement_policy><hosts><host id="not-this"/></hosts></placement_policy>
<cluster href="/c" id="c1"/><original_template id="not-this"/><template id="t1"></template><instance_type id="i1"/><fqdn><![CDATA[vm1.<x>]]></fqdn>
<guest_operating_system><distribution>RHEL</distribution><family>Linux</family><version><full_version>9.4</full_version><major>9</major></version></guest_operating_system>
<has_illegal_images>true</has_illegal_images><next_run_configuration_exists>true</next_run_configuration_exists><start_time>2026-11-20T17:32:00.123+03:00</start_time>
<status>paused</status><status_detail>eio</status_detail><stop_time>2026-11-20T14:00:00Z</stop_time><host id="h1"/><!-- end --></vm >`

// decodeText runs a decoder over a text.
func decodeText[T any](decode decoder[T], text string) (T, error) {
	return decode(newDocument(strings.NewReader(text)))
}

// TestScannerTakesWhatTheReadersTake holds the scanner against go-ovirt's readers, on answers of a real engine too.
func TestScannerTakesWhatTheReadersTake(t *testing.T) {
	texts := []string{"<vms/>", "<vms></vms>", "<vms>" + wholeVM + "<vm/>" + wholeVM + "<other><vm id='x'><name>n</name></vm></other></vms>", vmsXML(vmXML(1, "up"), vmXML(2, "down")),
		"<?xml version='1.0' encoding='UTF-8'?>\r\n<!-- a --><vms total='2'>\n" + vmXML(3, "up") + "\n</vms>\n<!-- z -->\n", bigList(50)}
	recordings, err := filepath.Glob("testdata/rhv-4.3/vms.xml")
	if err != nil || len(recordings) != 1 {
		t.Fatal(recordings, err)
	}
	recorded, err := os.ReadFile(recordings[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(texts, string(recorded)) {
		want, err := decodeText(decodeVMs, text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i].NICs, want[i].Disks = nil, nil
		}
		got, err := decodeText(scanVMs, text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%.100s\n got  %+v %v\n want %+v", text, got, err, want)
		}
		slow, err := scanVMs(newDocument(iotest.OneByteReader(strings.NewReader(text))))
		if err != nil || !reflect.DeepEqual(slow, want) {
			t.Errorf("byte by byte: %+v %v", slow, err)
		}
	}
	want, _ := decodeText(decodeVM, wholeVM)
	if got, err := decodeText(scanVM, wholeVM); err != nil || !reflect.DeepEqual(got, want) || got.HostID != "h1" || got.LeaseDomainID != "s1" || got.FQDN != "vm1.<x>" {
		t.Errorf("%+v %v\n%+v", got, err, want)
	}
}

// TestScannerRefusesBadBodies: a list that is cut off is never a shorter list.
func TestScannerRefusesBadBodies(t *testing.T) {
	good := "<vms>" + wholeVM + vmXML(2, "up") + "</vms>"
	for name, bad := range badBodies(good) {
		got, err := scanVMs(newDocument(strings.NewReader(bad.body)))
		if err == nil || got != nil {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	for cut := range len(good) {
		if got, err := decodeText(scanVMs, good[:cut]); err == nil || got != nil {
			t.Fatalf("cut after %d bytes: %v %v", cut, got, err)
		}
	}
	for _, bad := range []string{"<vms><vm></vms></vm>", "<vms><vm id='1/></vms>", "<vms><vm id/></vms>", "<vms>&nbsp;</vms>", "<vms>&amp</vms>", "<vms>&#0;</vms>", "<vms>\xff</vms>",
		"<vms><vm id='<'/></vms>", "<vms>< vm/></vms>", "<vms></>", "</vms>", "<!DOCTYPE vms><vms/>", "<?xml version='1.0' encoding='latin1'?><vms/>", "<vms><vm><memory>x</memory></vm></vms>",
		"<vms><vm><start_time>today</start_time></vm></vms>", "<vms><vm><delete_protected>perhaps</delete_protected></vm></vms>", "x<vms/>", "<vms/>x", "<vms/><vms/>", "<vm/>", "", " ", "<", "<!", "<!-- ", "<vms><![CDATA[x</vms>"} {
		if got, err := decodeText(scanVMs, bad); err == nil || got != nil {
			t.Errorf("%q: %v %v", bad, got, err)
		}
		if _, err := decodeText(scanVM, bad); err == nil && bad != "<vm/>" {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzScanner(f *testing.F) {
	f.Add("<vms>" + wholeVM + "</vms>")
	f.Add("<?xml version='1.0'?><vms><vm id='1'><name>&amp;</name></vm></vms>")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := decodeText(scanVMs, text)
		if err != nil {
			return
		}
		want, err := decodeText(decodeVMs, text)
		if err != nil {
			return // the readers refuse more: they look into what the scanner passes by
		}
		for i := range want {
			want[i].NICs, want[i].Disks = nil, nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q\n got  %+v\n want %+v", text, got, want)
		}
	})
}

// bigList is a list of VMs as an engine sends it: with all the members that nobody waits for.
func bigList(count int) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n<vms>\n")
	for n := range count {
		href := "/ovirt-engine/api/vms/" + vmID(n)
		fmt.Fprintf(&b, "<vm href=%q id=%q>\n<actions>\n", href, vmID(n))
		for _, rel := range []string{"shutdown", "start", "stop", "suspend", "reboot", "migrate", "clone", "export", "ticket", "detach", "logon", "maintenance", "freezefilesystems", "thawfilesystems", "reordermacaddresses", "previewsnapshot", "commitsnapshot", "undosnapshot", "cancelmigration", "screenshot"} {
			fmt.Fprintf(&b, "<link href=\"%s/%s\" rel=%q/>\n", href, rel, rel)
		}
		fmt.Fprintf(&b, "</actions>\n<name>vm%d</name>\n<description></description>\n<comment/>\n", n)
		for _, rel := range []string{"applications", "cdroms", "diskattachments", "graphicsconsoles", "nics", "reporteddevices", "sessions", "snapshots", "affinitylabels", "permissions", "tags", "statistics", "watchdogs", "hostdevices", "numanodes", "katelloerrata", "backups", "checkpoints", "mediateddevices"} {
			fmt.Fprintf(&b, "<link href=\"%s/%s\" rel=%q/>\n", href, rel, rel)
		}
		b.WriteString("<bios><boot_menu><enabled>false</enabled></boot_menu><type>q35_sea_bios</type></bios>\n<cpu><architecture>x86_64</architecture><topology><cores>1</cores><sockets>2</sockets><threads>1</threads></topology></cpu>\n" +
			"<cpu_shares>0</cpu_shares><creation_time>2026-11-20T14:32:00.000Z</creation_time><delete_protected>false</delete_protected>\n" +
			"<display><allow_override>false</allow_override><copy_paste_enabled>true</copy_paste_enabled><disconnect_action>LOCK_SCREEN</disconnect_action><file_transfer_enabled>true</file_transfer_enabled><monitors>1</monitors><smartcard_enabled>false</smartcard_enabled><type>vnc</type></display>\n" +
			"<high_availability><enabled>true</enabled><priority>50</priority></high_availability><io><threads>1</threads></io><memory>1073741824</memory>\n" +
			"<memory_policy><ballooning>true</ballooning><guaranteed>1073741824</guaranteed><max>4294967296</max></memory_policy><migration><auto_converge>inherit</auto_converge><compressed>inherit</compressed><encrypted>inherit</encrypted></migration>\n" +
			"<origin>ovirt</origin><os><boot><devices><device>hd</device></devices></boot><type>rhel_9x64</type></os><placement_policy><affinity>migratable</affinity></placement_policy><sso><methods><method id=\"guest_agent\"/></methods></sso>\n" +
			"<start_paused>false</start_paused><stateless>false</stateless><storage_error_resume_behaviour>auto_resume</storage_error_resume_behaviour><time_zone><name>Etc/GMT</name></time_zone><type>server</type><usb><enabled>false</enabled></usb>\n" +
			"<cluster href=\"/ovirt-engine/api/clusters/" + clID + "\" id=\"" + clID + "\"/><cpu_profile href=\"/ovirt-engine/api/cpuprofiles/" + prID + "\" id=\"" + prID + "\"/>\n")
		fmt.Fprintf(&b, "<fqdn>vm%d.example.com</fqdn><guest_operating_system><architecture>x86_64</architecture><distribution>Red Hat Enterprise Linux</distribution><family>Linux</family><version><full_version>9.4</full_version><major>9</major><minor>4</minor></version></guest_operating_system>\n", n)
		b.WriteString("<has_illegal_images>false</has_illegal_images><next_run_configuration_exists>false</next_run_configuration_exists><run_once>false</run_once><start_time>2026-11-20T14:32:00.000Z</start_time><status>up</status><stop_time>2026-11-20T14:00:00.000Z</stop_time>\n" +
			"<host href=\"/ovirt-engine/api/hosts/" + hoID + "\" id=\"" + hoID + "\"/><original_template href=\"/ovirt-engine/api/templates/" + tmID + "\" id=\"" + tmID + "\"/><template href=\"/ovirt-engine/api/templates/" + tmID + "\" id=\"" + tmID + "\"/>\n</vm>\n")
	}
	b.WriteString("</vms>")
	return b.String()
}

// pollOnce reads one list of all VMs, as a tick of the poller does.
func pollOnce(f *fake, s *Site, ids []string) error {
	found, err := s.fetchVMs(context.Background(), ids)
	if err == nil && (len(found) != len(ids) || found[ids[len(ids)-1]].value.Status != "up") {
		err = fmt.Errorf("%d of %d VMs", len(found), len(ids))
	}
	return err
}

func bigEngine(t testing.TB, count int) (*fake, *Site, []string, int) {
	f := newFake(nil)
	text := bigList(count)
	f.handle("GET /vms", func(*http.Request, string) answer { return xmlAnswer(200, text) })
	ids := make([]string, count)
	for n := range ids {
		ids[n] = vmID(n)
	}
	s := f.site()
	if err := pollOnce(f, s, ids); err != nil {
		t.Fatal(err)
	}
	return f, s, ids, len(text)
}

// BenchmarkPoll is one tick that waits for 5,000 VMs: request, scan, hand out.
func BenchmarkPoll(b *testing.B) {
	f, s, ids, size := bigEngine(b, 5000)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if err := pollOnce(f, s, ids); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPollReaders is the same list through go-ovirt's readers, for comparison.
func BenchmarkPollReaders(b *testing.B) {
	text := bigList(5000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeText(decodeVMs, text); err != nil {
			b.Fatal(err)
		}
	}
}
