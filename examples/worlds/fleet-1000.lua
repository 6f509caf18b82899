-- 1000 VMs on eight replicated storage domains, made by a loop (lib/fleet.lua).
--   drrun lab --world fleet-1000.lua
local lab = require "lab"
local fleet = require "fleet"

return lab.world(fleet(1000))
