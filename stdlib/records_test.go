package stdlib

import (
	"maps"
	"slices"
	"testing"
	"time"

	"drrun/lua"
	"drrun/ovirt"
)

// TestRecords compares what is declared of tables with tables as they are made.
func TestRecords(t *testing.T) {
	t.Parallel()
	records := map[string]lua.Record{}
	for _, record := range Records() {
		if _, twice := records[record.Name]; twice {
			t.Errorf("%s is declared twice", record.Name)
		}
		records[record.Name] = record
	}
	now := time.Date(2026, 11, 20, 3, 4, 5, 0, time.UTC)
	for name, made := range map[string]map[string]any{
		"site_data_center":    dataCenterTable(ovirt.DataCenter{}),
		"site_cluster":        clusterTable(ovirt.Cluster{}),
		"site_host":           hostTable(ovirt.Host{}),
		"site_storage_domain": domainTable(ovirt.StorageDomain{}),
		"site_vm":             vmTable(ovirt.VM{StartTime: now, StopTime: now}),
		"site_template":       templateTable(ovirt.Template{}),
		"site_network":        networkTable(ovirt.Network{}),
		"site_vnic_profile":   profileTable(ovirt.VNICProfile{}),
		"site_event":          eventTable(ovirt.Event{Time: now}),
		"facts":               Decoded(Facts{Planned: true, Quarantine: true, MovedAt: now, LeaseExpiry: 1}).(map[string]any),
		"fact_storage_domain": Decoded(FactDomain{CameBy: "x", Unrecorded: true, Arrived: true}).(map[string]any),
		"fact_place":          Decoded(FactPlace{DataCenterID: "x", Address: "x", Path: "x"}).(map[string]any),
		"fact_nic":            Decoded(FactNIC{}).(map[string]any),
		"verdict":             Decoded(Verdict{Confirmation: &Confirmation{}}).(map[string]any),
		"confirmation":        Decoded(Confirmation{}).(map[string]any),
	} {
		compareRecord(t, records[name], made)
	}
}

// compareRecord wants the same fields in both, and values of the declared types.
func compareRecord(t *testing.T, record lua.Record, made map[string]any) {
	t.Helper()
	var declared []string
	for _, field := range record.Fields {
		value, there := made[field.Name]
		if !there && field.Type[len(field.Type)-1] == '?' {
			continue
		}
		declared = append(declared, field.Name)
		if !there {
			t.Errorf("%s has no %s", record.Name, field.Name)
			continue
		}
		switch value.(type) {
		case string:
			if field.Type != "string" && field.Type != "string?" {
				t.Errorf("%s.%s is a text, and declared as %s", record.Name, field.Name, field.Type)
			}
		case bool:
			if field.Type != "boolean" && field.Type != "boolean?" {
				t.Errorf("%s.%s is a boolean, and declared as %s", record.Name, field.Name, field.Type)
			}
		case float64:
			if field.Type != "number" && field.Type != "integer" && field.Type != "number?" && field.Type != "integer?" {
				t.Errorf("%s.%s is a number, and declared as %s", record.Name, field.Name, field.Type)
			}
		}
	}
	slices.Sort(declared)
	if there := slices.Sorted(maps.Keys(made)); !slices.Equal(there, declared) {
		t.Errorf("%s has the fields %v, and declared are %v", record.Name, there, declared)
	}
}
