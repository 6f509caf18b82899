local p = require "probe"
local options = { name = "db", rank = 1 }
options = { name = "db", rank = "first" }
p.start(options)
