package lab

import (
	"strings"
	"testing"
)

// What costs an engine more is there for who asks, by parameter or header (ovirt-engine BackendResource.isPopulate,
// BackendVmsResource.doPopulate, BackendTemplatesResource.doPopulate).
func TestAllContent(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{VMs: 2})
	more := []string{"console", "rng_device", "soundcard_enabled", "tpm_enabled", "virtio_scsi"}
	for _, tc := range []struct {
		path, header string
		all          bool
	}{{"/vms", "", false}, {"/vms?all_content=true", "", true}, {"/vms;all_content", "", true}, {"/vms", "true", true}, {"/vms", "no", false},
		{"/vms?all_content=false", "true", true}, {"/vms?All-Content=y", "", true}, {"/templates", "true", true}, {"/templates", "", false}} {
		var headers []string
		if tc.header != "" {
			headers = []string{"All-Content", tc.header}
		}
		first := r.with("GET", tc.path, "", headers...).doc.children[0]
		for _, name := range more {
			if (first.child(name) != nil) != tc.all {
				t.Errorf("%+v: %s", tc, name)
			}
		}
		if want := tc.all && first.name == "vm"; (first.child("initialization", "configuration") != nil) != want || (first.child("display", "certificate") != nil) != want {
			t.Errorf("%+v: configuration or certificate", tc)
		}
	}
	// The certificate of one VM's console is there without asking, while it runs (BackendVmResource.deprecatedPopulate).
	if vm := r.get("primary", "/vms/"+vmID(1)); vm.child("display", "certificate", "content") == nil || vm.child("console") != nil {
		t.Error("one VM has no certificate, or more")
	}
}

// ovirt-engine OvfOvirtWriter.java, OvfVmWriter.java.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{VMs: 2})
	v := &w.Sites[0].VMs[0]
	v.Description = `a<b>&"c"`
	r := rigOf(t, w)
	c := r.get("primary", "/vms/"+v.ID+"?all_content=true").child("initialization", "configuration")
	if c.value("type") != "ovf" {
		t.Fatalf("%+v", c)
	}
	ovf, err := parseXML([]byte(c.child("data").text))
	r.ok(err)
	content := ovf.child("Content")
	if ovf.name != "Envelope" || content.value("Name") != v.Name || content.value("Description") != v.Description || content.value("TemplateId") != v.TemplateID ||
		content.value("ClusterName") != w.Sites[0].Clusters[0].Name || len(ovf.child("References").all("File")) != len(v.Disks) {
		t.Errorf("%s", c.child("data").text)
	}
	text := c.child("data").text
	for _, want := range []string{v.NICs[0].MAC, v.Disks[0].ID, v.Disks[0].Alias, "<rasd:ResourceType>10</rasd:ResourceType>", `ovf:disk-interface="VirtIO_SCSI"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}
