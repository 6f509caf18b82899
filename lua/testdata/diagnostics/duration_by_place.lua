local p = require "probe"
local vm = p.start("a", "5m")
