local p = require "probe"
pcall(p.start, { name = "a" })
local ok, e = pcall(p.start, { nam = "a" })
error(e)
