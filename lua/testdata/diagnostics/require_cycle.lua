local p = require "a"
