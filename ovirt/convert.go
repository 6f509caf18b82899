package ovirt

import (
	"fmt"
	"strings"

	sdk "github.com/ovirt/go-ovirt"
)

// first drops the "is present" of a go-ovirt getter: an absent value reads as zero.
func first[T any](value T, _ bool) T { return value }

// idOf returns the id of a linked object, "" when there is no link.
func idOf[T interface{ Id() (string, bool) }](object T, ok bool) string {
	if !ok {
		return ""
	}
	return first(object.Id())
}

// items returns the elements of an embedded collection.
func items[E any, S interface{ Slice() []E }](slice S, ok bool) []E {
	if !ok {
		return nil
	}
	return slice.Slice()
}

func version(v *sdk.Version, ok bool) string {
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d.%d", first(v.Major()), first(v.Minor()))
}

func toProduct(api *sdk.Api) Product {
	out := Product{Time: first(api.Time()).UTC()}
	if info, ok := api.ProductInfo(); ok {
		out.Name, out.Vendor, out.InstanceID = first(info.Name()), first(info.Vendor()), first(info.InstanceId())
		if v, ok := info.Version(); ok {
			out.Version, out.Major, out.Minor = first(v.FullVersion()), int(first(v.Major())), int(first(v.Minor()))
		}
	}
	out.Lab = strings.Contains(out.Vendor, "drrun lab")
	return out
}

func toDataCenter(dc *sdk.DataCenter) DataCenter {
	return DataCenter{
		ID: first(dc.Id()), Name: first(dc.Name()), Status: string(first(dc.Status())),
		StorageFormat: string(first(dc.StorageFormat())), Version: version(dc.Version()), Local: first(dc.Local()),
	}
}

func toCluster(c *sdk.Cluster) Cluster {
	out := Cluster{
		ID: first(c.Id()), Name: first(c.Name()), DataCenterID: idOf(c.DataCenter()),
		Version: version(c.Version()), BIOSType: string(first(c.BiosType())),
	}
	if cpu, ok := c.Cpu(); ok {
		out.Architecture = string(first(cpu.Architecture()))
	}
	return out
}

func toHost(h *sdk.Host) Host {
	out := Host{
		ID: first(h.Id()), Name: first(h.Name()), Address: first(h.Address()),
		Status: string(first(h.Status())), ClusterID: idOf(h.Cluster()),
	}
	if spm, ok := h.Spm(); ok {
		out.SPM = string(first(spm.Status()))
	}
	if pm, ok := h.PowerManagement(); ok {
		out.PowerManagement = first(pm.Enabled())
	}
	return out
}

func toStorageDomain(sd *sdk.StorageDomain) StorageDomain {
	out := StorageDomain{
		ID: first(sd.Id()), Name: first(sd.Name()), Type: string(first(sd.Type())), Status: string(first(sd.Status())),
		DataCenterID: idOf(sd.DataCenter()), Master: first(sd.Master()), Format: string(first(sd.StorageFormat())),
		Available: first(sd.Available()), Used: first(sd.Used()),
		Settings: DomainSettings{Backup: first(sd.Backup()), WipeAfterDelete: first(sd.WipeAfterDelete()), DiscardAfterDelete: first(sd.DiscardAfterDelete()),
			WarningLowSpace: first(sd.WarningLowSpaceIndicator()), CriticalSpace: first(sd.CriticalSpaceActionBlocker())},
	}
	// The global view names the data center only in the list (ovirt-engine BackendStorageDomainsResource.java).
	if dcs := items[*sdk.DataCenter](sd.DataCenters()); out.DataCenterID == "" && len(dcs) > 0 {
		out.DataCenterID = first(dcs[0].Id())
	}
	storage, ok := sd.Storage()
	if !ok {
		return out
	}
	out.StorageType, out.Address, out.Path = string(first(storage.Type())), first(storage.Address()), first(storage.Path())
	out.VFSType, out.MountOptions, out.NFSVersion = first(storage.VfsType()), first(storage.MountOptions()), string(first(storage.NfsVersion()))
	units := items[*sdk.LogicalUnit](storage.LogicalUnits())
	if group, ok := storage.VolumeGroup(); ok {
		out.VolumeGroupID = first(group.Id())
		units = append(units, items[*sdk.LogicalUnit](group.LogicalUnits())...)
	}
	for _, unit := range units {
		out.LUNs = append(out.LUNs, toLUN(unit))
	}
	return out
}

func toLUN(unit *sdk.LogicalUnit) LUN {
	return LUN{
		ID: first(unit.Id()), Address: first(unit.Address()), Portal: first(unit.Portal()), Target: first(unit.Target()),
		Username: first(unit.Username()), Port: int(first(unit.Port())), Size: first(unit.Size()),
	}
}

func toConnection(c *sdk.StorageConnection) StorageConnection {
	return StorageConnection{
		ID: first(c.Id()), Type: string(first(c.Type())), Address: first(c.Address()), Path: first(c.Path()), VFSType: first(c.VfsType()),
		MountOptions: first(c.MountOptions()), NFSVersion: string(first(c.NfsVersion())), Target: first(c.Target()), Port: int(first(c.Port())),
	}
}

func toNetwork(n *sdk.Network) Network {
	out := Network{ID: first(n.Id()), Name: first(n.Name()), DataCenterID: idOf(n.DataCenter())}
	for _, usage := range first(n.Usages()) {
		out.VM = out.VM || usage == sdk.NETWORKUSAGE_VM
	}
	return out
}

