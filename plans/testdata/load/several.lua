local dr = require "dr"

local plan = dr.plan {
  name = "Test",
  sites = {
    primary   = { url = "https://engine1.example", username = "admin@internal", password = dr.secret "primary_password", ca_file = "nowhere.pem" },
    secondary = { url = "https://engine2.example", username = "admin@internal", password = dr.secret "secondary_password", nsecure = true },
  },
  storage_domains = {
    { name = "nfs_ds", id = "00000005-0000-4000-8000-000000000001", type = "nfs",
      primary   = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds" },
      secondary = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds_replica" } },
  },
  mappings = {
    clusters = { { primary = "Prod", secondary = dr.todo "which one?" } },
  },
  vms = {
    { name = "vm1", id = "00000007-0000-4000-8000-000000000001", rank = "first" },
    { name = "vm2", id = "00000007-0000-4000-8000-000000000002", after = { "vm2" } },
  },
}

plan:on("after_rnk", function(ctx) end)

return plan
