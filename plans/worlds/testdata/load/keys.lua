local lab = require "lab"
return lab.world {
  sites = {
    { name = "primary", data_centres = { { name = "Default" } },
      clusters = { { nmae = "Prod", cpu = "x" } } },
    { name = "secondary" },
  },
  export = {},
  latency = { import = "3s", atach = "1s" },
}
