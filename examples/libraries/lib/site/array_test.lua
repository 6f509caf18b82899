-- Both drivers against the arrays of the lab: drrun test-lib lib
local dr, test = require "dr", require "test"

local secrets = { primary_array_password = "lab-primary-array-password", secondary_array_password = "lab-secondary-array-password" }

-- The options by which each driver reaches the arrays of a test.
local function reach(t, driver)
  local options = {}
  for _, site in ipairs { "primary", "secondary" } do
    local array = t:array(site)
    local login = { user = array.username, password = dr.secret(site .. "_array_password") }
    if driver == "site.array_rest" then
      login.url, login.ca_file = array.url, array.ca_file
    else
      login.host, login.port = array.host, array.port
    end
    options[site] = login
  end
  return options
end

for _, name in ipairs { "site.array_rest", "site.array_ssh" } do
  local driver = require(name)

  test.case(name .. ": there and back, and nobody is asked", function(t)
    local use = { driver(reach(t, name)) }
    local there = t:failover { use = use, secrets = secrets, planned = true, answers = {} }
    t:equal(there.exit, 0)
    t:equal(t.lab:running "secondary", { "vm1", "vm2", "vm3" })
    local back = t:failback { answers = {}, secrets = secrets }
    t:equal(back.exit, 0)
    t:equal(t.lab:running "primary", { "vm1", "vm2", "vm3" })
    t:contains(back.verdicts, "reverse replication: ready for group all")
  end)

  test.case(name .. ": killed after the promotion, it promotes once", function(t)
    local result = t:failover { use = { driver(reach(t, name)) }, secrets = secrets, planned = true, answers = {}, kill_after = "promote_storage" }
    t:equal(result.exit, 0)
    t:equal(result.kills, 1)
  end)

  test.case(name .. ": a lost site is not waited for", function(t)
    local result = t:failover { use = { driver(reach(t, name)) }, secrets = secrets, answers = {} }
    t:equal(result.exit, 0)
    t:contains(result.verdicts, "reverse replication: NOT ready for group all: until it runs, the VMs on secondary have no copy")
  end)

  test.case(name .. ": a wrong password is found before anything begins", function(t)
    local wrong = { primary_array_password = "x", secondary_array_password = "x" }
    local result = t:failover { use = { driver(reach(t, name)) }, secrets = wrong, planned = true, answers = {} }
    t:equal(result.exit, 3)
    t:equal(t.lab:changes(), {})
  end)
end
