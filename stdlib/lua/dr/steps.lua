-- The stages of the built-in workflows. A workflow of your own can call them one by one:
--   local steps = require "dr".steps
local steps = {}

-- Errors that say something about the whole run; no VM's on_error = "continue" passes over them.
local stops_the_run = {
  ["no-evidence"] = true, ["stopping"] = true, ["needs-answer"] = true, ["outside-plan"] = true,
  ["unreachable"] = true, ["credentials"] = true, ["failed-by-plan"] = true, ["cancelled"] = true, ["step-cut"] = true,
}

local function message_of(err)
  if type(err) == "table" then return tostring(err.message or err.code) end
  return tostring(err)
end

local function must_stop(err)
  return type(err) == "table" and stops_the_run[err.code] == true
end

---The target answers and each data center of the plan has a host that is up. Changes nothing.
function steps.preflight(ctx)
  ctx:stage "preflight"
  local known, has_host, data_center_of = {}, {}, {}
  for _, data_center in ipairs(ctx.target:data_centers()) do known[data_center.name] = data_center end
  for _, cluster in ipairs(ctx.target:clusters()) do data_center_of[cluster.id] = cluster.data_center_id end
  for _, host in ipairs(ctx.target:hosts()) do
    if host.status == "up" and data_center_of[host.cluster_id] then has_host[data_center_of[host.cluster_id]] = true end
  end
  for _, domain in ipairs(ctx.facts.storage_domains) do
    local name = domain.target.data_center
    if not known[name] then ctx:fail("data center " .. name .. " is gone from site " .. ctx.target.name) end
    if not has_host[known[name].id] then
      ctx:fail("no host of data center " .. name .. " on site " .. ctx.target.name .. " is up: bring one up")
    end
  end
  local run_set = ctx.facts.run_set
  ctx:log("what ran before is known from: " .. run_set.from .. (run_set.taken and (", taken " .. run_set.taken:gsub("%.%d+Z$", "Z")) or ""))
end

---Evidence that the source cannot run the plan's VMs (invariant I1). Asks a person only where nothing can prove it.
function steps.evidence(ctx)
  ctx:stage "evidence"
  ctx:hook("confirm_source_down", { kind = "site", id = ctx.source.name, name = ctx.source.name })
  return ctx:evidence()
end

