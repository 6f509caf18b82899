local lab = require "lab"

return lab.world {
  sites = {
    { name = "primary",
      data_centers = { { name = "Main" } },
      clusters = { { name = "Prod" } },
      hosts = { { name = "host1" } },
      networks = { { name = "lan" } },
      vnic_profiles = { { name = "lan" } },
      storage_domains = { { name = "nfs", address = "10.0.0.1", path = "/nfs" } },
      vms = { { name = "web01", nic = { {} }, disks = { {} } } }, --@ diag(unknown-key, "nic")
    },
    { name = "secondary" },
  },
  exports = { { site = "primary", address = "10.0.0.1", path = "/nfs" }, { site = "secondary", address = "10.0.0.2", path = "/nfs" } },
  replications = { { domain = "nfs", source = "10.0.0.1:/nfs", target = "10.0.0.2:/nfs" } },
}
