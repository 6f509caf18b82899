local p = require "probe"
p.parallel({ { x = 1 } }, function() end)
