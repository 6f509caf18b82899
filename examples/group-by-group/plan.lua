--@ exit 0
--@ domains 2
--@ started vm2 | vm1 | vm3
-- Two consistency groups, one after the other: the databases are up before the array is asked for the storage of the applications.
-- A planned move proves the copies of all groups before it registers a VM (invariant I6): there the loop ends behind import, and a second
-- one registers and boots.
local dr = require "dr"

local plan = dr.plan {
  name = "Plan_Recovery",
  sites = {
    primary   = { url = "https://engine1.localdomain/ovirt-engine/api", username = "admin@internal",
                  password = dr.secret "primary_password", ca_file = "primary-ca.pem" },
    secondary = { url = "https://engine2.localdomain/ovirt-engine/api", username = "admin@ovirt@internal",
                  password = dr.secret "secondary_password", ca_file = "secondary-ca.pem" },
  },

  storage_domains = {
    { name = "nfs_ds", id = "a3c68f70-dff9-4bb2-86a2-f7fe4a597db9", type = "nfs", group = "applications",
      primary   = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds" },
      secondary = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds_replica" } },
    { name = "nfs_ds2", id = "24be64f4-80d1-4158-bf18-94465f60d855", type = "nfs", group = "databases",
      primary   = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds2" },
      secondary = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds2_replica" } },
  },
  mappings = {
    clusters = {
      { primary = "Prod", secondary = "Recovery" }, -- the only cluster there
    },
    vnic_profiles = {
      { primary   = { data_center = "Default", network = "lan", profile = "lan" },
        secondary = { data_center = "Default", network = "lan", profile = "lan" } },
    },
  },
  templates = {
    { name = "rhel9", id = "78dd2813-044b-4741-b7e4-50edbcab98c2" },
  },

  vms = {
    { name = "vm1", id = "bc006e5f-ad2e-4023-b5d5-5fc6f58df77c", rank = 0, boot = dr.boot.guest_agent { timeout = "5m" } },
    { name = "vm2", id = "5d0b3066-7302-42e9-b120-a0ca635385cb", rank = 1, boot = dr.boot.guest_agent { timeout = "5m" } },
    { name = "vm3", id = "950ce436-249f-421b-9d8f-c78436e6bf82", rank = 2, boot = dr.boot.wait "60s" },
  },
}

function plan.failover(ctx)
  dr.steps.preflight(ctx)
  dr.steps.evidence(ctx)
  for _, group in ipairs { "databases", "applications" } do
    for _, stage in ipairs { "promote", "import", "register", "boot" } do
      dr.steps[stage](ctx, { groups = { group } })
    end
  end
  dr.steps.verify(ctx)
  dr.steps.reprotect(ctx)
end

return plan
