local dr = require "dr"

local plan = dr.plan {
  name = "Test",
  sites = {
    primary   = { url = "https://engine1.example", username = "admin@internal", password = dr.secret "primary_password", cafile = "ca.pem" },
    secondary = { url = "https://engine2.example", username = "admin@internal", password = dr.secret "secondary_password" },
    tertiary  = {},
  },
  storage_domains = {
    { name = "nfs_ds", id = "00000005-0000-4000-8000-000000000001", type = "nfs", master = true,
      primary   = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds", datacenter = "x" },
      secondary = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds_replica" } },
  },
  mappings = {
    clusters = { { primary = "Prod", secondary = "Prod", tertiary = "x" } },
    networks = {},
    vnic_profiles = {
      { primary   = { data_center = "Default", network = "lan", profile = "lan", vlan = 5 },
        secondary = { data_center = "Default", network = "lan", profile = "lan" } },
    },
  },
  templates = {
    { name = "rhel9", id = "00000006-0000-4000-8000-000000000001", version = 2 },
  },
  vms = {
    { name = "vm1", id = "00000007-0000-4000-8000-000000000001", rnak = 0 },
    { name = "vm2", id = "00000007-0000-4000-8000-000000000002", color = "blue" },
  },
}

plan:on("after_run", function(ctx) end, { timout = "1m" })

return plan
