local lab = require "lab"
local vms = lab.many(10, function(i)
  return { name = "vm" .. i, memory = nothing }
end)
return lab.world { sites = { { name = "primary", vms = vms }, { name = "secondary" } } }
