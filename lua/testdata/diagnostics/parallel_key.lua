local p = require "probe"
p.parallel({ { name = "a" }, { name = "a" } }, function() end)
