local p = require "prob"
