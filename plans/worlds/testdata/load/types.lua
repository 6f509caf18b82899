local lab = require "lab"
return lab.world {
  sites = {
    { name = "primary", data_centers = { { name = "Default", storage_format = "v6" } },
      clusters = { { name = "Prod" } },
      vms = { { name = "vm1", memory = "2 gigabytes", running = "yes", status = "pausd", disks = { { size = 1.5 } } } } },
    { name = "secondary" },
  },
  ovf_interval = "1 hour",
  exports = { { site = "primary", address = 7, path = "/x" } },
}
