local dr = require "dr"

local plan = dr.plan {
  name = "Test",
  sites = {
    primary   = { url = "https://engine1.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "primary_password" },
    secondary = { url = "https://engine2.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "secondary_password" },
  },
  storage_domains = {
    { name = "nfs_ds", id = "00000005-0000-4000-8000-000000000001", type = "nfs",
      primary   = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds" },
      secondary = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds_replica" } },
  },
  mappings = {
    clusters = { { primary = "Prod", secondary = "Prod" } },
    vnic_profiles = {
      { primary   = { data_center = "Default", network = "lan", profile = "lan" },
        secondary = { data_center = "Default", network = "lan", profile = "lan" } },
    },
  },
  vms = {
    { name = "vm1", id = "00000007-0000-4000-8000-000000000001" },
  },
}
