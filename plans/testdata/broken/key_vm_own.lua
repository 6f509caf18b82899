local dr = require "dr"

local plan = dr.plan {
  name = "Shop",
  sites = {
    primary   = { url = "https://engine1.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "primary_password" },
    secondary = { url = "https://engine2.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "secondary_password" },
  },
  storage_domains = {
    { name = "shop", id = "00000005-0000-4000-8000-000000000001", type = "nfs",
      primary   = { data_center = "Default", url = "nfs://10.0.0.1:/shop" },
      secondary = { data_center = "Default", url = "nfs://10.1.0.1:/shop" } },
  },
  mappings = {
    clusters = { { primary = "Prod", secondary = "Recovery" } },
    vnic_profiles = {
      { primary   = { data_center = "Default", network = "lan", profile = "lan" },
        secondary = { data_center = "Default", network = "lan", profile = "lan" } },
    },
  },
  vms = {
    { name = "db1", id = "00000007-0000-4000-8000-000000000001", rank = 0, boot = dr.boot.guest_agent { timeout = "5m" } },
    { name = "app1", id = "00000007-0000-4000-8000-000000000002", webhook = "https://chat.example" }, --@ diag(unknown-key, "webhook")
  },
}

return plan
