local p = require "probe"
local vms = {
  { name = "a" },
  { name = "b", rnak = 2, on_error = "halt" },
  { rank = "1" },
}
return p.plan { name = "x", vms = vms }
