local dr = require "dr"

local plan = dr.plan {
  name = "Shop",
  sites = {
    primary   = { url = "https://engine1.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "primary_password" },
    secondary = { url = "https://engine2.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "secondary_password" },
  },
  storage_domains = {
    { name = "shop", id = "00000005-0000-4000-8000-000000000001", type = "nfs", group = "gold",
      primary   = { data_center = "Default", url = "nfs://10.0.0.1:/shop" },
      secondary = { data_center = "Default", url = "nfs://10.1.0.1:/shop" } },
    { name = "books", id = "00000005-0000-4000-8000-000000000002", type = "nfs", group = "silver",
      primary   = { data_center = "Default", url = "nfs://10.0.0.2:/books" },
      secondary = { data_center = "Default", url = "nfs://10.1.0.2:/books" } },
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

local array = dr.library {
  name = "array", options = { address = { type = "string", required = true } },
  hooks = { promote_storage = function(ctx, group, options) end },
}
plan:use(array { address = "a" }, { as = "array-a", groups = { "gold" } })
plan:use(array { address = "b" }, { as = "array-b", groups = { "sliver" } }) --@ diag(unknown-group, "\"sliver\"")
plan:on("demote_storage", function(ctx, group) end, { groups = {} }) --@ diag(bad-argument, "{")
plan:on("after_run", function(ctx) end, { groups = { "gold" } }) --@ diag(bad-argument, "groups")
return plan
