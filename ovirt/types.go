package ovirt

import (
	"context"
	"time"
)

// Subject is the engine object that a call or an error is about. Kind is one of the Kind constants; Name may be empty when only the id is known.
type Subject struct{ Kind, ID, Name string }

// The kinds of a Subject.
const (
	KindSite          = "site"
	KindStorageDomain = "storage_domain"
	KindStorageConn   = "storage_connection"
	KindDataCenter    = "data_center"
	KindCluster       = "cluster"
	KindHost          = "host"
	KindVM            = "vm"
	KindTemplate      = "template"
	KindNIC           = "nic"
	KindNetwork       = "network"
	KindVNICProfile   = "vnic_profile"
	KindDisk          = "disk"
	KindISCSISession  = "iscsi_session" // its id is that of the host and the target, ISCSISessionID
	KindEvent         = "event"
	KindStatistic     = "statistic"
	KindAffinityLabel = "affinity_label"
	KindJob           = "job"
	KindStep          = "step"
)

// The operations that change an engine, as Write.Op and Error.Op name them.
const (
	OpImportDomain     = "storage_domain.import"
	OpAttachDomain     = "storage_domain.attach"
	OpActivateDomain   = "storage_domain.activate"
	OpRemoveDomain     = "storage_domain.remove"     // takes an unattached domain out of the engine; the storage keeps its content
	OpRemoveConnection = "storage_connection.remove" // removes the connection that a failed import left behind
	OpSetDomain        = "storage_domain.set"
	OpRefreshHost      = "host.refresh"
	OpLogInISCSI       = "iscsi_session.create" // a login of a host at a target
	OpPowerStatus      = "host.power_status"    // changes nothing, but another host asks the BMC for it
	OpRegisterTemplate = "template.register"
	OpRegisterVM       = "vm.register"
	OpUpdateNIC        = "nic.update"
	OpStartVM          = "vm.start"
	OpShutdownVM       = "vm.shutdown" // asks the guest
	OpStopVM           = "vm.stop"     // a power-off
	OpSetHA            = "vm.set_ha"
	OpSetProtection    = "vm.set_delete_protection"
	OpTouchVM          = "vm.touch"    // a harmless edit, so that the engine writes the VM's OVF anew
	OpRemoveLUNDisk    = "disk.remove" // of a LUN that no VM has: the engine's entry, never the data
	OpRemoveVM         = "vm.remove"   // of a VM without disks, and never without detach_only
	OpDeactivateDomain = "storage_domain.deactivate"
	OpDetachDomain     = "storage_domain.detach"
	OpDestroyDomain    = "storage_domain.destroy" // clears the engine's books; the storage is not touched
	OpUpdateOVFStore   = "storage_domain.update_ovf_store"
	OpIsAttached       = "storage_domain.is_attached" // changes nothing, but a host mounts the storage for it
	OpConfirmRebooted  = "host.confirm_rebooted"      // the engine takes the VMs of a host that is off for down
	OpCreateLabel      = "affinity_label.create"
	OpDeleteLabel      = "affinity_label.delete"
	OpPostEvent        = "event.post"
	OpAddJob           = "job.add" // an external job: it shows what another program does
	OpAddStep          = "step.add"
	OpEndStep          = "step.end"
	OpEndJob           = "job.end"
	opRead             = "read"
	opWait             = "wait"
	opLogin            = "login"
	opOpen             = "open"
)

// Product is what the API root says about the engine (ovirt-engine BackendApiResource.java).
type Product struct {
	Name, Vendor, Version string // Version is the engine's full version text
	Major, Minor          int
	InstanceID            string    // UUID of this engine installation: equal ids are one engine
	Time                  time.Time // the engine's clock when it answered
	Lab                   bool      // the engine is drrun's lab, not a real one
}

// DataCenter is one data center. Status values: ovirt-engine-api-model DataCenterStatus.java.
type DataCenter struct {
	ID, Name, Status, StorageFormat string
	Version                         string // compatibility version, such as "4.6"
	Local                           bool
}

// Cluster is one cluster.
type Cluster struct {
	ID, Name, DataCenterID string
	Version                string // compatibility version, such as "4.6"
	Architecture, BIOSType string
}

// Host is one host. A non-responsive host keeps its old SPM value (seen on RHV 4.3).
type Host struct {
	ID, Name, Address, Status, ClusterID string
	SPM                                  string // none, contending or spm
	PowerManagement                      bool   // power management is enabled
}

