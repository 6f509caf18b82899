local lab = require "lab"
return lab.world {
  sites = {
    { name = "primary", data_centers = { { name = "Default" } }, clusters = { { name = "Prod" } },
      vms = { { name = "web01", status = "paused" } } },
    { name = "secondary" },
  },
}
