package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"drrun/plans"
)

// where tells the cluster that it goes to, the data center, and the template that it is based on.
func (b *explaining) where() {
	target := b.Survey.Target
	cluster := b.placement.Cluster
	known, recorded := b.inventorySite().Cluster(cluster)
	named := cluster
	if recorded {
		named += " (data center " + known.DataCenter + ")"
	}
	switch by := b.placement.By; by.How {
	case plans.RouteMapping:
		if b.placement.SourceCluster == "" {
			b.say(by.Pos, "cluster %s at %s, the only one that the plan maps", named, target)
		} else {
			b.say(by.Pos, "cluster %s at %s, from cluster %s at %s", named, target, b.placement.SourceCluster, b.Survey.Source)
		}
	case plans.RouteHome:
		home, _ := b.Survey.Inventory.HomeOf(b.vm.ID)
		b.say(b.at(), "cluster %s at %s, where it lived on %s: no mapping is used", named, target, home.Seen.UTC().Format(time.DateOnly))
	case plans.RouteThere:
		b.say(b.at(), "cluster %s at %s, where it was seen last", named, target)
	default:
		b.say(b.at(), "no cluster at %s can be told: see what blocks it", target)
	}
	if cluster != "" && !recorded {
		b.unknown("whether %s has a cluster %s, the inventory does not tell: drrun check asks", target, cluster)
	}
	b.template()
}

func (b *explaining) inventorySite() *plans.InventorySite {
	if b.Survey.Inventory == nil {
		return &plans.InventorySite{}
	}
	return b.Survey.Inventory.Site(b.Survey.Target)
}

func (b *explaining) template() {
	record := b.vm.Known.Record
	if record == nil || record.TemplateID == "" {
		return
	}
	at := slices.IndexFunc(b.plan.Templates, func(t plans.Template) bool { return t.ID == record.TemplateID })
	if at >= 0 {
		b.say(b.plan.Templates[at].Pos, "based on template %s, which is registered before it", b.plan.Templates[at].Name)
		return
	}
	if slices.ContainsFunc(b.inventorySite().Templates, func(t plans.InventoryEntity) bool { return t.ID == record.TemplateID }) {
		b.say(b.at(), "based on template %s, which %s has", record.TemplateID, b.Survey.Target)
		return
	}
	b.unknown("based on template %s, which the plan does not bring: whether %s has it, drrun check asks", record.TemplateID, b.Survey.Target)
}

// storage tells the storage domains that it lies on.
func (b *explaining) storage() {
	record := b.vm.Known.Record
	if record == nil {
		b.unknown("nothing is recorded of its disks: the OVF stores tell, when the target has the storage")
		return
	}
	var inPlan []string
	for _, disk := range record.Disks {
		for _, id := range disk.StorageDomainIDs {
			if !slices.Contains(inPlan, id) {
				inPlan = append(inPlan, id)
			}
		}
	}
	for _, id := range inPlan {
		if domain, known := b.domain(id); known {
			side := domain.Side(b.Survey.Target)
			b.say(domain.Pos, "%s on storage domain %s, which comes to data center %s at %s from %s, with consistency group %s", disksOn(record, id), domain.Name, side.DataCenter, b.Survey.Target, side.URL, domain.GroupName())
		}
	}
	if len(record.Disks) == 0 {
		b.say(b.at(), "it has no disks: no OVF store of the plan's storage domains holds it for sure")
	}
	if record.LeaseDomainID != "" {
		if domain, known := b.domain(record.LeaseDomainID); known {
			b.say(domain.Pos, "its lease is on storage domain %s", domain.Name)
		}
	}
}

func (b *explaining) domain(id string) (plans.StorageDomain, bool) {
	for _, domain := range b.plan.StorageDomains {
		if strings.EqualFold(domain.ID, id) {
			return domain, true
		}
	}
	return plans.StorageDomain{}, false
}

// disksOn names the disks of a VM on a storage domain.
func disksOn(record *plans.InventoryVM, domainID string) string {
	var list []string
	for _, disk := range record.Disks {
		if slices.Contains(disk.StorageDomainIDs, domainID) {
			list = append(list, disk.Alias)
		}
	}
	if len(list) > 6 {
		return fmt.Sprintf("%d disks", len(list))
	}
	return strings.Join(list, ", ")
}

// networks tells for each NIC which vNIC profile it gets.
func (b *explaining) networks() {
	if b.vm.Known.Record == nil {
		b.unknown("nothing is recorded of its NICs: those that the OVF store shows get the profiles of mappings.vnic_profiles")
	}
	for _, nic := range b.placement.NICs {
		out := NIC{Name: nic.Name, MAC: nic.MAC, At: place(nic.By.Pos)}
		if nic.From != nil {
			out.From = nic.From.String()
		}
		if nic.To != nil {
			out.To = nic.To.String()
		}
		if nic.Name != "" {
			b.out.NICs = append(b.out.NICs, out)
		}
		b.say(nic.By.Pos, "%s", nicWords(nic))
	}
}

func nicWords(nic plans.PlacedNIC) string {
	name := strings.TrimSpace(nic.Name + " " + nic.MAC)
	if name == "" {
		name = "each NIC"
	}
	switch {
	case nic.From == nil && nic.To == nil:
		return name + ": without a vNIC profile, and so without a network, as before"
	case nic.To == nil:
		return fmt.Sprintf("%s: on %s, for which there is NO MAPPING", name, nic.From)
	case nic.From == nil:
		return fmt.Sprintf("%s: to %s, as recorded", name, nic.To)
	case nic.By.How == plans.RouteHome:
		return fmt.Sprintf("%s: %s → %s, its home: no mapping is used", name, nic.From, nic.To)
	}
	return fmt.Sprintf("%s: %s → %s", name, nic.From, nic.To)
}

// restored tells what it had at the source and gets back.
func (b *explaining) restored() {
	record := b.vm.Known.Record
	if record == nil {
		b.unknown("what it has of high availability, lease and delete protection is not recorded")
		return
	}
	if record.HA {
		text := fmt.Sprintf("high availability with priority %d", record.HAPriority)
		if record.LeaseDomainID != "" {
			name := record.LeaseDomainID
			if domain, known := b.domain(name); known {
				name = domain.Name
			}
			text += ", and its lease on storage domain " + name
		}
		b.say(b.at(), "%s: a planned move takes it at %s and gives it back at %s by the stage repair; an unplanned one looks at its end that it is there", text, b.Survey.Source, b.Survey.Target)
	}
	if record.DeleteProtected {
		b.say(b.at(), "delete protection: a planned move lifts it at %s and gives it back at %s", b.Survey.Source, b.Survey.Target)
	}
}
