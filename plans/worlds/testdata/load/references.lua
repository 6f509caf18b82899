local lab = require "lab"
return lab.world {
  sites = {
    { name = "primary",
      data_centers = { { name = "Default" } },
      clusters = { { name = "Prod", networks = { "lan", "lam" } } },
      networks = { { name = "lan" }, { name = "storage", data_center = "Defualt" } },
      hosts = { { name = "host1", cluster = "Production", blind = { "10.0.0.1:/other" } } },
      storage_domains = { { name = "nfs1", data_center = "Default", address = "10.0.0.1", path = "/nfs" } },
      vms = {
        { name = "web01", cluster = "Prod", template = "rhel8", pinned_to = { "host1", "host2" },
          nics = { { profile = "storage/lan" } }, disks = { { storage_domain = "nfs2" } }, lease_domain = "nfs1" },
      } },
    { name = "secondary" },
  },
  exports = { { site = "third", address = "10.0.0.1", path = "/nfs1" } },
  replications = { { domain = "nfs1", source = "10.0.0.1:/nfs1", target = "10.0.0.1:/nfs1_replica" } },
  faults = { { site = "primry", method = "POST", status = 503 } },
}
