package plans

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/ovirt"
)

// survey looks at a world as Check does.
func (w *world) survey() *Survey {
	if w.inv != nil {
		w.inv.index() // ids may have been changed
	}
	views := map[string]*siteView{Primary: w.primary, Secondary: w.secondary}
	return newSurvey(w.plan, w.inv, w.o, views[Other(w.o.target())], views[w.o.target()])
}

// TestRanBefore tells what a VM counts as, from what the source and the inventory say of it.
func TestRanBefore(t *testing.T) {
	t.Parallel()
	cases := []struct {
		domain, vm string // statuses at the source; "" stands for a source that does not have it
		recorded   string // status in the inventory; "" stands for a VM that it does not have
		ran, from  string
	}{
		{"active", "up", "down", RanUp, "live"},
		{"active", "down", "up", RanDown, "live"},
		{"active", "suspended", "up", RanDown, "live"},
		{"active", "paused", "down", RanUp, "live"},
		{"active", "not_responding", "down", RanUp, "live"},
		{"active", "powering_down", "down", RanUp, "live"},
		{"active", "unknown", "", RanUp, "live"},
		{"active", "", "up", RanUp, "inventory"},
		{"active", "", "suspended", RanDown, "inventory"},
		{"active", "", "", RanUnknown, "ovf"},
		// Down for want of its storage.
		{"maintenance", "down", "up", RanUp, "inventory"},
		{"maintenance", "down", "down", RanDown, "inventory"},
		{"maintenance", "down", "", RanUnknown, "ovf"},
		{"inactive", "down", "up", RanUp, "inventory"},
		{"unknown", "down", "", RanUnknown, "ovf"},
		// Half dead: it ran until a moment ago, whatever is recorded.
		{"unknown", "unknown", "down", RanUp, "live"},
		{"inactive", "paused", "down", RanUp, "live"},
	}
	for _, c := range cases {
		t.Run(strings.Join([]string{c.domain, c.vm, c.recorded}, " "), func(t *testing.T) {
			t.Parallel()
			w := checkWorld(t)
			id := testID(idVM, 2)
			w.primary.domains[0].Status = c.domain
			at := slices.IndexFunc(w.primary.vms, func(vm ovirt.VM) bool { return vm.ID == id })
			if w.primary.vms[at].Status = c.vm; c.vm == "" {
				w.primary.vms = slices.Delete(w.primary.vms, at, at+1)
			}
			record, _ := w.inv.VM(id)
			if record.Status = c.recorded; c.recorded == "" {
				record.ID = "another"
			}
			known := w.survey().VM(id)
			if known.Ran != c.ran || known.Origin.From != c.from {
				t.Errorf("ran %s by %s, want %s by %s", known.Ran, known.Origin.From, c.ran, c.from)
			}
			if want := map[string]time.Time{"live": w.o.Now, "inventory": testNow, "ovf": {}}[c.from]; !known.Origin.Taken.Equal(want) {
				t.Errorf("taken %s, want %s", known.Origin.Taken, want)
			}
		})
	}
}

// A VM that lost its disks at the source is a leftover there: it is described as it was.
func TestStrippedVMIsDescribedByTheInventory(t *testing.T) {
	t.Parallel()
	w := checkWorld(t)
	id := testID(idVM, 1)
	at := slices.IndexFunc(w.primary.vms, func(vm ovirt.VM) bool { return vm.ID == id })
	w.primary.vms[at].Disks, w.primary.vms[at].Status, w.primary.vms[at].HAEnabled = nil, "down", false
	known := w.survey().VM(id)
	if known.Ran != RanUp || known.Origin.From != "inventory" || len(known.Record.Disks) != 1 || !known.Record.HA {
		t.Errorf("%+v %+v", known, known.Record)
	}
	// A planned stop that went no further than the maintenance has switched these off.
	w = checkWorld(t)
	w.primary.domains[0].Status, w.primary.vms[at].Status, w.primary.vms[at].HAEnabled = "maintenance", "down", false
	if known = w.survey().VM(id); !known.Record.HA || known.Record.HAPriority != 50 || known.Record.Seen != w.o.Now {
		t.Errorf("%+v", known.Record)
	}
}

