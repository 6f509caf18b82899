local lab = require "lab"
local function center(name) return { name = name } end
return lab.world {
  sites = {
    { name = "primary",
      data_centers = { center "East", center "West" },
      clusters = { { name = "Prod" }, { name = "Test", data_center = "West" } },
      networks = { { name = "lan", data_center = "East", id = lab.id "a" }, { name = "lan", data_center = "West", id = lab.id "b" } },
      vnic_profiles = { { name = "lan", network = "East/lan", id = lab.id "c" }, { name = "lan", network = "lan", id = lab.id "d" } },
      hosts = { { name = "host1" } },
      vms = { { name = "web01", cluster = "Test", nics = { { profile = "lan" } } } } },
    { name = "secondary" },
  },
}
