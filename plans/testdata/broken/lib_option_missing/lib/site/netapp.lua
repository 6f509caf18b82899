local dr = require "dr"

return dr.library {
  name = "netapp",
  version = "1.0",
  options = {
    vserver = { type = "string", required = true, doc = "the storage machine" },
    wait = { type = "duration", default = "30s" },
  },
  hooks = {
    promote_storage = function(ctx, group, options) return { writable = true } end,
  },
}
