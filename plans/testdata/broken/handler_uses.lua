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

local exec = require "exec"
local http = require "http"

plan:on("after_start", function(ctx, vm)
  vm:strt() --@ diag(unknown-field, "strt")
  vm:start("10m") --@ diag(too-many-arguments, "\"10m\"")
  vm:start { timout = "10m" } --@ diag(unknown-argument, "timout")
  ctx.log("x") --@ diag(not-a-method-call, "log")
  ctx:log() --@ diag(missing-argument, "log")
  ctx:log(ctx.targt.name) --@ diag(unknown-field, "targt")
  ctx:log(ctx.target.nam) --@ diag(unknown-field, "nam")
  ctx.target:vm("db1"):strt() --@ diag(unknown-field, "strt")
  local other = ctx:site "primary"
  other:vmz() --@ diag(unknown-field, "vmz")
  exec.rn { "true" } --@ diag(unknown-field, "rn")
  exec.run { shel = "true" } --@ diag(unknown-argument, "shel")
  local said = exec.run { "true", timeout = "5s" } --@ diag(unknown-argument, "\"true\"")
  ctx:log(said.stdot) --@ diag(unknown-field, "stdot")
  http.post { ulr = "http://10.0.0.1/" } --@ diag(unknown-argument, "ulr")
  ctx:prompt { nme = "go" } --@ diag(unknown-argument, "nme")
  require "htttp".get("http://10.0.0.1/") --@ diag(no-module, "\"htttp\"")
end)

plan:on("after_rank", function(c, rank)
  c:log("rank " .. rank.nam) --@ diag(unknown-field, "nam")
end)

-- What a function of one's own calls vm may be anything.
local function name_of(vm) return vm.label end

plan:on("after_run", function(ctx, result)
  local found, optional = pcall(function() return require "site.optional" end)
  local row = { vm = result.status }
  row.anything = found and optional.anything
  ctx:log(name_of { label = "x" } .. tostring(row.anything))
  local answer = ctx:prompt { name = "array", text = "Writable?", needs = { "writable" } }
  ctx:log(tostring(answer.writable)) -- an answer has the parts that were needed
  ctx.log(ctx, "the object itself stands in front")
end)

return plan
