-- Two data centers at each site, with every kind of storage: Office has NFS, GlusterFS and a POSIX file system, Plant has iSCSI and
-- Fibre Channel. 60 VMs, some on two storage domains, two with LUNs of their own, in affinity groups and with labels. All storage
-- is replicated; the secondary site has its hosts, one storage domain for each data center, and no VMs.
--   drrun lab --world two-centers.lua
local lab = require "lab"

local iqn = "iqn.2003-01.org.linux-iscsi."
local monitors = "mon1.localdomain:6789,mon2.localdomain:6789" -- of a Ceph file system
local chap = { username = "office", password = "lab-chap-password" }

-- What both sites have. Clusters, networks and vNIC profiles of the secondary have names of their own, for mappings to bridge.
local function site(name, prefix)
  local hosts = {}
  for _, cluster in ipairs { "Web", "Data", "Plant" } do
    for i = 1, 2 do
      hosts[#hosts + 1] = {
        name = ("%s-%s%d"):format(name, cluster:lower(), i), cluster = prefix .. cluster, memory = "512GiB", power_management = true,
        fence_agents = { { type = "ipmilan", address = ("bmc-%s-%s%d.localdomain"):format(name, cluster:lower(), i), username = "fence" } },
      }
    end
  end
  return {
    name = name,
    data_centers = { { name = "Office" }, { name = "Plant" } },
    clusters = {
      { name = prefix .. "Web", data_center = "Office" },
      { name = prefix .. "Data", data_center = "Office" },
      { name = prefix .. "Plant", data_center = "Plant" },
    },
    networks = {
      { name = "ovirtmgmt", data_center = "Office" }, { name = "ovirtmgmt", data_center = "Plant" },
      { name = prefix .. "lan", data_center = "Office" }, { name = prefix .. "control", data_center = "Plant" },
      { name = "storage", data_center = "Plant", vm = false },
    },
    hosts = hosts,
    storage_domains = {},
    affinity_groups = {
      { name = "databases-apart", cluster = prefix .. "Data", priority = 5, vms_rule = { enabled = true, enforcing = true } },
      { name = "shop-together", cluster = prefix .. "Web", vms_rule = { enabled = true, positive = true } },
    },
    affinity_labels = { { name = "licensed", hosts = { name .. "-data1" } } },
    tags = { { name = "dr", description = "moves when the site is lost" } },
  }
end

local primary, secondary = site("primary", ""), site("secondary", "DR-")
local exports, targets, lun_sets, replications = {}, {}, {}, {}

