local lab = require "lab"
return lab.world { sites = { { name = "primary" }, { name = "secundary" } } }
