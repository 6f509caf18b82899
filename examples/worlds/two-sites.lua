-- The world that drrun lab serves when it is given none: engine1 with three VMs on replicated storage, engine2 with a storage
-- domain of its own. Ids are written out here only to be the same as there; what has none gets one from its name.
--   drrun lab --world two-sites.lua
local lab = require "lab"

local array, recovery = "192.168.122.210", "192.168.122.220"

-- One engine with a data center, a cluster and two hosts. What is left out (version, users, bios_type, …) is what is usual.
local function site(name, engine, cluster, hosts)
  local function id(of) return lab.id(name .. "/" .. of) end
  return {
    name = name,
    url = "https://" .. engine .. ".localdomain/ovirt-engine/api",
    data_centers = { { name = "Default", id = id "dc" } },
    mac_pools = { { name = "Default", id = id "macpool" } },
    networks = { { name = "lan", id = id "network/lan" }, { name = "ovirtmgmt", id = id "network/ovirtmgmt" } },
    vnic_profiles = {
      { name = "lan", id = id "profile/lan", network = "lan" },
      { name = "ovirtmgmt", id = id "profile/ovirtmgmt", network = "ovirtmgmt" },
    },
    clusters = { { name = cluster, id = id "cluster" } },
    hosts = {
      { name = hosts[1], id = id(hosts[1]) },
      { name = hosts[2], id = id(hosts[2]) },
    },
  }
end

local primary = site("primary", "engine1", "Prod", { "host1a", "host1b" })
primary.storage_domains = { { name = "nfs_ds", id = lab.id "domain/nfs_ds", data_center = "Default", address = array, path = "/nfs_ds" } }
primary.templates = {
  { name = "rhel9", id = lab.id "template/rhel9", disks = { { id = lab.id "template/rhel9/disk", bootable = true } } },
}
primary.vms = lab.many(3, function(i)
  local name = "vm" .. i
  local id = "vm/" .. name
  return {
    name = name, id = lab.id(id), template = "rhel9", running = true,
    ha = i == 1,     -- the engine restarts it when it dies
    agent = i ~= 3,  -- vm3 never tells its address
    nics = { { id = lab.id(id .. "/nic1"), mac = ("56:6f:01:00:00:%02x"):format(i - 1), profile = "lan" } },
    disks = { { id = lab.id(id .. "/disk1"), counter = 1000 } },
  }
end)

local secondary = site("secondary", "engine2", "Recovery", { "host2a", "host2b" })
secondary.storage_domains = { { name = "recovery_local", id = lab.id "domain/recovery_local", data_center = "Default", address = recovery, path = "/recovery_local" } }

return lab.world {
  sites = { primary, secondary },
  exports = {
    { site = "primary", address = array, path = "/nfs_ds", size = "1TiB" },
    { site = "secondary", address = array, path = "/nfs_ds_replica", size = "1TiB" },
    { site = "secondary", address = recovery, path = "/recovery_local", size = "512GiB" },
  },
  replications = {
    { domain = "nfs_ds", source = array .. ":/nfs_ds", target = array .. ":/nfs_ds_replica", lag = "5s" },
  },
}