// StorageDomain is one storage domain. Read from the global collection, Status is empty unless "unattached", and DataCenterID
// tells whether it is attached; read from its data center, Status is the true one (ovirt-engine
// BackendStorageDomainsResource.java).
type StorageDomain struct {
	ID, Name                                  string
	Type                                      string // data, iso, export, image …
	StorageType                               string // nfs, iscsi, fcp, glusterfs, posixfs …
	Status, DataCenterID                      string
	Master                                    bool
	Address, Path                             string
	VFSType, MountOptions, NFSVersion, Format string
	VolumeGroupID                             string // block types: what lies on the LUNs; a replica has that of its source
	LUNs                                      []LUN
	Available, Used                           int64 // bytes, rounded to GiB by the engine; 0 when the engine has not seen the domain active
	Settings                                  DomainSettings
}

// LUN is one logical unit of a block storage domain. For iSCSI there is one entry per LUN and connection.
type LUN struct {
	ID, Address, Portal, Target string
	Username                    string // that CHAP asked for
	Port                        int
	Size                        int64 // bytes
}

// StorageConnection is one storage server connection.
type StorageConnection struct {
	ID, Type, Address, Path, VFSType, MountOptions, NFSVersion, Target string
	Port                                                               int
}

// Network is one logical network.
type Network struct {
	ID, Name, DataCenterID string
	VM                     bool // VMs may use it
}

// VNICProfile is one vNIC profile. Names are unique per network only.
type VNICProfile struct{ ID, Name, NetworkID string }

// Template is one template or template version; BaseID equals ID for a base version.
type Template struct {
	ID, Name, Status, ClusterID, BaseID string
	VersionNumber                       int
}

// VM is one virtual machine. For an unregistered VM, Status is what the OVF store recorded at its last write
// (ovirt-engine ProcessOvfUpdateForStorageDomainCommand.java).
type VM struct {
	ID, Name             string
	Status, StatusDetail string // ovirt-engine-api-model VmStatus.java; StatusDetail only while paused
	ClusterID, HostID    string // HostID only while it runs
	TemplateID           string
	HAEnabled            bool
	HAPriority           int
	LeaseDomainID        string
	DeleteProtected      bool
	Memory               int64  // bytes
	FQDN                 string // guest agent
	GuestOS              string // guest agent: distribution and version, or the family
	StartTime, StopTime  time.Time
	Origin, Description  string
	Comment              string
	NextRun              bool // a next-run configuration exists
	IllegalImages        bool
	InstanceTypeID       string
	NICs                 []NIC  // only when asked for
	Disks                []Disk // only when asked for
}

// NIC is one network interface of a VM. ProfileID is empty for a NIC without a profile, which has no network.
type NIC struct {
	ID, Name, MAC, ProfileID, Interface string
	Linked, Plugged                     bool
	Addresses                           []string // guest agent: those that the guest has on a device of this MAC, IPv4 and IPv6
}

// Disk is one disk as a VM has it attached.
type Disk struct {
	ID, Alias, Status   string
	StorageType         string // image, lun, cinder, managed_block_storage
	StorageDomainIDs    []string
	Bootable, Active    bool
	Size                int64 // provisioned size in bytes
	Backup, ContentType string
	LUN                 LUN // of a direct LUN
	Interface           string
	Shareable, ReadOnly bool
}

// Event is one entry of the engine's audit log. Codes are stable, texts are not (ovirt-engine AuditLogType.java).
type Event struct {
	ID, Code                             int
	Severity, Description, CorrelationID string
	VMID, HostID, StorageDomainID        string
	TemplateID                           string
	Time                                 time.Time
	Origin                               string
	CustomID                             int
	CustomData                           string // of an external event: what its poster added
}

// VMQuery selects VMs. An expression that the engine cannot parse finds nothing, without an error (ovirt-engine
// SearchQuery.java).
type VMQuery struct {
	Search  string
	Details bool // NICs, disks; costs the engine one internal call per VM: for inventories, never for waiting
}

// EventQuery selects events, newest first. From is exclusive; 0 means from the start. Max 0 means no limit.
type EventQuery struct {
	Search    string
	From, Max int
}

// ImportSpec says which storage domain is to be imported from where. ID, Type and HostID are mandatory, and Path of a file type.
type ImportSpec struct {
	ID                                string // expected id: anything else is refused
	Type                              string // nfs, posixfs, glusterfs, iscsi or fcp
	Address, Path                     string // file types; an IPv6 address in brackets
	VFSType, MountOptions, NFSVersion string
	LUNs                              []string // block types: the ids that it must lie on; none: any that are not OtherLUNs
	OtherLUNs                         []string // block types: the ids of its LUNs at the other site
	HostID                            string   // an up host of the target data center
	Name                              string   // for messages only: it is never sent
}

// NICTarget maps one network and profile of the source, by name, to a vNIC profile of this site, by id.
// An empty ToProfileID means: without profile, on purpose.
type NICTarget struct{ FromNetwork, FromProfile, ToProfileID string }

