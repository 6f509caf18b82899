local test = require "test"
local switch = require "switch"

test.case("a value is another one", function(t)
  local result = t:failover { use = { switch { name = "core" } } }
  t:equal(result.vms.vm1.status, "down", "vm1")
end)

test.case("it asserts nothing", function(t) t:failover { use = { switch { name = "core" } } } end)

test.case("it raises another error", function(t)
  t:raises("no-such-code", function() error { code = "busy", message = "the switch is busy" } end)
end)

test.case("it raises none", function(t) t:raises(nil, function() end) end)

test.case("its hook fails", function(t)
  local result = t:failover { use = { switch { name = "broken" } } }
  t:equal(result.exit, 0)
end)

test.case("the old site comes back", function(t)
  local result = t:failover { use = { switch { name = "core" } } }
  t:equal(result.exit, 0)
  t.lab:heal "primary"
  t.lab:wait "20m"
end)

test.case("a mistake in the test", function(t)
  local result = t:failover { use = { switch { name = "core" } } }
  t:equal(result.vms.vm9.status, "up")
end)

test.case("a function is no option", function(t)
  t:failover { use = { switch { name = "core" }, test } }
end)

test.case("an answering function fails", function(t)
  local server = t:http(function(request) return request.nothing.at.all end)
  local result = t:failover { plan = 'plan:on("before_run", function() pcall(require "http".get, "' .. server.url .. '/x") end)' }
  t:equal(result.exit, 0)
end)

test.case("never killed", function(t)
  t:failover { use = { switch { name = "core" } }, kill_after = "demote_storage" }
end)

test.case("a plan that is wrong", function(t)
  local result = t:failover { plan = 'plan:on("after_runs", function() end)' }
  t:equal(result.exit, 0)
end)
