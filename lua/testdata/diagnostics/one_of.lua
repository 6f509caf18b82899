local p = require "probe"
return p.plan {
  name = "x",
  vms = {
    { name = "a", boot = 5 },
  },
}
