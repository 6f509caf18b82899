local dr = require "dr"

local plan = dr.plan {
  name = "Test",
  sites = {
    primary   = { url = "https://engine1.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "primary_password" },
    secondary = { url = "https://Engine1.example", username = "admin@internal", password = dr.secret "secondary_password" },
  },
  storage_domains = {
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

return plan
