-- How this site moves its replications, in whatever way an array is spoken to: array_rest.lua and array_ssh.lua say that. Each gives
-- connect(site, options), which returns the array of a site as these functions:
--   show(name)                 a replication: role, state, access, volume, peer_access, last_sync, and job where one works on it
--   change(name, what, flags)  begins "update", "quiesce", "resume", "break" or "resync", and returns the job
--   protect(volume)            begins to make a volume read-only, and returns the job
--   job(id)                    a job: id, state, error
-- Every function below looks first and does only what is still to be done. So a run that was cut can call it again.
local dr, time = require "dr", require "time"

local replication = {}

-- The name that the array gives to the replication of a storage domain: the storage domain's own, unless the plan says otherwise.
local function name_of(domain, options)
  return (options.replications or {})[domain.name] or domain.name
end

-- A replication, once nobody works on it: after a cut its last job may still run.
local function settled(ctx, array, name)
  return ctx:wait_for("the array of " .. array.site .. " to end what it does to " .. name, function()
    local now = array.show(name)
    return not now.job and now
  end, { timeout = "2h" })
end

-- Begins a change and waits until the array has made it.
local function make(ctx, array, what, begin)
  ctx:step(what .. " at the array of " .. array.site, function()
    local id = begin().id
    local job = ctx:wait_for("job " .. id .. " of the array of " .. array.site .. " (" .. what .. ")", function()
      local job = array.job(id)
      return job.state ~= "running" and job
    end, { timeout = "2h" })
    if job.state ~= "done" then error("the array of " .. array.site .. " did not " .. what .. ": " .. job.error.message, 0) end
  end)
end

local function change(ctx, array, name, what, flags)
  make(ctx, array, what .. " " .. name, function() return array.change(name, what, flags) end)
end

-- Planned: before the first shutdown each replication runs from the source to the target.
local function ensure(ctx, group, options, connect)
  local array = connect(ctx.source.name, options)
  for _, domain in ipairs(group.storage_domains) do
    local name = name_of(domain, options)
    local now = settled(ctx, array, name)
    if now.state == "broken" then
      if now.peer_access == "read-write" and not options.discard_old then
        error("the copy of " .. name .. " at " .. ctx.target.name .. " is writable, and replicating to it loses what was written there: look at it, "
          .. "then make it read-only at its array, or set discard_old = true", 0)
      end
      change(ctx, array, name, "resync", { discard = options.discard_old })
    elseif now.role ~= "source" then
      error(name .. " is replicated from " .. ctx.target.name .. " to " .. ctx.source.name .. ", which is the wrong way round", 0)
    elseif now.state ~= "replicating" then
      change(ctx, array, name, "resume")
    end
  end
end

-- The source's volumes become read-only: whatever starts there again cannot write.
local function demote(ctx, group, options, connect)
  local array = connect(ctx.source.name, options)
  for _, domain in ipairs(group.storage_domains) do
    local now = settled(ctx, array, name_of(domain, options))
    if now.access ~= "read-only" then
      make(ctx, array, "protect " .. now.volume, function() return array.protect(now.volume) end)
    end
  end
end

-- The target's volumes become writable. In a planned move the last writes are brought over before.
local function promote(ctx, group, options, connect)
  local array, as_of = connect(ctx.target.name, options), nil
  for _, domain in ipairs(group.storage_domains) do
    local name = name_of(domain, options)
    local now = settled(ctx, array, name)
    if now.role ~= "target" then error("the array of " .. array.site .. " holds no copy of " .. name .. ", it is the source there", 0) end
    if now.state ~= "broken" then
      if now.state == "replicating" then
        if ctx.planned then change(ctx, array, name, "update") end
        change(ctx, array, name, "quiesce")
      end
      change(ctx, array, name, "break")
      now = settled(ctx, array, name)
    end
    if not as_of or time.between(now.last_sync, as_of) > 0 then as_of = now.last_sync end -- the oldest copy counts
  end
  return { writable = true, as_of = as_of }
end

-- The target's volumes are replicated to the site that was left, where that can be. The VMs run already: nothing here stops the run.
local function reverse(ctx, group, options, connect)
  local array, ready = connect(ctx.target.name, options), true
  for _, domain in ipairs(group.storage_domains) do
    local name = name_of(domain, options)
    local ok, err = pcall(function()
      local now = settled(ctx, array, name)
      if now.state == "broken" then
        if now.peer_access == "unreachable" then error("the array of " .. ctx.source.name .. " does not answer", 0) end
        change(ctx, array, name, "resync", { discard = options.discard_old })
      elseif now.role ~= "source" or now.state ~= "replicating" then
        error("it is " .. now.state .. ", and " .. array.site .. " is its " .. now.role, 0)
      end
    end)
    if not ok then
      ready = false
      ctx:warn(name .. " is not replicated from " .. ctx.target.name .. " to " .. ctx.source.name .. ": " .. tostring(err))
    end
  end
  return { ready = ready }
end

-- Tests: a clone of each volume of the target, of which nobody but the test takes notice.
local function snapshot(ctx, group, options, connect)
  local array, clones = connect(ctx.target.name, options), {}
  for _, domain in ipairs(group.storage_domains) do
    local volume = array.show(name_of(domain, options)).volume
    if not array.clone(volume, ctx.run.id) then
      make(ctx, array, "clone " .. volume, function() return array.make_clone(volume, ctx.run.id) end)
    end
    clones[domain.id] = array.clone(volume, ctx.run.id).path
  end
  return { clones = clones }
end

local function discard(ctx, group, options, connect)
  local array = connect(ctx.target.name, options)
  for _, domain in ipairs(group.storage_domains) do
    local volume = array.show(name_of(domain, options)).volume
    if array.clone(volume, ctx.run.id) then
      make(ctx, array, "delete the clone of " .. volume, function() return array.drop_clone(volume, ctx.run.id) end)
    end
  end
end

-- Nothing begins before the arrays let us in and know the replications. Of a site that is lost, nobody expects an answer.
local function check(ctx, options, groups, connect)
  for _, site in ipairs { ctx.target, ctx.planned and ctx.source or nil } do
    local array = connect(site.name, options)
    for _, group in ipairs(groups) do
      for _, domain in ipairs(group.storage_domains) do array.show(name_of(domain, options)) end
    end
  end
end

---A library of hooks for arrays that connect speaks to. at are the options by which one of them is reached.
function replication.library(name, at, connect)
  local function hook(run, timeout)
    return { run = function(ctx, group, options) return run(ctx, group, options, connect) end, timeout = timeout, on_cut = "retry" }
  end
  return dr.library {
    name = name, version = "1.0",
    options = {
      primary = { type = "table", required = true, fields = at, doc = "The array of the primary site." },
      secondary = { type = "table", required = true, fields = at, doc = "The array of the secondary site." },
      replications = { type = "table", doc = "What the array calls the replication of a storage domain, by the domain's name. Default: the same." },
      discard_old = { type = "boolean", default = false, doc = "A copy that was written to may be overwritten, when its site is not the one that counts any more." },
    },
    hooks = {
      ensure_replication = hook(ensure, "3h"), demote_storage = hook(demote, "10m"), promote_storage = hook(promote, "3h"),
      reverse_replication = hook(reverse, "3h"), snapshot_replica = hook(snapshot, "30m"), discard_snapshot = hook(discard, "30m"),
    },
    check = function(ctx, options, groups) check(ctx, options, groups, connect) end,
  }
end

return replication
