local p = require "probe"
local t = p.thing "a"
return t.idd
