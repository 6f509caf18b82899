local p = require "broken"