func toVNICProfile(p *sdk.VnicProfile) VNICProfile {
	return VNICProfile{ID: first(p.Id()), Name: first(p.Name()), NetworkID: idOf(p.Network())}
}

func toTemplate(t *sdk.Template) Template {
	out := Template{ID: first(t.Id()), Name: first(t.Name()), Status: string(first(t.Status())), ClusterID: idOf(t.Cluster())}
	out.BaseID = out.ID
	if v, ok := t.Version(); ok {
		out.VersionNumber = int(first(v.VersionNumber()))
		if base := idOf(v.BaseTemplate()); base != "" {
			out.BaseID = base
		}
	}
	return out
}

func toVM(vm *sdk.Vm) VM {
	out := VM{
		ID: first(vm.Id()), Name: first(vm.Name()), Status: string(first(vm.Status())), StatusDetail: first(vm.StatusDetail()),
		ClusterID: idOf(vm.Cluster()), HostID: idOf(vm.Host()), TemplateID: idOf(vm.Template()), InstanceTypeID: idOf(vm.InstanceType()),
		DeleteProtected: first(vm.DeleteProtected()), Memory: first(vm.Memory()), FQDN: first(vm.Fqdn()),
		StartTime: first(vm.StartTime()).UTC(), StopTime: first(vm.StopTime()).UTC(),
		Origin: first(vm.Origin()), Description: first(vm.Description()), Comment: first(vm.Comment()),
		NextRun: first(vm.NextRunConfigurationExists()), IllegalImages: first(vm.HasIllegalImages()),
	}
	if ha, ok := vm.HighAvailability(); ok {
		out.HAEnabled, out.HAPriority = first(ha.Enabled()), int(first(ha.Priority()))
	}
	if lease, ok := vm.Lease(); ok {
		out.LeaseDomainID = idOf(lease.StorageDomain())
	}
	if os, ok := vm.GuestOperatingSystem(); ok {
		full := ""
		if v, ok := os.Version(); ok {
			full = first(v.FullVersion())
		}
		out.GuestOS = guestOS(first(os.Distribution()), first(os.Family()), full)
	}
	for _, nic := range items[*sdk.Nic](vm.Nics()) {
		out.NICs = append(out.NICs, toNIC(nic))
	}
	for _, attachment := range items[*sdk.DiskAttachment](vm.DiskAttachments()) {
		out.Disks = append(out.Disks, toDisk(attachment))
	}
	return out
}

func toNIC(nic *sdk.Nic) NIC {
	out := NIC{
		ID: first(nic.Id()), Name: first(nic.Name()), ProfileID: idOf(nic.VnicProfile()), Interface: string(first(nic.Interface())),
		Linked: first(nic.Linked()), Plugged: first(nic.Plugged()),
	}
	if mac, ok := nic.Mac(); ok {
		out.MAC = first(mac.Address())
	}
	for _, device := range items[*sdk.ReportedDevice](nic.ReportedDevices()) {
		for _, ip := range items[*sdk.Ip](device.Ips()) {
			out.Addresses = append(out.Addresses, first(ip.Address()))
		}
	}
	return out
}

func toDisk(a *sdk.DiskAttachment) Disk {
	out := Disk{
		ID: first(a.Id()), Bootable: first(a.Bootable()), Active: first(a.Active()), ReadOnly: first(a.ReadOnly()),
		Interface: string(first(a.Interface())),
	}
	disk, ok := a.Disk()
	if !ok {
		return out
	}
	if id := first(disk.Id()); id != "" {
		out.ID = id
	}
	out.Alias, out.Status, out.StorageType = first(disk.Alias()), string(first(disk.Status())), string(first(disk.StorageType()))
	if out.Alias == "" {
		out.Alias = first(disk.Name())
	}
	out.Size, out.Backup, out.ContentType = first(disk.ProvisionedSize()), string(first(disk.Backup())), string(first(disk.ContentType()))
	out.Shareable = first(disk.Shareable())
	for _, sd := range items[*sdk.StorageDomain](disk.StorageDomains()) {
		out.StorageDomainIDs = append(out.StorageDomainIDs, first(sd.Id()))
	}
	if sd := idOf(disk.StorageDomain()); sd != "" && len(out.StorageDomainIDs) == 0 {
		out.StorageDomainIDs = []string{sd}
	}
	if lun, ok := disk.LunStorage(); ok {
		if units := items[*sdk.LogicalUnit](lun.LogicalUnits()); len(units) > 0 {
			out.LUN = toLUN(units[0])
		}
	}
	return out
}

func toEvent(e *sdk.Event) Event {
	out := Event{
		Code: int(first(e.Code())), Severity: string(first(e.Severity())), Description: first(e.Description()),
		CorrelationID: first(e.CorrelationId()), VMID: idOf(e.Vm()), HostID: idOf(e.Host()), StorageDomainID: idOf(e.StorageDomain()),
		TemplateID: idOf(e.Template()), Time: first(e.Time()).UTC(), Origin: first(e.Origin()), CustomID: int(first(e.CustomId())), CustomData: first(e.CustomData()),
		ID: int(first(e.Index())),
	}
	if id, ok := e.Id(); ok {
		_, _ = fmt.Sscan(id, &out.ID)
	}
	return out
}

func toLabel(l *sdk.AffinityLabel) AffinityLabel {
	return AffinityLabel{ID: first(l.Id()), Name: first(l.Name())}
}
