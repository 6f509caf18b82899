local thing = require "probe".thing "a"
thing.touch(thing, { now = true })
