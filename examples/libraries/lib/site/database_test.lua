-- The database, played by a function that answers SSH commands.
local dr, test = require "dr", require "test"
local database = require "site.database"

local function run(t, answer, timeout)
  local asked = 0
  local host = t:ssh(function()
    asked = asked + 1
    return answer(asked)
  end)
  local library = database {
    password = dr.secret "database_password", port = host.port, timeout = timeout,
    databases = { vm1 = { host = host.host, query = "select count(*) > 0 from orders" } },
  }
  local result = t:failover { use = { library }, secrets = { database_password = "x" } }
  return result, host
end

test.case("a database that recovers is waited for", function(t)
  local result, host = run(t, function(asked) return asked < 3 and "f\n" or "t\n" end)
  t:equal(result.vms.vm1.status, "up")
  t:equal(#host.commands, 3)
  t:equal(host.commands[1], "psql --no-psqlrc --tuples-only --no-align --command 'select count(*) > 0 from orders'")
end)

test.case("one that stays bad makes its VM unverified", function(t)
  local result = run(t, function() return { code = 2, stderr = "no connection" } end, "1m")
  t:equal(result.exit, 4)
  t:equal(result.vms.vm1.status, "unverified")
  t:match(table.concat(result.warnings, "\n"), "no connection")
end)
