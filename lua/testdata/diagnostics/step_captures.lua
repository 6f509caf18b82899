local p = require "probe"
local total = 0
local ctx = p.thing "x"
ctx:step("count", function()
  local mine = 1
  mine = 2
  total = total + mine
end)
