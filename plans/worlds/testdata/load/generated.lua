local lab = require "lab"
return lab.world {
  sites = {
    { name = "primary", data_centers = { { name = "Default" } }, clusters = { { name = "Prod" } },
      vms = lab.many(1000, function(i) return { name = "vm" .. i, cluster = "Prd", disk = 1 } end) },
    { name = "secondary" },
  },
}
