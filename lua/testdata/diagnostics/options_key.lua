local p = require "probe"
p.start("a", { rnak = 1 })
