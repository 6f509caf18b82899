local p = require "probe"
p.start {
  name = "a",
