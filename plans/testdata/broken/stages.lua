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
    { name = "app1", id = "00000007-0000-4000-8000-000000000002", rank = 1, after = { "db1" } },
  },
}

function plan.failover(ctx)
  local steps = dr.steps
  steps.preflight(ctx)
  steps.regster(ctx) --@ diag(unknown-field, "regster")
  steps.boot(ctx, { rankz = { 0 }, only = function(vm) return vm.rank == 0 end }) --@ diag(unknown-key, "rankz")
  steps.import(ctx, { ranks = { 0 } }) --@ diag(unknown-key, "ranks")
  dr.steps.repair(ctx, { groups = { "all" } }) --@ diag(unknown-key, "groups")
end

function plan.failback(ctx)
  local changes = { befor = {} } -- a run looks at it: a table that is passed on can be anything
  dr.workflows.failover(ctx, changes)
  require "dr".workflows.failbak(ctx) --@ diag(unknown-field, "failbak")
  dr.workflows.failback(ctx, {
    befor = {}, --@ diag(unknown-key, "befor")
    after = { boots = function() end }, --@ diag(unknown-key, "boots")
    skip = { "repair", "repare" }, --@ diag(bad-argument, "\"repare\"")
  })
  local steps = { boot = function() end }
  steps.anything(ctx, { of = "its own" })
end

return plan
