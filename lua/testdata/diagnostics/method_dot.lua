local p = require "probe"
local t = p.thing "a"
t.touch()
