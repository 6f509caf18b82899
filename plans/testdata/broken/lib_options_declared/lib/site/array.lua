local dr = require "dr"

return dr.library {
  name = "array",
  options = {
    mode = { type = "string", values = { "sync", 5 }, default = "snyc" }, --@ diag(bad-argument, "5") --@ diag(bad-argument, "\"snyc\"")
    user = { type = "string", required = true, default = "admin" }, --@ diag(bad-argument, "\"admin\"")
    size = { type = "integer", of = "string" }, --@ diag(bad-argument, "\"string\"")
    login = { type = "string", fields = { user = { type = "string" } } }, --@ diag(bad-argument, "{")
    place = { fields = { path = { type = "string", required = true } }, default = { paht = "/" } }, --@ diag(bad-argument, "\"/\"") --@ diag(bad-argument, "{")
  },
  hooks = { promote_storage = function(ctx, group, options) end },
}
