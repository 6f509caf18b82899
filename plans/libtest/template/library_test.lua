-- The test of MODULE. Each case has two simulated sites of its own: drrun test-lib FOLDER
local test = require "test"
local VARIABLE = require "MODULE"

-- Plays the array: what the real one would do to its storage, this one does in the lab.
local function array(t, answer)
  return t:http(function(request)
    if request.path == "/health" then return { status = 200 } end
    if request.path == "/groups/all/promote" then
      t.lab:promote "nfs_ds"
      return answer or { json = { last_write = "2026-11-20T14:30:00Z" } }
    end
    return { status = 404 }
  end)
end

-- How often the array was asked to promote.
local function promotions(server)
  local count = 0
  for _, request in ipairs(server.requests) do
    if request.method == "POST" then count = count + 1 end
  end
  return count
end

test.case("a failover promotes the storage, and the VMs start", function(t)
  local server = array(t)
  local result = t:failover { use = { VARIABLE { address = server.url } } }
  t:equal(result.exit, 0)
  t:equal(t.lab:running "secondary", { "vm1", "vm2", "vm3" })
  t:equal(promotions(server), 1)
end)

test.case("a run that was killed behind the promotion does not promote again", function(t)
  local server = array(t)
  local result = t:failover { use = { VARIABLE { address = server.url } }, kill_after = "promote_storage" }
  t:equal(result.exit, 0)
  t:equal(promotions(server), 1)
end)

test.case("an array that promotes and answers nothing does not end the run", function(t)
  local server = array(t, { status = 200, body = "" })
  local result = t:failover { use = { VARIABLE { address = server.url } } }
  t:equal(result.exit, 0)
  t:equal(promotions(server), 1)
end)

test.case("nothing is begun while the array does not answer", function(t)
  local result = t:failover { use = { VARIABLE { address = "http://127.0.0.1:1", timeout = "1s" } } }
  t:ok(result.exit ~= 0, "the failover went on")
  t:equal(t.lab:changes(), {})
end)
