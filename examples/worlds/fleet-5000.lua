-- 5000 VMs on eight replicated storage domains, made by a loop (lib/fleet.lua).
--   drrun lab --world fleet-5000.lua
local lab = require "lab"
local fleet = require "fleet"

return lab.world(fleet(5000))
