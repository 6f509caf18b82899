package worlds

import (
	"cmp"
	"fmt"
	"strings"

	"drrun/ovirt/lab"
)

// leftOut are the texts that a world file can leave out although lab.World needs them: this file says what they are then.
var leftOut = map[string]bool{
	"site.url": true, "site.username": true, "site.password": true, "site.instance_id": true, "site.version": true,
	"data_center.storage_format": true, "data_center.version": true,
	"cluster.version": true, "cluster.architecture": true, "cluster.bios_type": true,
	"mac_pool.from": true, "mac_pool.to": true, "host.address": true, "storage_domain.format": true,
	"nic.name": true, "nic.mac": true, "disk.alias": true,
}

const gib = int64(1) << 30

// complete adds to the table of a site what every engine has: a MAC pool, the template Blank, and one vNIC profile for each network
// that carries VMs (ovirt-engine AddNetworkCommand makes it), unless the file says which there are. It tells whether it made profiles.
func complete(site any) (profiled bool) {
	table, ok := site.(map[string]any)
	if !ok {
		return false
	}
	if table["mac_pools"] == nil {
		table["mac_pools"] = []any{map[string]any{"name": "Default"}}
	}
	if table["vnic_profiles"] == nil {
		var profiles []any
		for _, one := range list(table["networks"]) {
			if network, ok := one.(map[string]any); ok && network["vm"] != false && network["name"] != nil {
				name := str(network["name"])
				profile := map[string]any{"name": name, "network": name}
				if center := str(network["data_center"]); center != "" {
					profile["network"] = center + "/" + name
				}
				profiles = append(profiles, profile)
			}
		}
		table["vnic_profiles"], profiled = profiles, true
	}
	blank := map[string]any{"id": lab.BlankID, "name": "Blank"}
	for _, one := range list(table["templates"]) {
		if template, ok := one.(map[string]any); ok && (template["id"] == lab.BlankID || template["name"] == "Blank") {
			return profiled
		}
	}
	table["templates"] = append([]any{blank}, list(table["templates"])...)
	return profiled
}

// needsTarget tells whether a reference that was left out is looked for: where Go always has it, and where an object cannot be without.
func needsTarget(o *object, f *field) bool {
	switch x := o.value.Addr().Interface().(type) {
	case *lab.Disk:
		return f.json == "storage_domain_id" && o.table["lun"] == nil
	case *lab.Template:
		return f.json == "cluster_id" && x.ID != lab.BlankID
	case *lab.VM:
		if f.json == "template_id" {
			x.TemplateID = lab.BlankID
			return false
		}
	}
	return !f.optional
}

// nameUnnamed gives NICs and disks without a name the one that the engine's web interface would give. LUNs are called by their set and
// place.
func nameUnnamed(o *object) {
	if o.parent == nil || len(o.path) == 0 {
		return
	}
	n := o.index()
	switch x := o.value.Addr().Interface().(type) {
	case *lab.NIC:
		x.Name = cmp.Or(x.Name, fmt.Sprintf("nic%d", n))
	case *lab.LUN:
		o.name = fmt.Sprintf("%s/%d", o.parent.name, n)
	case *lab.Disk:
		if x.Alias == "" {
			x.Alias = fmt.Sprintf("%s_Disk%d", o.parent.name, n)
		}
	}
}

// fillIn sets what a file left out of an object, when all references are known.
func (b *builder) fillIn(o *object) {
	given := func(key string) bool { return o.table[key] != nil }
	switch x := o.value.Addr().Interface().(type) {
	case *lab.World:
		if !given("latency") {
			x.Latency = lab.DefaultLatency()
		}
	case *lab.Site:
		fillInSite(x)
	case *lab.DataCenter:
		x.StorageFormat, x.Version = cmp.Or(x.StorageFormat, "v5"), cmp.Or(x.Version, "4.7")
	case *lab.Cluster:
		if center := b.dataCenter(o); center != nil {
			x.Version = cmp.Or(x.Version, center.value.Interface().(lab.DataCenter).Version)
		}
		x.Version, x.Architecture = cmp.Or(x.Version, "4.7"), cmp.Or(x.Architecture, "x86_64")
		if !given("bios_type") {
			x.BIOSType = "q35_sea_bios"
		}
		if !given("networks") {
			for _, network := range b.named[kindKey{o.site, "network", ""}] {
				if b.dataCenter(network) == b.dataCenter(o) {
					x.NetworkIDs = append(x.NetworkIDs, network.id)
				}
			}
		}
	case *lab.MACPool:
		start := fmt.Sprintf("56:6f:%02x:%02x", b.siteNumber(o.site), max(0, o.index()-1))
		x.From, x.To = cmp.Or(x.From, start+":00:00"), cmp.Or(x.To, start+":ff:ff")
	case *lab.Host:
		x.Address = cmp.Or(x.Address, x.Name+".localdomain")
		if !given("memory") {
			x.Memory = 256 * gib
		}
	case *lab.Network:
		x.VM = x.VM || !given("vm")
	case *lab.StorageDomain:
		if center := b.dataCenter(o); center != nil {
			x.Format = cmp.Or(x.Format, center.value.Interface().(lab.DataCenter).StorageFormat)
			if !given("master") && b.firstOf(o, center) {
				x.Master = true
			}
		}
		if x.Type == "iso" {
			x.Format = "v1"
		}
		x.Format = cmp.Or(x.Format, "v5")
	case *lab.Template:
		if x.ID != lab.BlankID && !given("version") {
			x.Version = 1
		}
	case *lab.VM:
		b.fillInVM(o, x)
	case *lab.NIC:
		b.fillInMAC(o, x)
	case *lab.Disk:
		if !given("size") && x.LUN == "" {
			x.Size = 20 * gib
		}
	case *lab.LUN:
		b.fillInLUN(o, x)
	case *lab.FenceAgent:
		x.Order = cmp.Or(x.Order, o.index())
	case *lab.Target:
		if !given("portals") {
			x.Portals = []string{fmt.Sprintf("192.168.12%d.211:3260", 1+b.siteNumber(x.Site))}
		}
	case *lab.Export:
		if !given("size") {
			x.Size = 1024 * gib
		}
	case *lab.Replication:
		if !given("lag") {
			x.Lag = lab.DefaultLag
		}
	}
}

