local p = require "fails"