-- The consistency groups of the plan, in the order of their first storage domain.
local function groups_of(ctx)
  local groups, by_name = {}, {}
  for _, domain in ipairs(ctx.facts.storage_domains) do
    local group = by_name[domain.group]
    if not group then
      group = { kind = "group", id = domain.group, name = domain.group, storage_domains = {} }
      by_name[domain.group] = group
      groups[#groups + 1] = group
    end
    table.insert(group.storage_domains, domain)
  end
  return groups
end

---The target's copy of each consistency group is made writable: by the hook promote_storage, else by a person who says so.
function steps.promote(ctx)
  ctx:stage "promote"
  for _, group in ipairs(groups_of(ctx)) do
    local names = {}
    for _, domain in ipairs(group.storage_domains) do names[#names + 1] = domain.name end
    local list = table.concat(names, ", ")
    local answer = ctx:hook("promote_storage", group)
    if answer == nil then
      answer = ctx:prompt {
        name = "promote_storage:" .. group.name,
        text = "Make the copy on site " .. ctx.target.name .. " writable at the array (" .. list .. ").\n"
          .. "When it is, answer writable,as_of=TIME with the time of its last write (or as_of=unknown)",
        needs = { "writable" },
      }
    end
    if type(answer) ~= "table" or not answer.writable then
      ctx:fail("the storage of group " .. group.name .. " (" .. list .. ") was not promoted: the answer must say writable")
    end
    local as_of = tostring(answer.as_of or "unknown")
    ctx:log("storage of group " .. group.name .. " is writable on " .. ctx.target.name .. ", as of " .. as_of)
    if as_of == "unknown" then
      ctx:verdict("data:" .. group.name, "data of group " .. group.name .. " (" .. list .. "): how much was lost is unknown")
    else
      ctx:verdict("data:" .. group.name, "data of group " .. group.name .. " (" .. list .. "): as of " .. as_of .. ", what was written later is lost")
    end
  end
end

local function import_one(ctx, domain)
  local object = ctx.target:storage_domain(domain.id)
  ctx:hook("before_import", object)
  ctx.target:import_domain(domain.id)
end

local function attach_one(ctx, domain)
  local object = ctx.target:storage_domain(domain.id)
  object:attach()
  object:activate()
  ctx:hook("after_import", object)
end

---The storage domains are imported, attached and seen active. Nothing is attached before every import has proved its copy good.
function steps.import(ctx)
  ctx:stage "import"
  local domains = ctx.facts.storage_domains
  ctx:parallel(domains, function(domain) import_one(ctx, domain) end)
  local rest = {}
  local first_in = {}
  for _, domain in ipairs(domains) do
    local name = domain.target.data_center
    -- The first storage domain of an uninitialized data center becomes its master and must be there before the others.
    if first_in[name] == nil and ctx.target:data_center(name).status == "uninitialized" then
      attach_one(ctx, domain)
    else
      rest[#rest + 1] = domain
    end
    first_in[name] = true
  end
  ctx:parallel(rest, function(domain) attach_one(ctx, domain) end)
end

---Templates, then VMs, are registered from the OVF stores. A VM that no store holds is marked missing.
function steps.register(ctx)
  ctx:stage "register"
  local unregistered = {}
  for _, domain in ipairs(ctx.facts.storage_domains) do
    local object = ctx.target:storage_domain(domain.id)
    for _, template in ipairs(object:unregistered_templates()) do template:register() end
    for _, vm in ipairs(object:unregistered_vms()) do
      if not unregistered[vm.id] then unregistered[vm.id] = vm end
    end
  end
  local registered = {}
  for _, vm in ipairs(ctx.target:vms()) do registered[vm.id] = true end

  ctx:parallel(ctx.facts.vms, function(fact)
    local vm = unregistered[fact.id] or ctx.target:vm(fact.id)
    if not unregistered[fact.id] and not registered[fact.id] and not ctx.dry_run then
      ctx:mark(vm, "missing", "no OVF store of its storage domains holds it: it was made or changed after the last replicated OVF update, "
        .. "or its OVF does not parse. Its disks are there; drrun did not touch them")
      if fact.on_error == "stop" then ctx:fail("VM " .. fact.name .. " is missing and its on_error is stop", fact) end
      return
    end
    local ok, err = pcall(function()
      ctx:hook("before_register", vm)
      vm:register()
      ctx:hook("after_register", vm)
    end)
    if ok then return end
    if must_stop(err) or fact.on_error == "stop" then error(err) end
    ctx:mark(vm, "failed", message_of(err))
  end, { limit = 8 })
end

local bad_before_start = { missing = true, failed = true }

-- The VM that keeps this one from starting: one of its after list that is required and did not come up. The others order it only.
local function blocker_of(ctx, fact, by_id)
  if not fact.after then return nil end
  local states = ctx:states()
  for _, id in ipairs(fact.after) do
    local before, state = by_id[id], states[id]
    if before and before.required and not ctx.dry_run and state ~= "up" and state ~= "not_started" then return before.name .. " is " .. tostring(state) end
  end
  return nil
end

-- Starts one VM and waits for its boot condition. Returns nothing: the board says how it ended.
local function boot_one(ctx, fact, states, by_id)
  local vm = ctx.target:vm(fact.id)
  if bad_before_start[states[fact.id]] then return end
  local decision = vm:to_start()
  if not decision.start then
    ctx:mark(vm, "not_started", decision.why)
    return
  end
  ctx:await(fact.after or {})
  local blocker = blocker_of(ctx, fact, by_id)
  if blocker then
    ctx:warn("VM " .. fact.name .. " is not started: it comes after a required VM, and " .. blocker)
    return
  end
  local ok, err = pcall(function()
    ctx:hook("before_start", vm)
    vm:start()
    local verdict = vm:wait_boot()
    if verdict.ok then
      ctx:hook("after_start", vm)
      if ctx:hook("verify_vm", vm) == false then verdict = { ok = false, why = "the hook verify_vm said no" } end
    end
    if not verdict.ok then ctx:mark(vm, "unverified", verdict.why) end
  end)
  if ok then return end
  if must_stop(err) or fact.on_error == "stop" then error(err) end
  ctx:mark(vm, "failed", message_of(err))
end

---The VMs start in ascending ranks. A rank is up when each of its VMs met its boot condition or failed;
---a required VM that did not come up stops the run.
function steps.boot(ctx)
  ctx:stage "boot"
  local ranks, order, by_id = {}, {}, {}
  for _, fact in ipairs(ctx.facts.vms) do
    by_id[fact.id] = fact
    if not ranks[fact.rank] then
      ranks[fact.rank] = {}
      order[#order + 1] = fact.rank
    end
    table.insert(ranks[fact.rank], fact)
  end
  table.sort(order)
  for _, number in ipairs(order) do
    local rank = { kind = "rank", id = tostring(number), name = "rank " .. number, vms = ranks[number] }
    ctx:stage("boot rank " .. number)
    ctx:evidence()
    ctx:hook("before_rank", rank)
    local states = ctx:states()
    ctx:parallel(rank.vms, function(fact)
      local ok, err = pcall(boot_one, ctx, fact, states, by_id)
      ctx:done_with(fact.id)
      if not ok then error(err) end
    end)
    ctx:hook("after_rank", rank)
    states = ctx:states()
    for _, fact in ipairs(rank.vms) do
      local state = states[fact.id]
      if fact.required and state ~= "up" and state ~= "not_started" and not ctx.dry_run then
        ctx:fail("VM " .. fact.name .. " of rank " .. number .. " is required and " .. tostring(state) .. ": the ranks after it are not started", fact)
      end
    end
  end
end

local running = { up = true, powering_up = true, reboot_in_progress = true, migrating = true }

---Reads the VMs once more and reports those that did not stay up.
function steps.verify(ctx)
  if ctx.dry_run then return end
  ctx:stage "verify"
  local now = {}
  for _, vm in ipairs(ctx.target:vms()) do now[vm.id] = vm.status end
  local states = ctx:states()
  for _, fact in ipairs(ctx.facts.vms) do
    if (states[fact.id] == "up" or states[fact.id] == "unverified") and not running[now[fact.id]] then
      ctx:mark(ctx.target:vm(fact.id), "failed", "it was up and is " .. tostring(now[fact.id] or "gone") .. " now")
    end
  end
end

---Replication in the other direction: by the hook reverse_replication, which returns { ready = true } when it runs.
---Without that the result says that it is not ready.
function steps.reprotect(ctx)
  if ctx.dry_run then return end
  ctx:stage "reprotect"
  for _, group in ipairs(groups_of(ctx)) do
    local answer = ctx:hook("reverse_replication", group)
    local text = "reverse replication: NOT ready for group " .. group.name .. ": until it runs, the VMs on " .. ctx.target.name .. " have no copy"
    if answer == true or (type(answer) == "table" and answer.ready) then
      text = "reverse replication: ready for group " .. group.name
    end
    ctx:verdict("reverse:" .. group.name, text)
  end
end

return steps
