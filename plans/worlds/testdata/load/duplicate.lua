local lab = require "lab"
local id = lab.id "the same"
return lab.world {
  sites = {
    { name = "primary",
      data_centers = { { name = "Default" } }, clusters = { { name = "Prod" } },
      vms = { { name = "web01" }, { name = "web01" }, { name = "db01", id = id }, { name = "db02", id = id } } },
    { name = "secondary" },
  },
}
