--@ exit 0
--@ started vm1|vm2 vm3
-- A plan with actions of its own, which move nothing: drrun run plan.lua lists them, drrun run plan.lua patch_night runs one.
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
    { name = "vm1", id = "bc006e5f-ad2e-4023-b5d5-5fc6f58df77c", rank = 0, boot = dr.boot.guest_agent { timeout = "5m" } },
    { name = "vm2", id = "5d0b3066-7302-42e9-b120-a0ca635385cb", rank = 1, boot = dr.boot.guest_agent { timeout = "5m" } },
    { name = "vm3", id = "950ce436-249f-421b-9d8f-c78436e6bf82", rank = 1, boot = dr.boot.wait "60s" },
  },
}

-- Shuts everything down, last rank first, waits until the hosts are patched, and starts what ran.
function plan.actions.patch_night(ctx)
  local steps = dr.steps
  steps.shut_down(ctx)
  ctx:confirm("patched", "Patch the hosts. Are they done?")
  steps.boot(ctx)
  steps.repair(ctx) -- HA is as it was
end

-- Restarts one VM after the other; the next one only when this one is well again.
function plan.actions.rolling_restart(ctx)
  for _, fact in ipairs(ctx.facts.vms) do
    local vm = ctx.target:vm(fact.id)
    if fact.ha then vm:set_ha { enabled = false } end
    vm:shutdown()
    vm:start()
    local verdict = vm:wait_boot()
    if not verdict.ok then ctx:fail(fact.name .. " is not well after its restart: " .. verdict.why) end
  end
  dr.steps.repair(ctx)
end

-- Starts the VMs of rank 0 that are down, and nothing else.
function plan.actions.start_rank_0(ctx)
  for _, fact in ipairs(ctx.facts.vms) do
    local vm = ctx.target:vm(fact.id)
    if fact.rank == 0 and vm:status() == "down" then vm:start() end
  end
end

-- Says what runs where. It changes nothing.
function plan.actions.what_runs(ctx)
  for _, fact in ipairs(ctx.facts.vms) do
    ctx:log(fact.name .. " on " .. ctx.target.name .. ": " .. tostring(ctx.target:vm(fact.id):status()))
  end
end

return plan
