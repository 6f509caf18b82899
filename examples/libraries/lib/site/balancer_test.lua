-- The load balancer, played by a function.
local dr, test = require "dr", require "test"
local balancer = require "site.balancer"

-- A balancer whose draining member loses a connection each time it is looked at.
local function pool(t, connections)
  return t:http(function(request)
    if request.method == "GET" then
      connections = math.max(0, connections - 1)
      return { json = { connections = connections } }
    end
    return { json = {} }
  end)
end

local function options(server, drain)
  return balancer {
    url = server.url, token = dr.secret "balancer_token", pool = "shop", drain = drain,
    members = { vm2 = { primary = "10.0.0.10:443", secondary = "10.1.0.10:443" } },
  }
end

local function states(server)
  local list = {}
  for _, request in ipairs(server.requests) do
    if request.method == "PUT" then list[#list + 1] = request.path:match "[^/]+$" .. " " .. request.json.state end
  end
  return list
end

test.case("a member drains before its VM stops, and takes part at the other site", function(t)
  local server = pool(t, 3)
  local result = t:failover { use = { options(server) }, planned = true, secrets = { balancer_token = "x" } }
  t:equal(result.exit, 0)
  t:equal(states(server), { "10.0.0.10:443 draining", "10.0.0.10:443 disabled", "10.0.0.10:443 disabled", "10.1.0.10:443 enabled" })
end)

test.case("connections that do not end are a warning", function(t)
  local server = pool(t, 1000)
  local result = t:failover { use = { options(server, "20s") }, planned = true, secrets = { balancer_token = "x" } }
  t:equal(result.exit, 0)
  t:match(table.concat(result.warnings, "\n"), "vm2 is stopped with connections open")
end)
