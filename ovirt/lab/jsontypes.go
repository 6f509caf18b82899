package lab

// jsonDates are the members of type Date in the model (ovirt-engine-api-model types).
var jsonDates = setOf(`creation_date creation_time date end_time issued last_cinder_backup last_db_backup last_dwh_backup
	last_engine_backup last_grafana_backup last_keycloak_backup last_updated modification_date start_time stop_time time`)

// jsonDecimals are the members of type Double in the model.
var jsonDecimals = setOf(`datum memory_limit memory_usage speed usage`)

// listMembers are the members of the model's types that are lists (ovirt-engine-api-model types). Only they can be followed.
var listMembers = setOf(`affinity_group_mappings affinity_groups affinity_label_mappings affinity_labels agents applications authentication_keys
	authorized_keys balances block_statistics brick_profile_details bricks cdroms certificates cluster_features cluster_mappings
	clusters compute_resources cores cpu_profiles cpu_types cpu_units custom_properties custom_scheduling_policy_properties
	data_centers devices discovered_hosts disk_attachments disk_profiles disk_snapshots disks dns_servers domain_mappings
	driver_options driver_sensitive_options enabled_features external_network_provider_configurations external_network_providers
	files filters floppies fop_statistics gluster_clients gluster_hooks gluster_volumes graphics_consoles groups hooks host_devices
	host_groups host_labels hosts images ip_address_assignments ips iscsi_bonds katello_errata logical_units lun_mappings
	m_dev_types mediated_devices memory_pools methods name_servers network_attachments network_filter_parameters network_labels
	networks nfs_profile_details nic_configurations nics numa_node_pins numa_nodes options packages payloads permissions permits
	pm_proxies profile_details properties qoss quota_cluster_limits quota_storage_limits quotas ranges reported_configurations
	reported_devices required_rng_sources role_mappings roles search_domains server_hooks servers sessions slaves snapshots
	spec_params ssh_public_keys statistics steps storage_connection_extensions storage_connections storage_domains storages subnets
	supported_rng_sources supported_versions tags templates transport_types unmanaged_networks usages user_options users values
	vcpu_pins virtual_function_allowed_labels virtual_function_allowed_networks vm_labels vms vnic_profile_mappings vnic_profiles
	volume_types watchdogs weight`)

// collections are the elements that wrap a list: the list members, and the roots of collections and members of requests that no
// type has (ovirt-engine-api-model services).
var collections = withAll(listMembers, `backups bookmarks checkpoints cluster_levels discovered_targets domains events external_host_providers host_nics host_storages
	icons image_transfers instance_types iscsi_details iscsi_targets jobs mac_pools network_filters openstack_image_providers
	openstack_network_providers openstack_volume_providers operation_systems registration_affinity_group_mappings
	registration_affinity_label_mappings registration_cluster_mappings registration_domain_mappings registration_lun_mappings
	registration_role_mappings registration_vnic_profile_mappings scheduling_policies scheduling_policy_units vm_pools`)

// withAll is a set of words and of all that another set has.
func withAll(set map[string]bool, words string) map[string]bool {
	all := setOf(words)
	for name := range set {
		all[name] = true
	}
	return all
}