local function replicate(name, source, target, lag)
  replications[#replications + 1] = { domain = name, source = source, target = target, lag = lag }
end

-- A replicated storage domain on a file system; the replica is the same path below /dr.
local function on_files(name, kind, address, vfs_type)
  local path, copy = "/" .. name, "/dr/" .. name
  for i, where in ipairs { path, copy } do
    exports[#exports + 1] = { site = i == 1 and "primary" or "secondary", type = kind, address = address, path = where, size = "4TiB", vfs_type = vfs_type }
  end
  replicate(name, address .. ":" .. path, address .. ":" .. copy, "10s")
  table.insert(primary.storage_domains, { name = name, data_center = "Office", address = address, path = path })
end

-- Replicated LUNs: an array presents the originals to the hosts of the primary, the copies to those of the secondary.
local function on_luns(name, kind, count, login)
  login = login or {}
  for _, of in ipairs { "primary", "secondary" } do
    local target
    if kind == "iscsi" then
      target = iqn .. of .. ":" .. name
      local net = of == "primary" and "192.168.122.21" or "192.168.123.21"
      targets[#targets + 1] = {
        site = of, name = target, portals = { net .. "1:3260", net .. "2:3260" }, username = login.username, password = login.password,
      }
    end
    lun_sets[#lun_sets + 1] = {
      site = of, name = of == "primary" and name or name .. "_copy", type = kind, target = target,
      luns = lab.many(count, function() return { size = "1TiB" } end),
    }
  end
  replicate(name, name, name .. "_copy", "5s")
end

on_files("nfs_web", "nfs", "192.168.122.210")
on_files("nfs_data", "nfs", "192.168.122.210")
on_files("gluster", "glusterfs", "gluster1.localdomain")
on_files("ceph", "posixfs", monitors, "ceph")
on_luns("iscsi", "iscsi", 2)
on_luns("fcp", "fcp", 2)
on_luns("history", "iscsi", 1, chap) -- no storage domain: the LUN is a disk of one VM
on_luns("quality", "fcp", 1)
for _, name in ipairs { "iscsi", "fcp" } do
  table.insert(primary.storage_domains, { name = name, data_center = "Plant", lun_set = name })
end

-- The secondary site has a small storage domain of its own in each data center, so that these are up.
exports[#exports + 1] = { site = "secondary", address = "192.168.123.220", path = "/office_own", size = "512GiB" }
exports[#exports + 1] = { site = "secondary", address = "192.168.123.220", path = "/plant_own", size = "512GiB" }
secondary.storage_domains = {
  { name = "office_own", data_center = "Office", address = "192.168.123.220", path = "/office_own" },
  { name = "plant_own", data_center = "Plant", address = "192.168.123.220", path = "/plant_own" },
}

primary.templates = {
  { name = "web-base", cluster = "Web", disks = { { storage_domain = "nfs_web", size = "10GiB" } } },
  { name = "data-base", cluster = "Data", disks = { { storage_domain = "nfs_data", size = "10GiB" } } },
  { name = "plant-base", cluster = "Plant", disks = { { storage_domain = "iscsi", size = "40GiB" } } },
}

local vms = {}
local function add(count, make)
  for i = 1, count do vms[#vms + 1] = make(i) end
end

add(20, function(i) -- web servers on NFS; the last two are down
  return {
    name = ("web%02d"):format(i), cluster = "Web", template = "web-base", running = i <= 18, agent = true,
    nics = { { profile = "lan" } }, disks = { { storage_domain = "nfs_web" } },
  }
end)
add(8, function(i) -- databases on two storage domains, highly available
  return {
    name = ("db%02d"):format(i), cluster = "Data", template = "data-base", memory = "8GiB", running = true, agent = true, ha = true,
    nics = { { profile = "lan" } },
    disks = { { storage_domain = "nfs_data", counter = 1000 * i }, { storage_domain = "nfs_web", size = "100GiB" } },
  }
end)
add(8, function(i) -- files on GlusterFS and on Ceph; one has snapshots
  return {
    name = ("files%02d"):format(i), cluster = "Data", running = true, agent = i ~= 3,
    nics = { { profile = "lan" } }, disks = { { storage_domain = i % 2 == 1 and "gluster" or "ceph", size = "200GiB" } },
    snapshots = i == 1 and { { description = "before the update", age = "48h" } } or nil,
  }
end)
add(22, function(i) -- the plant on iSCSI and Fibre Channel, every fourth on both
  local disks = { { storage_domain = i % 2 == 1 and "iscsi" or "fcp" } }
  if i % 4 == 0 then disks[2] = { storage_domain = "iscsi", size = "80GiB" } end
  return {
    name = ("scada%02d"):format(i), cluster = "Plant", template = i % 2 == 1 and "plant-base" or "Blank", running = i ~= 22, agent = true,
    nics = { { profile = "control" } }, disks = disks,
  }
end)
for _, name in ipairs { "history", "quality" } do -- beside the image that they boot from they have a LUN
  vms[#vms + 1] = {
    name = name, cluster = "Plant", memory = "16GiB", running = true, agent = true, nics = { { profile = "control" } },
    disks = { { storage_domain = "fcp", bootable = true }, { lun = name .. "/1", alias = name .. "_data" } },
  }
end
primary.vms = vms

primary.affinity_groups[1].vms = { "db01", "db02" }
primary.affinity_groups[2].vms = { "web01", "web02", "web03" }
primary.affinity_labels[1].vms = { "db01" }
primary.tags[1].vms = { "db01", "db02", "history" }

return lab.world {
  sites = { primary, secondary },
  exports = exports, targets = targets, lun_sets = lun_sets, replications = replications,
}
