local dr = require "dr"

return dr.library {
  name = "broken",
  options = { size = { type = "integer", default = "big" }, kind = { type = "text" } },
  hooks = { promote_storag = function() end },
}
