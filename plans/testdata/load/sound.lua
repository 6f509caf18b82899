local dr = require "dr"

local plan = dr.plan {
  name = "Test",
  sites = {
    primary   = { url = "https://engine1.example", username = "admin@internal", password = dr.secret "primary_password", ca_file = "ca.pem" },
    secondary = { url = "https://engine2.example/ovirt-engine/api", username = "admin@internal", password = dr.secret { name = "secondary_password", file = "secondary.pw" }, insecure = true },
  },
  storage_domains = {
    { name = "nfs_ds", id = "00000005-0000-4000-8000-000000000001", type = "nfs",
      primary   = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds" },
      secondary = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds_replica" } },
    { name = "nfs_ds2", id = "00000005-0000-4000-8000-000000000002", type = "nfs", group = "silver",
      primary   = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds2" },
      secondary = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds2_replica" } },
  },
  mappings = {
    clusters = { { primary = "Prod", secondary = "Prod" } },
    vnic_profiles = {
      { primary   = { data_center = "Default", network = "lan", profile = "lan" },
        secondary = { data_center = "Default", network = "lan", profile = "lan" },
        test      = { data_center = "Default", network = "isolated", profile = "isolated" } },
    },
  },
  templates = {
    { name = "rhel9", id = "00000006-0000-4000-8000-000000000001" },
    { name = "rhel9", id = "00000006-0000-4000-8000-000000000002" }, -- another version of it
  },
  vms = {
    { name = "db1", id = "00000007-0000-4000-8000-000000000001", rank = 0, boot = dr.boot.wait "120s", required = true },
    { name = "app1", id = "00000007-0000-4000-8000-000000000002", boot = dr.boot.guest_agent { timeout = "5m" }, after = { "db1", "app2" }, start = true },
    { name = "app2", id = "00000007-0000-4000-8000-000000000003", boot = dr.boot.all { dr.boot.wait "10s", function(ctx, vm) return true end }, on_error = "stop" },
    { name = "ci", id = "00000007-0000-4000-8000-000000000004", rank = 2, start = false, grace = "90s", force_stop = true },
    { name = "old", id = "00000007-0000-4000-8000-000000000005", rank = 2, start = "as_before" },
  },
}

plan:use(require "site" { vserver = "svm_dr", wait = "30s" }, { groups = { "all" } })
plan:use(require "site" { vserver = "other" }, { as = "site_b", groups = { "silver" } })
plan:on("before_run", function(ctx) end)
plan:on("before_run", function(ctx) end, { as = "second", timeout = "1m", on_error = "continue", on_cut = "ask" })

function plan.failover(ctx)
end

plan.actions.patch_night = function(ctx) end
assert(plan.actions.patch_night and not plan.failback and plan.vms[1].rank == 0 and plan.vms[2].rank == 1)

return plan
