--@ exit 0
--@ started vm2 | vm1
-- A plan after a year of drills: other ranks, conditions of its own, hooks, and a library that the site team keeps in git.
local dr = require "dr"

local plan = dr.plan {
  name = "Plan_Recovery",
  sites = {
    primary   = { url = "https://engine1.localdomain/ovirt-engine/api", username = "admin@internal",
                  password = dr.secret "primary_password", ca_file = "primary-ca.pem" },
    secondary = { url = "https://engine2.localdomain/ovirt-engine/api", username = "admin@ovirt@internal",
                  password = dr.secret "secondary_password", ca_file = "secondary-ca.pem" },
  },

  params = { ticket = "none" },
  storage_domains = {
    { name = "nfs_ds", id = "a3c68f70-dff9-4bb2-86a2-f7fe4a597db9", type = "nfs",
      primary   = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds" },
      secondary = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds_replica" } },
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
    -- The database: everything else waits for it, and the run stops when it does not come up.
    { name = "vm2", id = "5d0b3066-7302-42e9-b120-a0ca635385cb", rank = 0, required = true,
      boot = dr.boot.all { dr.boot.guest_agent { timeout = "5m" }, dr.boot.wait "30s" } },
    -- The application counts as running when its guest agent knows its name.
    { name = "vm1", id = "bc006e5f-ad2e-4023-b5d5-5fc6f58df77c", rank = 1, after = { "vm2" },
      boot = function(ctx, vm) return vm:fqdn() == "vm1.localdomain" end },
    -- The build server can wait until morning: it is registered and stays down.
    { name = "vm3", id = "950ce436-249f-421b-9d8f-c78436e6bf82", start = false },
  },
}

-- The library asks for the promotion in the words of this site's array.
plan:use(require "site.array" { array = "array 7" })

plan:on("before_run", function(ctx)
  ctx:log("ticket " .. ctx.params.ticket)
end, { as = "ticket" })

-- A step is done once for the whole run, however often it is resumed.
plan:on("after_rank", function(ctx, rank)
  ctx:step("rank " .. rank.id, function() return #rank.vms .. " VMs" end)
end, { as = "count" })

-- The last word on a VM: false makes it unverified.
plan:on("verify_vm", function(ctx, vm)
  return #vm:nics() == 1
end, { as = "nics" })

return plan
