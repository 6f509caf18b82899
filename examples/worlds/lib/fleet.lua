-- A pair of sites with as many VMs as wanted, spread over clusters, hosts and replicated storage domains by arithmetic.
local lab = require "lab"

local array = "10.20.0.10"
local domains, hosts_of_cluster = 8, 10

local function domain(i) return ("fleet%02d"):format((i - 1) % domains + 1) end

-- Eight of ten run; each twentieth is highly available; each tenth has a second disk, on the next storage domain.
local function vm(i)
  local disks = { { storage_domain = domain(i), size = "40GiB", counter = i } }
  if i % 10 == 0 then disks[2] = { storage_domain = domain(i + 1), size = "200GiB" } end
  return {
    name = ("app%04d"):format(i),
    cluster = i % 2 == 1 and "Linux" or "Windows",
    template = i % 2 == 1 and "base-linux" or "base-windows",
    memory = "2GiB",
    running = i % 5 ~= 0,
    ha = i % 20 == 1,
    agent = i % 25 ~= 2,
    nics = { { profile = "apps" } },
    disks = disks,
  }
end

local function hosts(site, count)
  local list = {}
  for _, cluster in ipairs { "Linux", "Windows" } do
    for i = 1, count do
      list[#list + 1] = { name = ("%s-%s%02d"):format(site, cluster:lower(), i), cluster = cluster, memory = "2TiB" }
    end
  end
  return list
end

-- fleet(count) is the table for lab.world.
return function(count)
  local exports, replications, storage = {}, {}, {}
  for i = 1, domains do
    local name = domain(i)
    exports[#exports + 1] = { site = "primary", address = array, path = "/" .. name, size = "50TiB" }
    exports[#exports + 1] = { site = "secondary", address = array, path = "/dr/" .. name, size = "50TiB" }
    replications[i] = { domain = name, source = array .. ":/" .. name, target = array .. ":/dr/" .. name, lag = "30s" }
    storage[i] = { name = name, data_center = "Fleet", address = array, path = "/" .. name }
  end
  exports[#exports + 1] = { site = "secondary", address = array, path = "/standby" }

  local function site(name)
    return {
      name = name,
      data_centers = { { name = "Fleet" } },
      clusters = { { name = "Linux" }, { name = "Windows" } },
      networks = { { name = "ovirtmgmt" }, { name = "apps" }, { name = "storage", vm = false } },
      hosts = hosts(name, hosts_of_cluster),
    }
  end

  local primary, secondary = site "primary", site "secondary"
  primary.storage_domains = storage
  primary.templates = {
    { name = "base-linux", cluster = "Linux", disks = { { storage_domain = domain(1), size = "10GiB" } } },
    { name = "base-windows", cluster = "Windows", disks = { { storage_domain = domain(2), size = "40GiB" } } },
  }
  primary.vms = lab.many(count, vm)
  secondary.storage_domains = { { name = "standby", data_center = "Fleet", address = array, path = "/standby" } }
  return { sites = { primary, secondary }, exports = exports, replications = replications }
end
