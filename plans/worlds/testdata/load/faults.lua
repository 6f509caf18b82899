local lab = require "lab"
local function site(name)
  return { name = name, data_centers = { { name = "Default" } }, clusters = { { name = "Prod" } }, hosts = { { name = name .. "-host" } } }
end
return lab.world {
  sites = { site "primary", site "secondary" },
  faults = {
    { site = "primary", path = "/vms/(", status = 503 },
    { kind = "host-down", subject = "primary-hots" },
    { kind = "site-down" },
    { probability = 1.5, status = 500 },
    { status = 99 },
  },
}
