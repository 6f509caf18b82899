local test = require "test"
local array = require "site.array"

-- An array that does what it is told, in the lab.
local function fake(t)
  return t:http(function(request)
    if request.path ~= "/promote" then return { status = 404 } end
    t.lab:promote "nfs_ds"
    return { json = { state = "writable" } }
  end)
end

test.case("a failover promotes the copy once", function(t)
  local server = fake(t)
  local result = t:failover { use = { array { url = server.url } } }
  t:equal(result.exit, 0)
  t:equal(result.vms.vm1.status, "up")
  t:equal(#server.requests, 1)
  t:equal(server.requests[1].json, { group = "all" })
  t:equal(t.lab:running "secondary", { "vm1", "vm2", "vm3" })
  t:contains(result.log, "the array says writable")
  t:contains(t.lab:changes(), "secondary start vm1")
end)

test.case("killed after the promotion, it does not promote again", function(t)
  local server = fake(t)
  local result = t:failover { use = { array { url = server.url } }, kill_after = "promote_storage" }
  t:equal(result.exit, 0)
  t:equal(result.kills, 1)
  t:equal(#server.requests, 1)
end)

test.case("killed in the promotion, it asks a person", function(t)
  local server
  server = t:http(function(request)
    t.lab:promote "nfs_ds"
    if #server.requests == 1 then t:kill() end
    return { json = { state = "writable" } }
  end)
  local result = t:failover { use = { array { url = server.url } } }
  t:equal(result.exit, 5)
  t:equal(result.error.code, "step-cut")
  t:equal(#server.requests, 1)
end)

test.case("the hook alone", function(t)
  local server = t:http(function() return { json = { state = "writable" } } end)
  local answer = t:hook("promote_storage", { use = { array { url = server.url } } })
  t:equal(answer, { writable = true, as_of = "unknown" })
  t:equal(#server.requests, 1)
  answer = t:hook("promote_storage", { subject = "all" })
  t:ok(answer.writable)
  t:equal(#server.requests, 2)
end)

test.case("an array that refuses stops the run", function(t)
  local server = t:http(function() return { status = 503, body = "busy" } end)
  t:raises("http-failed", function() t:hook("promote_storage", { use = { array { url = server.url } } }) end, { what = "503" })
  local result = t:failover()
  t:equal(result.exit, 5)
  t:match(result.error.message, "promote_storage %(array%)")
end)

test.case("a dry run asks the array for nothing", function(t)
  local server = fake(t)
  local result = t:failover { use = { array { url = server.url } }, dry_run = true }
  t:equal(result.exit, 0)
  t:equal(#server.requests, 0)
  t:ok(#result.dry_run.calls > 3)
  t:equal(t.lab:changes(), {})
end)
