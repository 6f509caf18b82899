local p = require "probe"
local function start(name)
  local options = { name = name, rank = "first" }
  return p.start(options)
end
start "db"
