local dr = require "dr"

return dr.library {
  name = "array", version = "1.0",
  options = {
    mode = { type = "string", values = { "sync", "async" }, default = "sync" },
    luns = { type = "list", of = "integer", default = { 1, 2 } },
    login = {
      doc = "how to log in",
      fields = {
        user = { type = "string", required = true, doc = "its user" },
        password = { type = "secret", required = true },
        timeout = { type = "duration", default = "30s" },
        token = { type = "integer" },
      },
    },
  },
  hooks = { promote_storage = function(ctx, group, options) end },
}