// TestPlace tells where VMs go, in both directions.
func TestPlace(t *testing.T) {
	t.Parallel()
	lan := ProfileRef{"Default", "lan", "lan"}
	dmz := ProfileRef{"Default", "dmz", "dmz"}
	// away makes the world one in which vm2 lives at the secondary, in the cluster and on the profile of the same names there.
	away := func(w *world) *InventoryVM {
		w.o.Action = ActionFailback
		w.secondary.domains, w.primary.domains = w.primary.domains, nil
		w.secondary.vms, w.primary.vms = w.primary.vms, nil
		for _, v := range []*siteView{w.primary, w.secondary} {
			v.networks = append(v.networks, ovirt.Network{ID: testID(idNetwork, 3), Name: "dmz", DataCenterID: testID(idDC, 1), VM: true})
			v.profiles = append(v.profiles, ovirt.VNICProfile{ID: testID(idProfile, 3), Name: "dmz", NetworkID: testID(idNetwork, 3)})
		}
		record, _ := w.inv.VM(testID(idVM, 2))
		return record
	}
	second := ovirt.NIC{ID: testID(idNIC, 99), Name: "nic2", MAC: "56:6F:01:00:00:99", ProfileID: testID(idProfile, 1)}
	cases := []struct {
		name   string
		change func(w *world)
		want   string // cluster, then NIC from-to
		codes  string
	}{
		{"by the mappings", func(w *world) {}, "Prod → Prod, nic1 lan → lan", ""},
		{"no cluster", func(w *world) { w.primary.clusters = nil }, "", "cluster-unknown"},
		{"home", func(w *world) { away(w) }, "Prod → Prod, nic1 lan → lan", ""},
		{"home is another network than the mapping leads to", func(w *world) { away(w).NICs[0].Profile = &dmz }, "Prod → Prod, nic1 lan → dmz", ""},
		{"home by the name of the NIC", func(w *world) {
			nic := &away(w).NICs[0]
			nic.Profile, nic.ID = &dmz, "another"
		}, "Prod → Prod, nic1 lan → dmz", ""},
		{"home without a network", func(w *world) { away(w).NICs[0].Profile = nil }, "Prod → Prod, nic1 lan → none", ""},
		{"the network was lost on the way", func(w *world) {
			away(w)
			w.secondary.vms[1].NICs[0].ProfileID = ""
		}, "Prod → Prod, nic1 none → lan", ""},
		{"a NIC born away", func(w *world) {
			away(w)
			w.secondary.vms[1].NICs = append(w.secondary.vms[1].NICs, second)
		}, "Prod → Prod, nic1 lan → lan, nic2 lan → lan", ""},
		{"a NIC born away, two ways back", func(w *world) {
			away(w)
			w.plan.Mappings.VNICProfiles = append(w.plan.Mappings.VNICProfiles, ProfileMapping{Primary: dmz, Secondary: lan})
			w.secondary.vms[1].NICs = append(w.secondary.vms[1].NICs, second)
		}, "Prod → Prod, nic1 lan → lan, nic2 lan → none", "profile-ambiguous"},
		{"a NIC born away in a network without mapping", func(w *world) {
			away(w)
			second := second
			second.ProfileID = testID(idProfile, 3)
			w.secondary.vms[1].NICs = append(w.secondary.vms[1].NICs, second)
		}, "Prod → Prod, nic1 lan → lan, nic2 dmz → none", "profile-unmapped"},
		{"born away", func(w *world) { away(w).ID = "another" }, "Prod → Prod, nic1 lan → lan", ""},
		{"born away, two ways back", func(w *world) {
			away(w).ID = "another"
			w.plan.Mappings.Clusters = append(w.plan.Mappings.Clusters, ClusterMapping{Primary: "Old", Secondary: "Prod"})
			w.plan.Mappings.VNICProfiles = append(w.plan.Mappings.VNICProfiles, ProfileMapping{Primary: dmz, Secondary: lan})
		}, "Prod → , nic1 lan → none", "cluster-ambiguous profile-ambiguous"},
		{"born away, recorded there, the secondary silent", func(w *world) {
			record := away(w)
			record.Site = Secondary
			w.secondary = nil
		}, "Prod → Prod, nic1 lan → lan", ""},
		{"recorded at home, the secondary silent", func(w *world) {
			away(w).NICs[0].Profile = &dmz
			w.secondary = nil
		}, " → Prod, nic1 none → dmz", ""},
		// A failover of a VM that was last seen where it goes to.
		{"recorded away, lost again", func(w *world) {
			record, _ := w.inv.VM(testID(idVM, 2))
			record.Site, record.Cluster, record.Home = Secondary, "There", &InventoryHome{Cluster: "Prod", NICs: []HomeNIC{{ID: record.NICs[0].ID, Name: "nic1", Profile: &lan}}}
			record.NICs[0].Profile, w.primary = &dmz, nil
		}, "Prod → Prod, nic1 lan → lan", ""},
		{"born away, lost again", func(w *world) {
			record, _ := w.inv.VM(testID(idVM, 2))
			record.Site, w.primary = Secondary, nil
		}, " → Prod, nic1 none → lan", ""},
		{"nothing is known", func(w *world) { w.primary, w.inv = nil, nil }, " → Prod,  lan → lan", ""},
		{"nothing is known, two clusters", func(w *world) {
			w.primary, w.inv = nil, nil
			w.plan.Mappings.Clusters = append(w.plan.Mappings.Clusters, ClusterMapping{Primary: "Old", Secondary: "Prod"})
		}, " → ,  lan → lan", "cluster-unknown"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := checkWorld(t)
			slices.SortFunc(w.primary.vms, func(a, b ovirt.VM) int { return strings.Compare(a.ID, b.ID) }) // vm2 is the second
			c.change(w)
			placement, found := w.survey().Place(w.plan.VMs[1])
			var b strings.Builder
			fmt.Fprintf(&b, "%s → %s", placement.SourceCluster, placement.Cluster)
			name := func(ref *ProfileRef) string {
				if ref == nil {
					return "none"
				}
				return ref.Network
			}
			for _, nic := range placement.NICs {
				fmt.Fprintf(&b, ", %s %s → %s", nic.Name, name(nic.From), name(nic.To))
			}
			if c.want != "" && b.String() != c.want {
				t.Errorf("got %s, want %s", b.String(), c.want)
			}
			var codes []string
			for _, f := range found {
				codes = append(codes, f.Code)
				if f.Pos != w.plan.VMs[1].Pos || f.Severity != SeverityError {
					t.Errorf("%+v", f)
				}
			}
			if got := strings.Join(codes, " "); got != c.codes {
				t.Errorf("findings %q, want %q", got, c.codes)
			}
		})
	}
}