// fillInSite gives a site the address and the user of the built-in world.
func fillInSite(s *lab.Site) {
	url, user, password := lab.PrimaryURL, lab.PrimaryUsername, lab.PrimaryPassword
	if s.Name == "secondary" {
		url, user, password = lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword
	}
	s.URL, s.Username, s.Password, s.Version = cmp.Or(s.URL, url), cmp.Or(s.Username, user), cmp.Or(s.Password, password), cmp.Or(s.Version, "4.5.5")
}

// fillInLUN gives a LUN what an array of Linux would tell of it.
func (b *builder) fillInLUN(o *object, u *lab.LUN) {
	if o.table["size"] == nil {
		u.Size = 512 * gib
	}
	if o.table["number"] == nil {
		u.Number = o.index() - 1
	}
	set := o.parent.name
	u.Vendor, u.Product = cmp.Or(u.Vendor, "LIO-ORG"), cmp.Or(u.Product, set)
	u.Serial = cmp.Or(u.Serial, "SLIO-ORG_"+set+"_"+u.ID[max(0, len(u.ID)-25):])
}

func (b *builder) fillInVM(o *object, v *lab.VM) {
	if o.table["memory"] == nil {
		v.Memory = gib
	}
	if o.table["ha_priority"] == nil {
		v.HAPriority = 1
		if v.HA {
			v.HAPriority = 50
		}
	}
	if v.Agent {
		v.FQDN = cmp.Or(v.FQDN, strings.ToLower(v.Name)+".localdomain")
		if n := o.index() - 1; v.IP == "" {
			v.IP = fmt.Sprintf("10.%d.%d.%d", 10*b.siteNumber(o.site)+n/62500, n/250%250, n%250+1)
		}
	}
	boots := false
	for _, d := range v.Disks {
		boots = boots || d.Bootable
	}
	if len(v.Disks) > 0 && !boots {
		v.Disks[0].Bootable = true
	}
}

// fillInMAC gives a NIC an address of its VM's own: that of its MAC pool for the VM's place in the file.
func (b *builder) fillInMAC(o *object, n *lab.NIC) {
	if n.MAC != "" || o.parent == nil {
		return
	}
	at := (o.parent.index()-1)*4 + o.index() - 1
	n.MAC = fmt.Sprintf("56:6f:%02x:%02x:%02x:%02x", b.siteNumber(o.site), at>>16&255, at>>8&255, at&255)
}

// index is the place of an object in its list, from 1; 0 when it stands in none.
func (o *object) index() int {
	if len(o.path) == 0 {
		return 0
	}
	n, _ := o.path[len(o.path)-1].(int)
	return n
}

// siteNumber is the place of a site in the file, from 1.
func (b *builder) siteNumber(name string) int {
	for i, s := range b.world.Sites {
		if s.Name == name {
			return i + 1
		}
	}
	return 0
}

// firstOf tells whether a storage domain is the first data domain of its data center, none of whose storage domains is said to be the
// master.
func (b *builder) firstOf(o, center *object) bool {
	for _, other := range b.named[kindKey{o.site, "storage_domain", ""}] {
		if other.table["master"] == true && b.dataCenter(other) == center {
			return false
		}
	}
	for _, other := range b.named[kindKey{o.site, "storage_domain", ""}] {
		if b.dataCenter(other) == center && other.table["type"] != "iso" {
			return other == o
		}
	}
	return false
}
