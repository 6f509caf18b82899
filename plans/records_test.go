package plans

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"drrun/stdlib"
)

// TestRecords compares what is declared of a plan as Lua reads it with what Lua gets.
func TestRecords(t *testing.T) {
	t.Parallel()
	ref := ProfileRef{DataCenter: "dc", Network: "lan", Profile: "lan"}
	side := DomainSide{DataCenter: "dc", URL: "nfs://a:/b", NFSVersion: "v4", MountOptions: "rw", VFSType: "ceph", Targets: []TargetLogin{{}}, LUNs: []string{"3600a"}}
	p := &Plan{
		StorageDomains: []StorageDomain{{Name: "ds", Group: "g", UpgradeFormat: true, Primary: side, Secondary: side}}, Templates: []Template{{Name: "t"}},
		VMs:      []VM{{Name: "vm", Boot: &stdlib.Condition{}}},
		Mappings: Mappings{Clusters: []ClusterMapping{{}}, VNICProfiles: []ProfileMapping{{Primary: ref, Secondary: ref, Test: ref}}, LUNs: []LUNMapping{{}}},
	}
	first := func(list any) map[string]any { return list.([]any)[0].(map[string]any) }
	mappings, domain := p.luaMappings().(map[string]any), first(p.luaDomains())
	profile := first(mappings["vnic_profiles"])
	made := map[string]map[string]any{
		"planned_sites": p.luaSites().(map[string]any), "planned_site": p.luaSites().(map[string]any)[Primary].(map[string]any),
		"planned_storage_domain": domain, "planned_place": domain[Primary].(map[string]any),
		"planned_mappings": mappings, "planned_cluster_mapping": first(mappings["clusters"]), "planned_profile_mapping": profile, "planned_profile": profile["test"].(map[string]any),
		"planned_lun_mapping": first(mappings["luns"]), "planned_lun": first(mappings["luns"])[Primary].(map[string]any),
		"planned_template": first(p.luaTemplates()), "planned_vm": first(p.luaVMs()),
	}
	for _, record := range Records() {
		var declared []string
		for _, field := range record.Fields {
			declared = append(declared, field.Name)
		}
		slices.Sort(declared)
		if there := slices.Sorted(maps.Keys(made[record.Name])); !slices.Equal(there, declared) {
			t.Errorf("%s has the fields %s, and declared are %s", record.Name, strings.Join(there, ", "), strings.Join(declared, ", "))
		}
		delete(made, record.Name)
	}
	if len(made) > 0 {
		t.Errorf("not declared: %v", slices.Sorted(maps.Keys(made)))
	}
}
