-- The stages of the built-in workflows. A workflow of your own can call them one by one:
--   local steps = require "dr".steps
local dr = require "dr"
local steps = {}

-- Errors that say something about the whole run; no VM's on_error = "continue" passes over them.
local stops_the_run = {
  ["no-evidence"] = true, ["stopping"] = true, ["needs-answer"] = true, ["outside-plan"] = true,
  ["unreachable"] = true, ["credentials"] = true, ["failed-by-plan"] = true, ["cancelled"] = true, ["step-cut"] = true,
  ["stale-copy"] = true, ["not-stale"] = true, ["lock-lost"] = true,
}

local function message_of(err)
  if type(err) == "table" then return tostring(err.message or err.code) end
  return tostring(err)
end

local function must_stop(err)
  return type(err) == "table" and stops_the_run[err.code] == true
end

local function origin_text(origin)
  if origin.from == "ovf" then return "ovf, read when the target has the storage" end
  return origin.from .. (origin.taken and (", taken " .. origin.taken:gsub("%.%d+Z$", "Z")) or "")
end

-- What this attempt was asked for so far, by id: storage domains by their group, and VMs that a boot is done with. A resumed run, whose
-- workflow begins again from the top, begins with none.
local asked, booted = {}, {}

-- A list as a set, nil for none.
local function set_of(list)
  if not list then return nil end
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