// AttachOptions say how a storage domain is attached.
type AttachOptions struct {
	Timeout time.Duration // for all of it, model time; 0 means 10 minutes
	// UpgradeFormat consents to what cannot be undone: the data center's newer storage format is written to the domain, which an older
	// site cannot read any more.
	UpgradeFormat bool
}

// LUNTarget maps a LUN that is the disk of a VM, as its OVF names it, to the one that takes its place. Without targets it is reached by
// Fibre Channel. The engine takes one connection of them (ovirt-engine StorageLogicalUnitMapper.java); the hosts are logged in before.
type LUNTarget struct {
	FromID, ToID string
	Targets      []ISCSITarget
}

// RegisterSpec says how an unregistered VM is to be registered.
type RegisterSpec struct {
	VMID, Name      string // Name only for messages
	StorageDomainID string
	ClusterID       string
	NICs            []NICTarget
	LUNs            []LUNTarget
	ReassignBadMACs bool // take MACs that are in use or out of range from the pool
	Partial         bool // accept the loss of disks, for good: the engine forgets the VM's rows of all domains
	// Absent says that the caller has just read a list in which the engine does not have this VM. It saves a read per VM and
	// nothing more: the engine refuses to register a VM that it has.
	Absent bool
}

// RegisterTemplateSpec says how an unregistered template is to be registered.
type RegisterTemplateSpec struct {
	TemplateID, Name string // Name only for messages
	StorageDomainID  string
	ClusterID        string
	NICs             []NICTarget
}

// StartOptions bounds and guards StartVM.
type StartOptions struct {
	Timeout time.Duration // until up; default 10m
	// MayStart is the evidence gate: called right before each start request leaves. An error keeps the request from being sent.
	MayStart func(ctx context.Context) error
	// Correlations of start requests that earlier attempts sent for this VM without learning their outcome: when the engine
	// has an event of one of them, the VM was started already and is not started again.
	Earlier []string
}

// StartResult tells what StartVM did. Times are model time; StartedAt is zero when this call requested nothing and the engine does not say.
type StartResult struct {
	Requested       bool
	StartedAt, UpAt time.Time
}

// HA is what a VM has of high availability. Of a goal (SetHA), Priority 0 and an empty LeaseDomainID mean: leave them as they are.
type HA struct {
	Enabled       bool
	Priority      int    // 1 and up; the engine's own choices are 1, 50 and 100
	LeaseDomainID string // storage domain of the VM's lease; empty: none
}

// ShutdownOptions bounds ShutdownVM.
type ShutdownOptions struct {
	Grace time.Duration // how long the VM may take to be down, model time; default 5m
	Force bool          // power it off when the grace is over
	// MayAsk is called with the VM as it was just seen, before each request leaves. An error keeps the request from being sent.
	MayAsk func(vm VM) error
	// Earlier are the correlation ids of shutdown requests that earlier attempts sent for this VM without learning their outcome:
	// when the engine has an event of one of them since the VM was started, no other is sent, because a second one could be a power-off.
	Earlier []string
}

// ShutdownResult tells what ShutdownVM did.
type ShutdownResult struct {
	Requested bool      // this call sent a shutdown request
	Forced    bool      // this call powered it off
	DownAt    time.Time // when it was seen down, model time
}

// UpdateResult tells how an OVF update ended. Only Written proves that the store holds what the engine has now.
type UpdateResult struct {
	Written     bool // event 199
	NothingToDo bool // event 1052: nothing was written
}

// AffinityLabel is one affinity label. Its name is unique in the engine.
type AffinityLabel struct{ ID, Name string }

// EventSpec is an event to be posted. Origin, CustomID, Severity and Description are mandatory; origin and custom id together
// are unique in the engine until it purges its audit log (ovirt-engine AddExternalEventCommand.java).
type EventSpec struct {
	Origin      string // letters, digits, . _ -; not "oVirt", which the engine refuses
	CustomID    int    // from 1
	Severity    string // normal, warning, error or alert
	Description string // up to 10,000 characters
	// Fresh says that the custom id was drawn at random for this very call: no event of it is looked for before. One that has it all
	// the same is found by the engine's refusal.
	Fresh bool
	// CorrelationID is what the event is found by, besides origin and custom id; "" for nothing. An external event carries the one of its
	// body, not that of the request that posts it (ovirt-engine EventMapper, AuditLogableBase).
	CorrelationID string
	// CustomData is for programs: nobody is shown it.
	CustomData string
	// What it is about, by id; each may be empty.
	VMID, HostID, StorageDomainID, TemplateID, ClusterID, DataCenterID string
}
