local dr = require "dr"

local plan = dr.plan {
  name = "Test",
  sites = {
    primary   = { url = "https://engine1.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "primary_password" },
    secondary = { url = "https://engine2.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "secondary_password" },
  },
  storage_domains = {
    { name = 5, id = "nfs", type = "nsf",
      primary   = { data_center = "Default", url = { "nfs://192.168.122.210:/nfs_ds" } },
      secondary = "nfs://192.168.122.210:/nfs_ds_replica" },
  },
  mappings = {
    clusters = { primary = "Prod", secondary = "Prod" },
    vnic_profiles = { { primary = "lan", secondary = { data_center = "Default", network = "lan", profile = "lan" } } },
  },
  vms = {
    { name = "vm1", id = "00000007-0000-4000-8000-000000000001", rank = "0", boot = "60s", after = "vm2" },
    { name = "vm2", id = "00000007-0000-4000-8000-000000000002", rank = 1.5, start = "yes", required = "yes", grace = "5 minutes" },
    { name = "vm3", id = "00000007-0000-4000-8000-000000000003", rank = -1, on_error = "ignore", boot = dr.boot.wait(60) },
    { id = "00000007-0000-4000-8000-000000000004" },
    "vm5",
  },
}

plan:on("after_run", "notify")

return plan
