package lab

// Event codes of what is done with hosts (ovirt-engine AuditLogType).
const (
	eventHostRests        = 15   // VDS_MAINTENANCE
	eventHostActivate     = 16   // VDS_ACTIVATE
	eventHostUpdated      = 43   // USER_UPDATE_VDS
	eventNowhereToMigrate = 166  // VM_MIGRATION_NO_VDS_TO_MIGRATE_TO
	eventHostResting      = 600  // USER_VDS_MAINTENANCE
	eventHostRestingPlain = 620  // USER_VDS_MAINTENANCE_WITHOUT_REASON
	eventUpdatesAsked     = 884  // HOST_AVAILABLE_UPDATES_STARTED
	eventUpdatesChecked   = 885  // HOST_AVAILABLE_UPDATES_FINISHED
	eventNetCommitted     = 1104 // NETWORK_COMMINT_NETWORK_CHANGES
)
