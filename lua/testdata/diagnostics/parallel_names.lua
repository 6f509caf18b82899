local p = require "probe"
p.parallel({ "a", b = { name = "b" } }, function(item) return item end)