-- The storage domains of the run, of some consistency groups where options name them.
local function domains_of(ctx, options)
  local groups, domains = set_of(options and options.groups), {}
  for _, domain in ipairs(ctx.facts.storage_domains) do
    if not groups or groups[domain.group] then domains[#domains + 1] = domain end
  end
  return domains
end

-- domains_of for a stage that brings them over.
local function take_domains(ctx, options)
  local domains = domains_of(ctx, options)
  for _, domain in ipairs(domains) do asked[domain.id] = true end
  return domains
end

-- The first storage domain of the run that no stage was asked for yet.
local function first_unasked(ctx)
  for _, domain in ipairs(ctx.facts.storage_domains) do
    if not asked[domain.id] then return domain end
  end
  return nil
end

-- A VM comes with the last of the groups that it lies on, and with the last of all where nobody knows on which it lies.
local function comes_with(fact, groups, domains, all_asked)
  local mine, found = false, false
  for _, id in ipairs(fact.storage_domains or {}) do
    local domain = domains[id]
    if domain and not asked[id] then return false end
    if domain then found, mine = true, mine or groups[domain.group] end
  end
  if not found then return all_asked end
  return mine
end

-- The VMs of the run that options choose; all of them without options.
local function vms_of(ctx, options)
  if not options then return ctx.facts.vms end
  local groups, ranks, names = set_of(options.groups), set_of(options.ranks), set_of(options.vms)
  local domains, all_asked, chosen = {}, first_unasked(ctx) == nil, {}
  for _, domain in ipairs(ctx.facts.storage_domains) do domains[domain.id] = domain end
  for _, fact in ipairs(ctx.facts.vms) do
    local takes = (not ranks or ranks[fact.rank]) and (not names or names[fact.name] or names[fact.id])
    takes = takes and (not groups or comes_with(fact, groups, domains, all_asked))
    if takes and (not options.only or options.only(fact)) then chosen[#chosen + 1] = fact end
  end
  return chosen
end

-- Says where the knowledge of what ran comes from and how old it is, and which VMs are known from elsewhere.
local function log_run_set(ctx)
  ctx:log("what ran before is known from: " .. origin_text(ctx.facts.run_set))
  local order, names = {}, {}
  for _, vm in ipairs(ctx.facts.vms) do
    if vm.ran_from then
      local origin = origin_text(vm.ran_from)
      if not names[origin] then
        names[origin] = {}
        order[#order + 1] = origin
      end
      table.insert(names[origin], vm.name)
    end
  end
  for _, origin in ipairs(order) do
    local list = names[origin]
    local text = table.concat(list, ", ", 1, math.min(#list, 8))
    if #list > 8 then text = text .. " and " .. (#list - 8) .. " more" end
    ctx:log("but from " .. origin .. ": " .. text)
  end
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
  log_run_set(ctx)
end

-- The VMs of the run that a site's engine has, by id.
local function vms_at(ctx, site)
  local known, there = {}, {}
  for _, fact in ipairs(ctx.facts.vms) do known[fact.id] = true end
  for _, vm in ipairs(site:vms()) do
    if known[vm.id] then there[vm.id] = vm end
  end
  return there
end

-- LUNs that were disks of VMs stay in an engine when their VMs leave it, and would keep these from coming back.
local function forget_luns(ctx, site)
  for _, fact in ipairs(ctx.facts.vms) do
    if #(fact.luns or {}) > 0 then site:vm(fact.id):forget_luns() end
  end
end

local left_words = {
  removed = "detached and removed, its content stays",
  cleared = "cleared from the engine's books, its storage was not touched",
}

---What the target still has of the plan from an earlier time leaves its engine, content kept: stale VMs are stopped, their storage
---domains detached and removed, or cleared from the books where the storage is gone. It begins only with evidence that the other site
---holds everything and that nothing unseen runs here. Does nothing where nothing is left, or where this run has imported already.
function steps.clean(ctx)
  local domains = ctx.target:plan_storage_domains()
  for _, domain in ipairs(domains) do
    if domain.imported_by_run then return end
  end
  local there = vms_at(ctx, ctx.target)
  if #domains == 0 and next(there) == nil then return forget_luns(ctx, ctx.target) end
  ctx:stage("clean " .. ctx.target.name)
  ctx:stale_evidence()
  local stale, running = {}, {}
  for _, fact in ipairs(ctx.facts.vms) do
    local vm = there[fact.id]
    if vm then
      stale[#stale + 1] = { id = fact.id, name = fact.name, ha = vm.ha, status = vm.status }
      if vm.status ~= "down" then running[#running + 1] = stale[#stale] end
    end
  end
  -- HA first: the engine of a site that came back restarts what it believes to have died there.
  ctx:parallel(stale, function(vm)
    if vm.ha then ctx.target:vm(vm.id):set_ha { enabled = false } end
  end, { limit = 8 })
  ctx:parallel(running, function(vm)
    ctx:warn("VM " .. vm.name .. " is " .. vm.status .. " on " .. ctx.target.name .. ", on the copy of its disks that is given up: it is stopped there")
    -- One that is not up cannot shut down by itself, and its copy is given up.
    if vm.status == "up" then ctx.target:vm(vm.id):shutdown() else ctx.target:vm(vm.id):shutdown { grace = "30s", force = true } end
  end, { limit = 8 })
  for _, domain in ipairs(domains) do
    local how = ctx.target:storage_domain(domain.id):leave()
    ctx:log("storage domain " .. domain.name .. " left " .. ctx.target.name .. ": " .. (left_words[how] or how))
  end
  forget_luns(ctx, ctx.target)
  if ctx.dry_run then return end
  for id, vm in pairs(vms_at(ctx, ctx.target)) do
    ctx.target:vm(id):remove_diskless()
    ctx:log("VM " .. vm.name .. ", which has no disks, left " .. ctx.target.name)
  end
end

-- Of some VMs those that nobody among them comes after: they stop first.
local function nobody_needs(vms)
  local needed, free, rest = {}, {}, {}
  for _, fact in ipairs(vms) do
    for _, id in ipairs(fact.after or {}) do needed[id] = true end
  end
  for _, fact in ipairs(vms) do
    local list = needed[fact.id] and rest or free
    list[#list + 1] = fact
  end
  return free, rest
end

-- What stays takes with it what cannot be parted from it: its consistency group, which the array promotes as a whole, and the storage
-- domains of the VMs that lie on it. What this run has released already cannot be kept back any more.
local function keep_whole(ctx, stay, released)
  local grown = true
  local function keep(domain, why)
    if stay[domain.id] then return end
    if released[domain.id] then
      ctx:fail("storage domain " .. domain.name .. " is released at " .. ctx.source.name .. " already, and cannot be parted from what must stay: " .. why
        .. ". Mend what keeps it there, and go on")
    end
    stay[domain.id] = why
    grown = true
  end
  while grown do
    grown = false
    local groups, domains = {}, {}
    for _, domain in ipairs(ctx.facts.storage_domains) do
      domains[domain.id] = domain
      if stay[domain.id] and not groups[domain.group] then groups[domain.group] = domain.name end
    end
    for _, domain in ipairs(ctx.facts.storage_domains) do
      local with = groups[domain.group]
      if with then keep(domain, "storage domain " .. with .. " of its group " .. domain.group .. " stays, and a group is moved as a whole") end
    end
    for _, fact in ipairs(ctx.facts.vms) do
      local on = { fact.lease }
      for _, id in ipairs(fact.storage_domains or {}) do on[#on + 1] = id end
      local tied
      for _, id in ipairs(on) do
        if stay[id] then tied = true end
      end
      for _, id in ipairs(on) do
        if tied and domains[id] then keep(domains[id], "VM " .. fact.name .. " also lies on a storage domain that stays") end
      end
    end
  end
end

-- VMs that their engine cannot see are taken for down where their host is off, and stay where they are otherwise, with all that shares
-- their storage domains: what they write cannot be stopped. Each attempt decides anew what stays of that which is not released yet.
local function quarantine_unseen(ctx, there)
  local hosts, order = {}, {}
  for _, fact in ipairs(ctx.facts.vms) do
    local now = there[fact.id]
    if now and now.status == "unknown" then
      local host = now.host_id or ""
      if not hosts[host] then
        hosts[host] = {}
        order[#order + 1] = host
      end
      table.insert(hosts[host], fact)
    end
  end
  local stay = {}
  for _, host in ipairs(order) do
    local ok, err = pcall(function()
      if host == "" then error { message = "the engine does not say on which host it ran" } end
      local object = ctx.source:host(host)
      local power = object:power_status()
      if power.power ~= "off" then
        error { message = "its host " .. object.name .. " is not read as off (" .. power.power .. (power.why and ": " .. power.why or "") .. ")" }
      end
      for _, fact in ipairs(hosts[host]) do ctx.source:vm(fact.id):set_ha { enabled = false } end
      object:confirm_rebooted()
    end)
    if not ok then
      if must_stop(err) then error(err) end
      for _, fact in ipairs(hosts[host]) do
        for _, id in ipairs(fact.storage_domains or {}) do stay[id] = "VM " .. fact.name .. " cannot be stopped: " .. message_of(err) end
      end
    end
  end
  local released, here = {}, ctx.source:plan_storage_domains()
  for _, domain in ipairs(ctx.facts.storage_domains) do released[domain.id] = true end
  for _, domain in ipairs(here) do released[domain.id] = domain.status == "maintenance" end
  for id in pairs(released) do
    if released[id] then stay[id] = nil end
  end
  -- A lost SPM takes its data center down with it; one that was confirmed as rebooted is replaced after a while.
  ctx:parallel(here, function(domain)
    if domain.status == "active" or domain.status == "maintenance" or stay[domain.id] then return end
    local object = ctx.source:storage_domain(domain.id)
    if object:wait { status = "active" } then return end
    stay[domain.id] = "it is " .. tostring(object:status()) .. " there and cannot be put into maintenance"
  end)
  keep_whole(ctx, stay, released)
  for _, domain in ipairs(ctx.facts.storage_domains) do
    if stay[domain.id] then ctx:quarantine(domain.id, stay[domain.id]) end
  end
  if #ctx.facts.storage_domains == 0 then
    ctx:fail("nothing can be moved: " .. ctx.source.name .. " can release none of the storage domains")
  end
end

-- Calls stop for VMs in descending ranks; within a rank first for those that no other one comes after.
local function down_the_ranks(ctx, vms, title, stop, how)
  local ranks, order = {}, {}
  for _, fact in ipairs(vms) do
    if not ranks[fact.rank] then
      ranks[fact.rank] = {}
      order[#order + 1] = fact.rank
    end
    table.insert(ranks[fact.rank], fact)
  end
  table.sort(order, function(a, b) return a > b end)
  for _, number in ipairs(order) do
    ctx:stage(title .. number)
    local rest = ranks[number]
    while #rest > 0 do
      local wave
      wave, rest = nobody_needs(rest)
      ctx:parallel(wave, stop, how or {})
    end
  end
end

local function stop_one(ctx, fact)
  local vm = ctx.source:vm(fact.id)
  ctx:hook("before_stop", vm)
  vm:shutdown()
  ctx:hook("after_stop", vm)
end

---Planned: the VMs are shut down at the source, in descending ranks, and seen down. Before the first shutdown HA is switched off and
---delete protection lifted there for all of them; steps.repair restores both on the target.
function steps.stop_source(ctx)
  ctx:stage("stop " .. ctx.source.name)
  local there = vms_at(ctx, ctx.source)
  if ctx.facts.quarantine then
    quarantine_unseen(ctx, there)
    there = vms_at(ctx, ctx.source)
  end
  local mine = {}
  for _, fact in ipairs(ctx.facts.vms) do
    if there[fact.id] then mine[#mine + 1] = fact end
  end
  ctx:parallel(mine, function(fact)
    local vm, now = ctx.source:vm(fact.id), there[fact.id]
    if now.ha then vm:set_ha { enabled = false } end
    if now.delete_protected then vm:set_delete_protection(false) end
  end, { limit = 8 })
  local running = {}
  for _, fact in ipairs(mine) do
    -- One that went down after an earlier attempt was cut still has its after_stop before it.
    if there[fact.id].status ~= "down" or ctx.source:vm(fact.id).stopped_by_run then running[#running + 1] = fact end
  end
  down_the_ranks(ctx, running, "stop rank ", function(fact) stop_one(ctx, fact) end)
end

---For an action of the plan's own: the VMs that are up at ctx.target are shut down there, in descending ranks, with HA off so that the
---engine does not start them again. steps.boot starts those that ran before, and steps.repair gives them back their HA.
---Nothing is shut down without the evidence that starting it again needs: the other site answers and holds nothing, or a person
---confirms that it is down. { stay_down = true } shuts down what is not to be started again.
function steps.shut_down(ctx, options)
  ctx:stage("shut down " .. ctx.target.name, options)
  if not (options and options.stay_down) then ctx:evidence() end
  local there, running = vms_at(ctx, ctx.target), {}
  for _, fact in ipairs(ctx.facts.vms) do
    local now = there[fact.id]
    if now and now.status ~= "down" and not ctx.target:vm(fact.id).started_by_run then running[#running + 1] = fact end
  end
  down_the_ranks(ctx, running, "shut down rank ", function(fact)
    local vm = ctx.target:vm(fact.id)
    if there[fact.id].ha then vm:set_ha { enabled = false } end
    vm:shutdown()
  end, { limit = 8 })
end

-- The VM whose comment is changed so that the engine writes the domain's OVF store once more.
local function vm_to_touch(ctx, domain, there)
  for _, fact in ipairs(ctx.facts.vms) do
    for _, id in ipairs(fact.storage_domains or {}) do
      if id == domain.id and there[fact.id] then return fact end
    end
  end
  return nil
end

local function write_store(ctx, domain, there)
  local fact = vm_to_touch(ctx, domain, there)
  if fact then
    local comment = fact.comment and fact.comment ~= "" and fact.comment .. " " or ""
    ctx.source:vm(fact.id):touch(comment .. "[drrun " .. ctx.run.id .. "/" .. ctx.run.attempt .. "]")
  end
  local result = ctx.source:storage_domain(domain.id):update_ovf_store()
  if result.written then return end
  ctx:warn("the engine of " .. ctx.source.name .. " did not say that it wrote the OVF store of " .. domain.name .. " (no event 199): a copy of before the stop cannot be told by it")
end

---Planned: the source lets go of the storage. Each OVF store is written after the last VM was seen down; then all storage domains but
---the masters, then whichever is master by now, go into maintenance. The VMs stay registered there: up to here, and until the storage
---is promoted, drrun rollback undoes everything.
function steps.release_storage(ctx)
  ctx:stage("release " .. ctx.source.name)
  local there = vms_at(ctx, ctx.source)
  local up = {}
  for _, fact in ipairs(ctx.facts.vms) do
    if there[fact.id] and there[fact.id].status ~= "down" and not ctx.dry_run then up[#up + 1] = fact.name .. " is " .. there[fact.id].status end
  end
  if #up > 0 then ctx:fail("the storage cannot be released, VMs are not down at " .. ctx.source.name .. ": " .. table.concat(up, ", ")) end
  local domains, attached = ctx.source:plan_storage_domains(), {}
  for _, domain in ipairs(domains) do
    if domain.data_center_id and domain.data_center_id ~= "" and domain.status ~= "maintenance" then attached[#attached + 1] = domain end
  end
  ctx:parallel(attached, function(domain)
    if not domain.store_written then write_store(ctx, domain, there) end
  end)
  local others = {}
  for _, domain in ipairs(attached) do
    if not domain.master then others[#others + 1] = domain end
  end
  ctx:parallel(others, function(domain) ctx.source:storage_domain(domain.id):deactivate() end)
  for _, domain in ipairs(ctx.source:plan_storage_domains()) do
    ctx.source:storage_domain(domain.id):deactivate()
  end
end

---Evidence that the source cannot run the plan's VMs (invariant I1). Asks a person only where nothing can prove it.
function steps.evidence(ctx)
  ctx:stage "evidence"
  ctx:hook("confirm_source_down", { kind = "site", id = ctx.source.name, name = ctx.source.name })
  return ctx:evidence()
end

-- The consistency groups of the plan, or those that options name, in the order of their first storage domain.
local function groups_of(ctx, options)
  local groups, by_name = {}, {}
  for _, domain in ipairs(domains_of(ctx, options)) do
    local group = by_name[domain.group]
    if not group then
      group = { kind = "group", id = domain.group, name = domain.group, storage_domains = {} }
      by_name[domain.group] = group
      groups[#groups + 1] = group
    end
    table.insert(group.storage_domains, domain)
  end
  -- LUNs that are disks of VMs are promoted with the storage domains of their VMs.
  local group_of, target_of = {}, {}
  for _, domain in ipairs(ctx.facts.storage_domains) do group_of[domain.id] = by_name[domain.group] end
  for _, lun in ipairs(ctx.facts.luns or {}) do target_of[lun.source] = lun.target end
  for _, fact in ipairs(ctx.facts.vms) do
    local group = group_of[(fact.storage_domains or {})[1]]
    for _, disk in ipairs(fact.luns or {}) do
      if group and target_of[disk.lun] then
        group.luns = group.luns or {}
        table.insert(group.luns, { id = target_of[disk.lun], source = disk.lun, vm = fact.name })
      end
    end
  end
  return groups
end

-- What an array has to do with: the storage domains of a group, and its LUNs.
local function group_list(group)
  local names = {}
  for _, domain in ipairs(group.storage_domains) do names[#names + 1] = domain.name end
  for _, lun in ipairs(group.luns or {}) do names[#names + 1] = "LUN " .. lun.id .. " of VM " .. lun.vm end
  return table.concat(names, ", ")
end

---Planned: before the first shutdown somebody says that the array replicates to the target, for each consistency group that no hook
---promote_storage or ensure_replication speaks for. Failback without reverse replication would end on old data, with the VMs down.
function steps.confirm_replication(ctx)
  local unspoken = {}
  for _, group in ipairs(groups_of(ctx)) do
    if not ctx:has_hook("promote_storage", group.name) and not ctx:has_hook("ensure_replication", group.name) then unspoken[#unspoken + 1] = group end
  end
  if #unspoken == 0 then return end
  ctx:stage "replication"
  for _, group in ipairs(unspoken) do
    local answer = ctx:prompt {
      name = "replication:" .. group.name,
      text = "Does the array replicate group " .. group.name .. " (" .. group_list(group) .. ") from " .. ctx.source.name .. " to " .. ctx.target.name .. " now?",
      choices = { "yes", "no" },
      refuses = "no", danger = "data_loss",
    }
    if answer.refused then
      ctx:fail("group " .. group.name .. " is not replicated from " .. ctx.source.name .. " to " .. ctx.target.name
        .. ": start the replication at the array, let it copy everything, and come back; nothing was shut down")
    end
  end
end

---Planned: before the first shutdown the hook ensure_replication sees that each consistency group is replicated to the target. It comes
---after steps.clean, since starting a replication overwrites the copy at the target.
function steps.ensure_replication(ctx)
  if not ctx:has_hook "ensure_replication" then return end
  ctx:stage "replication"
  for _, group in ipairs(groups_of(ctx)) do ctx:hook("ensure_replication", group) end
end

-- Makes the source's copy read-only. Where the source is lost its array may be lost with it: then the promotion goes on without.
local function demote(ctx, group)
  if ctx.planned then
    ctx:hook("demote_storage", group)
    return
  end
  local ok, err = pcall(ctx.hook, ctx, "demote_storage", group)
  if ok then return end
  if must_stop(err) then error(err) end
  ctx:warn("the storage of group " .. group.name .. " was not made read-only at " .. ctx.source.name .. ": when that site comes back, its array lets it write to its old copy. "
    .. message_of(err))
end

-- What the operator is asked where no hook promotes a group.
local function promotion_question(ctx, group, list)
  local text = "Make the copy on site " .. ctx.target.name .. " writable at the array (" .. list .. ").\n"
  if ctx.planned then
    return text .. "It must hold everything that was written at " .. ctx.source.name .. " up to now. When it is writable, answer writable,as_of=TIME with the time of\n"
      .. "its last write, or writable,in_sync when the array says that it is in sync"
  end
  return text .. "When it is, answer writable,as_of=TIME with the time of its last write (or as_of=unknown)"
end

---The target's copy of each consistency group is made writable: by the hook promote_storage, else by a person who says so. In a planned
---move it must hold the last write of the source (invariant I6). The hook demote_storage is called before; in an unplanned failover its
---error is a warning. { groups = { "NAME" } } takes these consistency groups only.
function steps.promote(ctx, options)
  ctx:stage("promote", options)
  for _, group in ipairs(groups_of(ctx, options)) do
    local list = group_list(group)
    demote(ctx, group)
    local answer = ctx:hook("promote_storage", group)
    if answer == nil then
      answer = ctx:prompt { name = "promote_storage:" .. group.name, text = promotion_question(ctx, group, list), needs = { "writable" } }
    end
    if type(answer) ~= "table" or not answer.writable then
      ctx:fail("the storage of group " .. group.name .. " (" .. list .. ") was not promoted: the answer must say writable")
    end
    local judged = ctx:judge_copy(group.name, answer)
    local as_of = answer.in_sync and "in_sync" or tostring(answer.as_of or "unknown")
    ctx:log("storage of group " .. group.name .. " is writable on " .. ctx.target.name .. (answer.in_sync and ", in sync" or ", as of " .. as_of))
    local what = "data of group " .. group.name .. " (" .. list .. "): "
    if judged == "holds" then
      ctx:verdict("data:" .. group.name, what .. "nothing lost, the copy holds the last write of " .. ctx.source.name)
    elseif as_of == "unknown" then
      ctx:verdict("data:" .. group.name, what .. "how much was lost is unknown")
    else
      ctx:verdict("data:" .. group.name, what .. "as of " .. as_of .. ", what was written later is lost")
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

---The storage domains are imported, attached and seen active. Nothing is attached before every import has proved its copy good, every
---host has been seen to see it, and no lease of a lost host can be alive on it. { groups = { "NAME" } } takes these consistency groups
---only.
function steps.import(ctx, options)
  ctx:stage("import", options)
  local domains = take_domains(ctx, options)
  ctx.target:refresh_hosts()
  ctx.target:login_iscsi()
  ctx.target:require_luns()
  ctx:parallel(domains, function(domain) import_one(ctx, domain) end)
  ctx.target:require_visible()
  ctx:await_leases()
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

-- Disks that came with the storage and that no VM of the plan has are told of: nobody would miss them until they are needed.
local function tell_loose_disks(ctx)
  local planned = {}
  for _, fact in ipairs(ctx.facts.vms) do
    for _, id in ipairs(fact.disks or {}) do planned[id] = true end
  end
  for _, domain in ipairs(ctx.facts.storage_domains) do
    local names = {}
    local ok, disks = pcall(function() return ctx.target:storage_domain(domain.id):unregistered_disks() end)
    if not ok and must_stop(disks) then error(disks) end
    for _, disk in ipairs(ok and disks or {}) do
      if not planned[disk.id] then names[#names + 1] = disk.name ~= "" and disk.name or disk.id end
    end
    table.sort(names)
    if #names > 0 then
      local list = table.concat(names, ", ", 1, math.min(#names, 8)) .. (#names > 8 and " and " .. (#names - 8) .. " more" or "")
      ctx:warn("storage domain " .. domain.name .. " holds " .. (#names == 1 and "a disk" or #names .. " disks") .. " that no VM of the plan has, not registered on " .. ctx.target.name .. ": " .. list
        .. ". To have it there: Storage, Domains, " .. domain.name .. ", Disk Import")
    end
  end
end

---Templates, then VMs, are registered from the OVF stores. A VM that no store holds is marked missing. { groups = { "NAME" } } takes what
---lies on these consistency groups: a VM on several comes with the last of them. In a planned move every group is imported before.
function steps.register(ctx, options)
  ctx:stage("register", options)
  local domains = take_domains(ctx, options)
  local missing = first_unasked(ctx)
  if options and options.groups and missing and ctx.planned then
    ctx:fail("storage domain " .. missing.name .. " is not imported yet: in a planned move the copies of all are proved before the first VM is registered "
      .. "(invariant I6). Import every group, then register")
  end
  local unregistered = {}
  for _, domain in ipairs(domains) do
    for _, vm in ipairs(ctx.target:storage_domain(domain.id):unregistered_vms()) do
      if not unregistered[vm.id] then unregistered[vm.id] = vm end
    end
  end
  local registered = {}
  for _, vm in ipairs(ctx.target:vms()) do registered[vm.id] = true end
  ctx:store_proof()
  for _, domain in ipairs(domains) do
    for _, template in ipairs(ctx.target:storage_domain(domain.id):unregistered_templates()) do template:register() end
  end

  ctx:parallel(vms_of(ctx, options), function(fact)
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
  tell_loose_disks(ctx)
end

-- What a VM on the target lacks of what it had at the source.
local function lacks_ha(fact, now) return fact.ha and (not now.ha or fact.lease ~= nil and now.lease ~= fact.lease) end
local function lacks_protection(fact, now) return fact.delete_protected and not now.delete_protected end
local function has_mark(ctx, fact, now)
  local comment = now.comment or ""
  return comment ~= (fact.comment or "") and comment:find("[drrun " .. ctx.run.id .. "/", 1, true) ~= nil
end
local function lacks(ctx, fact, now) return lacks_ha(fact, now) or lacks_protection(fact, now) or has_mark(ctx, fact, now) end

-- Gives a VM back what it had before its shutdown.
local function restore_one(ctx, fact, now)
  local vm = ctx.target:vm(fact.id)
  if lacks_ha(fact, now) then vm:set_ha { enabled = true, priority = fact.ha_priority, lease = fact.lease } end
  if lacks_protection(fact, now) then vm:set_delete_protection(true) end
  if has_mark(ctx, fact, now) then vm:touch(fact.comment or "") end
end

local function restore_all(ctx, there)
  local todo = {}
  for _, fact in ipairs(ctx.facts.vms) do
    local now = there[fact.id]
    if now and lacks(ctx, fact, now) then todo[#todo + 1] = { id = fact.id, fact = fact, now = now } end
  end
  ctx:parallel(todo, function(one)
    local ok, err = pcall(restore_one, ctx, one.fact, one.now)
    if ok then return end
    if must_stop(err) then error(err) end
    ctx:skipped("VM " .. one.fact.name .. " does not have back its high availability, delete protection or comment: " .. message_of(err))
  end, { limit = 8 })
end

---Planned: high availability with its lease, delete protection and comment become on the target what they were at the source. In an action
---of the plan's own: what they were when it began.
function steps.repair(ctx)
  if not ctx.planned and not ctx.facts.own and ctx.action ~= "rollback" then return end
  ctx:stage "repair"
  local there = vms_at(ctx, ctx.target)
  if ctx.dry_run and not ctx.facts.own then -- registered by then, as their OVFs were written
    there = {}
    for _, fact in ipairs(ctx.facts.vms) do there[fact.id] = {} end
    for _, domain in ipairs(ctx.facts.storage_domains) do
      local fact = vm_to_touch(ctx, domain, vms_at(ctx, ctx.source))
      if fact then there[fact.id] = { comment = "[drrun " .. ctx.run.id .. "/" } end
    end
  end
  restore_all(ctx, there)
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

-- An order that a boot of some VMs would break is a fault of the workflow, told before anything of it starts.
local function refuse_broken_order(ctx, chosen, by_id)
  local here = {}
  for _, fact in ipairs(chosen) do here[fact.id] = true end
  for _, fact in ipairs(chosen) do
    for _, id in ipairs(fact.after or {}) do
      local before = by_id[id]
      if before and not here[id] and not booted[id] and ctx.target:vm(fact.id):to_start().start and ctx.target:vm(id):to_start().start then
        ctx:fail("VM " .. fact.name .. " comes after " .. before.name .. ", which this boot leaves out and none before it has started. "
          .. "Nothing of this boot was started: take " .. before.name .. " in, or boot it before")
      end
    end
  end
end

-- The VMs to boot by rank, in ascending order. A rank of which only some VMs are booted has an id of its own for each part: hooks at ranks
-- are recorded by it.
local function ranks_of(ctx, chosen)
  local ranks, order, size, parts = {}, {}, {}, {}
  for _, fact in ipairs(ctx.facts.vms) do
    size[fact.rank] = (size[fact.rank] or 0) + 1
    if booted[fact.id] and booted[fact.id] > (parts[fact.rank] or 0) then parts[fact.rank] = booted[fact.id] end
  end
  for _, fact in ipairs(chosen) do
    local rank = ranks[fact.rank]
    if not rank then
      rank = { number = fact.rank, part = (parts[fact.rank] or 0) + 1, vms = {} }
      ranks[fact.rank] = rank
      order[#order + 1] = rank
    end
    table.insert(rank.vms, fact)
  end
  for _, rank in ipairs(order) do
    local id, name = tostring(rank.number), "rank " .. rank.number
    if #rank.vms < size[rank.number] then id, name = id .. "." .. rank.part, name .. ", part " .. rank.part end
    rank.subject = { kind = "rank", id = id, name = name, vms = rank.vms }
  end
  table.sort(order, function(a, b) return a.number < b.number end)
  return order
end

---The VMs start in ascending ranks. A rank is up when each of its VMs met its boot condition or failed;
---a required VM that did not come up stops the run. Options choose some of the VMs: { ranks = { 0, 1 } }, { vms = { "db1" } },
---{ groups = { "NAME" } }, { only = function(vm) return vm.rank < 3 end }. What an earlier boot of the workflow took is not taken again,
---and what no boot took is reported, with exit code 4.
function steps.boot(ctx, options)
  ctx:stage("boot", options)
  take_domains(ctx, options)
  local by_id, chosen = {}, {}
  for _, fact in ipairs(ctx.facts.vms) do by_id[fact.id] = fact end
  for _, fact in ipairs(vms_of(ctx, options)) do
    if not booted[fact.id] then chosen[#chosen + 1] = fact end
  end
  refuse_broken_order(ctx, chosen, by_id)
  for _, rank in ipairs(ranks_of(ctx, chosen)) do
    ctx:stage("boot " .. rank.subject.name)
    ctx:evidence()
    ctx:hook("before_rank", rank.subject)
    local states = ctx:states()
    ctx:parallel(rank.vms, function(fact)
      local ok, err = pcall(boot_one, ctx, fact, states, by_id)
      ctx:done_with(fact.id)
      if not ok then error(err) end
    end)
    for _, fact in ipairs(rank.vms) do booted[fact.id] = rank.part end
    ctx:hook("after_rank", rank.subject)
    states = ctx:states()
    for _, fact in ipairs(rank.vms) do
      local state = states[fact.id]
      if fact.required and state ~= "up" and state ~= "not_started" and not ctx.dry_run then
        ctx:fail("VM " .. fact.name .. " of rank " .. rank.number .. " is required and " .. tostring(state) .. ": the ranks after it are not started", fact)
      end
    end
  end
end

local running = { up = true, powering_up = true, reboot_in_progress = true, migrating = true }

---Reads the VMs once more and reports those that did not stay up.
function steps.verify(ctx)
  if ctx.dry_run then return end
  ctx:stage "verify"
  local there, now = vms_at(ctx, ctx.target), {}
  for id, vm in pairs(there) do now[id] = vm.status end
  -- The copy of an unplanned move can be that of a planned stop which was undone.
  if not ctx.planned then restore_all(ctx, there) end
  local states = ctx:states()
  for _, fact in ipairs(ctx.facts.vms) do
    if (states[fact.id] == "up" or states[fact.id] == "unverified") and not running[now[fact.id]] then
      ctx:mark(ctx.target:vm(fact.id), "failed", "it was up and is " .. tostring(now[fact.id] or "gone") .. " now")
    end
  end
end

---Planned: what the target holds now leaves the engine of the source: the storage domains with the registered copies of their VMs, and VMs
---without disks. Nothing leaves that the target does not have.
function steps.leave_source(ctx)
  ctx:stage("leave " .. ctx.source.name)
  local function attempt(what, fn)
    local ok, err = pcall(fn)
    if ok then return end
    if type(err) == "table" and err.code == "cancelled" then error(err) end
    ctx:skipped(what .. " is still known to " .. ctx.source.name .. ": " .. message_of(err))
  end
  for _, domain in ipairs(ctx.source:plan_storage_domains()) do
    attempt("storage domain " .. domain.name, function() ctx.source:storage_domain(domain.id):leave() end)
  end
  attempt("the entry of a LUN", function() forget_luns(ctx, ctx.source) end)
  if ctx.dry_run then return end
  local there = vms_at(ctx, ctx.source)
  for _, fact in ipairs(ctx.facts.vms) do
    if there[fact.id] and #(fact.storage_domains or {}) > 0 then
      ctx:skipped("VM " .. fact.name .. " is still known to " .. ctx.source.name .. ": it leaves with the last storage domain of its disks")
    elseif there[fact.id] then
      attempt("VM " .. fact.name, function() ctx.source:vm(fact.id):remove_diskless() end)
    end
  end
end

-- Waits until a guest that was asked to shut down has done so, or has not and is up again.
local function await_shutdown(ctx, fact)
  local vm = ctx.target:vm(fact.id)
  ctx:log("VM " .. fact.name .. " is still shutting down on " .. ctx.target.name .. ": what becomes of that is waited for")
  for _ = 1, 40 do -- ten minutes: the grace of a shutdown is shorter
    if vm:status() ~= "powering_down" then return end
    pcall(function() vm:wait { status = "down", timeout = "15s" } end)
  end
end

---Undoing a planned move before its storage was promoted: the storage domains are activated again where they were released. A shutdown
---that is under way cannot be taken back, and is waited for.
function steps.take_back(ctx)
  ctx:stage("take back " .. ctx.target.name)
  local domains = ctx.target:plan_storage_domains()
  local known = {}
  for _, domain in ipairs(domains) do known[domain.id] = true end
  for _, domain in ipairs(ctx.facts.storage_domains) do
    if not known[domain.id] then ctx:fail("storage domain " .. domain.name .. " is gone from the engine of " .. ctx.target.name .. ": it cannot be activated there again") end
  end
  for i = #domains, 1, -1 do -- masters first: the others need one
    ctx.target:storage_domain(domains[i].id):activate()
  end
  local there, leaving = vms_at(ctx, ctx.target), {}
  for _, fact in ipairs(ctx.facts.vms) do
    if there[fact.id] and there[fact.id].status == "powering_down" then leaving[#leaving + 1] = fact end
  end
  ctx:parallel(leaving, function(fact) await_shutdown(ctx, fact) end)
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

-- What steps.with takes, refused with the nearest name before anything is done.
local function check_changes(ctx, changes)
  local kinds, names = { "after", "before", "instead", "skip" }, {}
  for name in pairs(steps) do names[#names + 1] = name end
  table.sort(names)
  local function refuse(what, name, known)
    local nearest = dr.nearest(name, known)
    ctx:fail(what .. ": " .. (nearest and "did you mean " .. nearest .. "?" or "there are " .. table.concat(known, ", ")))
  end
  local function check_stage(name)
    if type(name) ~= "string" or name == "with" or not steps[name] then refuse("the workflow has no stage " .. tostring(name), tostring(name), names) end
  end
  for kind, given in pairs(changes) do
    if type(kind) ~= "string" or not set_of(kinds)[kind] then refuse("a workflow takes no " .. tostring(kind), tostring(kind), kinds) end
    if type(given) ~= "table" then ctx:fail(kind .. " must be a table: " .. (kind == "skip" and '{ "repair" }' or "{ boot = function(ctx) … end }")) end
    for key, value in pairs(given) do
      check_stage(kind == "skip" and value or key)
      if kind ~= "skip" and type(value) ~= "function" then ctx:fail(kind .. "." .. key .. " must be a function (ctx)") end
    end
  end
end

---The stages with changes, for a workflow that is another one but for a few lines. Changes are { before = { boot = function(ctx) … end } },
---after and instead in the same way, and skip = { "repair" }: stages that are left out, which the report says. The built-in workflows
---take them too: dr.workflows.failover(ctx, changes).
function steps.with(ctx, changes)
  if changes == nil then return steps end
  check_changes(ctx, changes)
  local before, after, instead, skip = changes.before or {}, changes.after or {}, changes.instead or {}, set_of(changes.skip) or {}
  local changed = {}
  for name, stage in pairs(steps) do
    changed[name] = function(ctx, options)
      if skip[name] then
        ctx:warn("the stage " .. name .. " is left out, as the plan's workflow says")
        return nil
      end
      if before[name] then before[name](ctx, options) end
      local result = (instead[name] or stage)(ctx, options)
      if after[name] then after[name](ctx, options) end
      return result
    end
  end
  return changed
end

return steps
