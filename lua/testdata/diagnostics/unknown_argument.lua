local vm = require "probe"
local ok = vm.start { name = "web01", timout = "5m" }
