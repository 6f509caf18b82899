local lab = require "lab"
local world = lab.world { sites = { { name = "primary" }, { name = "secondary" } } }
