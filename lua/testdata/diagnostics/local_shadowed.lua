local p = require "probe"
local options = { name = "other", rank = 1 }
local function start(options)
  return p.start(options)
end
start { name = "db", rank = "first" }
