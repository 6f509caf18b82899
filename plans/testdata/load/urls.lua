local dr = require "dr"

local plan = dr.plan {
  name = "Test",
  sites = {
    primary   = { url = "engine1.example", username = "admin@internal", password = dr.secret "primary_password" },
    secondary = { url = "http://engine2.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "secondary_password" },
  },
  storage_domains = {
    { name = "a", id = "00000005-0000-4000-8000-000000000001", type = "nfs",
      primary   = { data_center = "Default", url = "nfs:/192.168.122.210:/a" },
      secondary = { data_center = "Default", url = "192.168.122.210:/a_replica" } },
    { name = "b", id = "00000005-0000-4000-8000-000000000002", type = "nfs",
      primary   = { data_center = "Default", url = "glusterfs://g1:/b" },
      secondary = { data_center = "Default" } },
    { name = "c", id = "00000005-0000-4000-8000-000000000003", type = "nfs",
      primary   = { data_center = "Default", url = "nfs://srv:/c" },
      secondary = { data_center = "Default", url = "nfs://SRV:/c/" } },
    { name = "d", id = "00000005-0000-4000-8000-000000000004", type = "nfs",
      primary   = { data_center = "Default", url = "nfs://srv:/d", luns = { "3600" } },
      secondary = { data_center = "Default", url = "nfs://srv:/c" } },
    { name = "e", id = "san1", type = "iscsi",
      primary   = { data_center = "Default", targets = { "10.0.0.1:3260/iqn.2006-01.com.example:a" }, luns = { "3600" } },
      secondary = { data_center = "Default", targets = { "10.1.0.1:3260/iqn.2006-01.com.example:b" }, luns = { "3601" } } },
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
