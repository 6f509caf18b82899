package lab

// Event codes of changes to storage domains, disks and snapshots (ovirt-engine AuditLogType).
const (
	eventCDInserted        = 38   // USER_CHANGE_DISK_VM
	eventSnapshotStart     = 45   // USER_CREATE_SNAPSHOT
	eventSnapshotDone      = 68   // USER_CREATE_SNAPSHOT_FINISHED_SUCCESS
	eventVMDiskAdding      = 78   // USER_ADD_DISK_TO_VM
	eventDiskUpdated       = 86   // USER_UPDATE_DISK
	eventVMDiskUpdated     = 88   // USER_UPDATE_VM_DISK
	eventVMDiskAdded       = 97   // USER_ADD_DISK_TO_VM_FINISHED_SUCCESS
	eventVMRemoved         = 113  // USER_REMOVE_VM_FINISHED
	eventSnapshotRemove    = 342  // USER_REMOVE_SNAPSHOT
	eventSnapshotRemoved   = 356  // USER_REMOVE_SNAPSHOT_FINISHED_SUCCESS
	eventDiskExtended      = 371  // USER_EXTEND_DISK_SIZE_SUCCESS
	eventDiskRegistered    = 378  // USER_REGISTER_DISK_FINISHED_SUCCESS
	eventCDEjected         = 528  // USER_EJECT_VM_DISK
	eventNICRemoved        = 930  // NETWORK_REMOVE_VM_INTERFACE
	eventNICAdded          = 932  // NETWORK_ADD_VM_INTERFACE
	eventDomainUpdated     = 958  // USER_UPDATE_STORAGE_DOMAIN
	eventDeviceRemoved     = 1042 // USER_REMOVE_DEVICE_FROM_STORAGE_DOMAIN
	eventCDAlreadyChanged  = 1191 // VM_DISK_ALREADY_CHANGED
	eventCDAlreadyEjected  = 1192 // VM_DISK_ALREADY_EJECTED
	eventReduceStarted     = 1211 // USER_REDUCE_DOMAIN_DEVICES_STARTED
	eventReduceFailed      = 1213 // USER_REDUCE_DOMAIN_DEVICES_FAILED
	eventReduced           = 1214 // USER_REDUCE_DOMAIN_DEVICES_SUCCEEDED
	eventMasterSwitched    = 1480 // SWITCH_MASTER_STORAGE_DOMAIN
	eventMasterNotSwitched = 1481 // SWITCH_MASTER_STORAGE_DOMAIN_FAILED
	eventDiskPlugged       = 2000 // USER_HOTPLUG_DISK
	eventDiskUnplugged     = 2002 // USER_HOTUNPLUG_DISK
	eventLUNDiskRemoved    = 2012 // USER_FINISHED_REMOVE_DISK_NO_DOMAIN
	eventDiskRemoved       = 2014 // USER_FINISHED_REMOVE_DISK
	eventDiskAttached      = 2016 // USER_ATTACH_DISK_TO_VM
	eventDiskDetached      = 2018 // USER_DETACH_DISK_FROM_VM
	eventDiskAdding        = 2020 // USER_ADD_DISK
	eventDiskAdded         = 2021 // USER_ADD_DISK_FINISHED_SUCCESS
	eventVMsDiskRemoved    = 2042 // USER_FINISHED_REMOVE_DISK_ATTACHED_TO_VMS
	eventTasksCleaned      = 9031 // VDS_ALERT_CLEAN_SPM_FINISHED_TASKS_SUCCESS
)
