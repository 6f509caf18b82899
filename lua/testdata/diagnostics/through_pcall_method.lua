local thing = require "probe".thing "a"
local ok, e = pcall(thing.touch, thing, { now = true })
error(e)
