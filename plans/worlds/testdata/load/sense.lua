local lab = require "lab"
return lab.world {
  sites = {
    { name = "primary",
      data_centers = { { name = "East" }, { name = "West" } },
      clusters = { { name = "Prod", data_center = "East" }, { name = "Test", data_center = "West" }, { name = "Test", data_center = "East" } },
      networks = { { name = "lan", data_center = "East" }, { name = "lan", data_center = "West" } },
      hosts = { { name = "host1", cluster = "Prod" } },
      storage_domains = {
        { name = "nfs1", data_center = "East", address = "10.0.0.1", path = "/nfs1", master = true },
        { name = "nfs2", data_center = "East", address = "10.0.0.1", path = "/nfs2", master = true },
        { name = "san", data_center = "West", lun_set = "luns" },
        { name = "nowhere", data_center = "West" },
      },
      vms = {
        { name = "web01", cluster = "Prod", nics = { { profile = "West/lan" } }, disks = { { storage_domain = "san" }, { lun = "raw/2" } } },
        { name = "web01", cluster = "Prod" },
        { name = "web02", cluster = "Test" },
        { name = "web01", cluster = "Test", id = lab.id "another web01" },
      },
      affinity_groups = { { name = "apart", cluster = "Prod", vms_rule = { enabled = true }, vms = { "web01", "web02", "web03" } } },
      affinity_labels = { { name = "gold", vms = { "web02" }, hosts = { "host2" } } },
      tags = { { name = "dr", parent = "rot", vms = { "web02" } } },
      aaa_domains = { { name = "corp", users = { { login = "ann", groups = { "dmins" } } }, groups = { { name = "admins" } } } },
      roles = { { name = "Starter", permits = { "run_wm" } } },
      permissions = {
        { user = "ann", role = "UserVmManger", object = "vm", object_id = "web02" },
        { user = "bob", role = "Starter", object = "cluster", object_id = "Prd" },
        { user = "Everyone", role = "UserRole", object = "vm_pool", object_id = "desktops" },
      },
      quotas = { { name = "q", data_center = "East", cluster_limits = { { cluster = "Prodd", vcpus = 8 } } } },
    },
    { name = "secondary" },
  },
  exports = { { site = "primary", address = "10.0.0.1", path = "/nfs1" }, { site = "primary", address = "10.0.0.1", path = "/nfs2" } },
  targets = { { site = "primary", name = "iqn.2026-01.example:san" } },
  lun_sets = {
    { site = "primary", name = "luns", type = "iscsi", target = "iqn.2026-01.example:sn", luns = { {} } },
    { site = "primary", name = "raw", type = "fc", luns = { {} }, hosts = { "host1", "host9" } },
  },
  faults = { { kind = "vm-bot", subject = "web01" }, { kind = "host-down", subject = "host1", asked = "tertiary" } },
}
