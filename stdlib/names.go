package stdlib

// The types of texts that name something of a site, for editors: `drrun types --inventory` knows which there are.
const (
	VMName            = "vm_name"
	VMID              = "vm_id"
	StorageDomainName = "storage_domain_name"
	StorageDomainID   = "storage_domain_id"
	DataCenterName    = "data_center_name"
)

// siteNames is the type of what says which site is meant.
const siteNames = `"primary"|"secondary"`
