-- What an editor warns of: each line with a mark has exactly that warning, the others have none. "names" marks what only --inventory finds.
local dr = require "dr"
local exec, http = require "exec", require "http"

local plan = dr.plan {
  name = "Plan_Recovery",
  sites = {
    primary   = { url = "https://engine1.localdomain/ovirt-engine/api", username = "admin@internal",
                  pasword = dr.secret "primary_password", ca_file = "primary-ca.pem" }, --@ warns assign-type-mismatch
    secondary = { url = "https://engine2.localdomain/ovirt-engine/api", username = 7, --@ warns assign-type-mismatch
                  password = "in clear", ca_file = dr.todo "the CA of the secondary site" }, --@ warns assign-type-mismatch
  },
  storage_domains = {
    { name = "nfs_ds", id = "a3c68f70-dff9-4bb2-86a2-f7fe4a597db9", type = "nsf", --@ warns assign-type-mismatch
      primary   = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds" },
      secondary = { data_center = "Defalt", url = "nfs://192.168.122.210:/nfs_ds_replica" } }, --@ names assign-type-mismatch
  },
  mappings = {
    clusters = { { primary = "Prod", secondary = "Recover" } }, --@ names assign-type-mismatch
    vnic_profiles = {
      { primary   = { data_center = "Default", network = "lan", profile = "lan" },
        secondary = { data_center = "Default", network = "lam", profile = "lan" } }, --@ names assign-type-mismatch
    },
  },
  vms = {
    { name = "vm1", id = "bc006e5f-ad2e-4023-b5d5-5fc6f58df77c", rank = "0" }, --@ warns assign-type-mismatch
    { name = "vm2", id = "5d0b3066-7302-42e9-b120-a0ca635385cb", after = { "vm1", "vm9" } }, --@ names assign-type-mismatch
    { name = "vm3", id = "950ce436-249f-421b-9d8f-c78436e6bf82", onerror = "stop" }, --@ warns assign-type-mismatch
    { name = "vm4", id = "950ce436-249f-421b-9d8f-c78436e6bf83", on_error = "halt" }, --@ warns assign-type-mismatch
    { name = "vm5", rank = 1 }, --@ warns missing-fields
    { name = "vm6", id = "950ce436-249f-421b-9d8f-c78436e6bf84", boot = function(ctx, vm) return vm:fqdn() == vm.nmae end }, --@ warns undefined-field
    { name = "vm7", id = "950ce436-249f-421b-9d8f-c78436e6bf85", boot = dr.boot.guest_agent { timout = "5m" } }, --@ warns assign-type-mismatch
    { name = "vm8", id = "950ce436-249f-421b-9d8f-c78436e6bf86", boot = dr.boot.waits "5m" }, --@ warns undefined-field
  },
}

plan:on("promote_storge", function(ctx) ctx:log "promoted" end) --@ warns param-type-mismatch
plan:on("after_rank", function(ctx, rank) ctx:log(rank.nme) end) --@ warns undefined-field
plan:on("after_rank", function(ctx, rank)
  ctx:step("count", function() return #rank.vms end)
  ctx:lgo("done") --@ warns undefined-field
  ctx:log(7) --@ warns param-type-mismatch
  ctx:log() --@ warns missing-parameter
  ctx.target:vm("vm1"):start { timeout = true } --@ warns assign-type-mismatch
  ctx.target:vm("vm77"):start { timeout = "10m" } --@ names param-type-mismatch
  ctx.target:vm { name = "vm1" }:set_ha { enabled = "yes" } --@ warns assign-type-mismatch
  ctx.target:storage_domain("nfs_sd"):activate() --@ names param-type-mismatch
  for _, vm in ipairs(ctx.target:vms()) do ctx:log(vm.state) end --@ warns undefined-field
  for _, fact in ipairs(ctx.facts.vms) do
    ctx.target:vm(fact.id):start()
    ctx:log(fact.nams) --@ warns undefined-field
  end
end, { as = "second", timeot = "5m" }) --@ warns assign-type-mismatch
plan:on("verify_vm", function(ctx, vm)
  return vm:nics() --@ warns return-type-mismatch
end)

plan:on("before_stop", function(ctx, vm)
  local answer = exec.run { argv = { "true" }, timeout = "5m", on_cut = "maybe" } --@ warns assign-type-mismatch
  ctx:log(answer.stdot) --@ warns undefined-field
  local page = http.get { url = "https://array", headers = { token = dr.secret "token" } }
  ctx:log(page.body .. page.json.name .. vm.name)
  os.execute "true" --@ warns undefined-global
  dofile "more.lua" --@ warns undefined-global
end)

function plan.failover(ctx)
  dr.steps.promote(ctx, { groups = { "default" } })
  dr.steps.promot(ctx) --@ warns undefined-field
  dr.workflows.failover(ctx, { skip = { "repar" } }) --@ warns assign-type-mismatch
  local names = ctx:parallel(ctx.facts.vms, function(fact) return fact.name:upper() end, { limit = 4 })
  ctx:log(names[1])
  ctx:parallel(ctx.facts.vms, function(fact) return fact.nam end) --@ warns undefined-field
  ctx:parallel { ctx.facts.vms } --@ warns missing-parameter
end

plan.failovr = function(ctx) ctx:log "over" end --@ warns inject-field
plan.actions.patch = function(ctx) ctx:log "patched" end

plan:use(require "site.array" { array = "array 7" })
plan:use("array") --@ warns param-type-mismatch

return plan
