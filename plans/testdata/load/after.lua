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
    { name = "web01", id = "00000007-0000-4000-8000-000000000001", after = { "web02" } },
    { name = "web02", id = "00000007-0000-4000-8000-000000000002", after = { "web03" } },
    { name = "web03", id = "00000007-0000-4000-8000-000000000003", after = { "web01" } },
    { name = "self", id = "00000007-0000-4000-8000-000000000004", after = { "self" } },
    { name = "app", id = "00000007-0000-4000-8000-000000000005", after = { "web1", "nothing like it" } },
    { name = "early", id = "00000007-0000-4000-8000-000000000006", rank = 0, after = { "late", "web01" } },
    { name = "late", id = "00000007-0000-4000-8000-000000000007", rank = 2 },
    { name = "twice", id = "00000007-0000-4000-8000-000000000008", rank = 2, after = { "late", "late" } },
  },
}

return plan
