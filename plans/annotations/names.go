package annotations

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"drrun/plans"
	"drrun/stdlib"
)

// Names are the names that a site has, by the type that the API gives them. A type without names is any text.
type Names map[string][]Name

// Name is one name.
type Name struct {
	Text   string
	Remark string // what editors show beside it
}

// kinds are the types that names can have, with what each is.
func kinds() map[string]string {
	kinds := map[string]string{
		stdlib.VMName: "Name of a VM of the plan.", stdlib.VMID: "Id of a VM of the plan.",
		stdlib.StorageDomainName: "Name of a storage domain of the plan.", stdlib.StorageDomainID: "Id of a storage domain of the plan.",
		stdlib.DataCenterName: "Name of a data center.",
	}
	for _, site := range []string{plans.Primary, plans.Secondary} {
		for kind, doc := range map[string]string{
			plans.DataCenterNames: "Name of a data center at the %s site.", plans.ClusterNames: "Name of a cluster at the %s site.",
			plans.NetworkNames: "Name of a network at the %s site.", plans.ProfileNames: "Name of a vNIC profile at the %s site.",
		} {
			kinds[site+kind] = fmt.Sprintf(doc, site)
		}
	}
	return kinds
}

// add adds a name of a kind, once.
func (n Names) add(kind, text, remark string) {
	if text == "" || slices.ContainsFunc(n[kind], func(known Name) bool { return known.Text == text }) {
		return
	}
	n[kind] = append(n[kind], Name{text, remark})
}

// AddPlan adds the names of the VMs and storage domains of a plan.
func (n Names) AddPlan(plan *plans.Plan) {
	for _, vm := range plan.VMs {
		n.add(stdlib.VMName, vm.Name, "")
		n.add(stdlib.VMID, vm.ID, vm.Name)
	}
	for _, domain := range plan.StorageDomains {
		n.add(stdlib.StorageDomainName, domain.Name, "")
		n.add(stdlib.StorageDomainID, domain.ID, domain.Name)
	}
}

// AddInventory adds the names that an inventory has of both sites.
func (n Names) AddInventory(inventory *plans.Inventory) {
	for _, vm := range inventory.VMs {
		n.add(stdlib.VMName, vm.Name, "")
		n.add(stdlib.VMID, vm.ID, vm.Name)
	}
	for _, domain := range inventory.Domains {
		n.add(stdlib.StorageDomainName, domain.Name, "")
		n.add(stdlib.StorageDomainID, domain.ID, domain.Name)
	}
	for _, name := range []string{plans.Primary, plans.Secondary} {
		site := inventory.Site(name)
		for _, dataCenter := range site.DataCenters {
			n.add(name+plans.DataCenterNames, dataCenter, "")
			n.add(stdlib.DataCenterName, dataCenter, "")
		}
		for _, cluster := range site.Clusters {
			n.add(name+plans.ClusterNames, cluster.Name, "data center "+cluster.DataCenter)
		}
		for _, profile := range site.Profiles {
			n.add(name+plans.NetworkNames, profile.Network, "data center "+profile.DataCenter)
			n.add(name+plans.ProfileNames, profile.Profile, "network "+profile.Network+" in data center "+profile.DataCenter)
		}
	}
}

// text declares the types of names.
func (n Names) text() string {
	var b strings.Builder
	docs := kinds()
	for _, kind := range slices.Sorted(maps.Keys(docs)) {
		b.WriteString(comment(docs[kind]))
		if len(n[kind]) == 0 {
			fmt.Fprintf(&b, "---@alias %s string\n\n", kind)
			continue
		}
		fmt.Fprintf(&b, "---@alias %s\n", kind)
		for _, name := range slices.SortedFunc(slices.Values(n[kind]), func(a, b Name) int { return strings.Compare(a.Text, b.Text) }) {
			fmt.Fprintf(&b, "---| %s%s\n", quoted(name.Text), remark(name.Remark))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// quoted writes a text of an engine as one literal on one line, whatever is in it.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`).Replace(text) + `"`
}

// Count is how many names of a kind are known.
type Count struct {
	What  string `json:"what"` // such as "VM"
	Count int    `json:"count"`
}

// Counts tells how many names of each kind are known, those of both sites together.
func (n Names) Counts() []Count {
	both := func(kind string) int { return len(n[plans.Primary+kind]) + len(n[plans.Secondary+kind]) }
	return []Count{
		{"VM", len(n[stdlib.VMName])}, {"storage domain", len(n[stdlib.StorageDomainName])}, {"data center", both(plans.DataCenterNames)},
		{"cluster", both(plans.ClusterNames)}, {"network", both(plans.NetworkNames)}, {"vNIC profile", both(plans.ProfileNames)},
	}
}
