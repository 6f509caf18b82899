local dr = require "dr"

return dr.library {
  name = "site", version = "1.2",
  options = {
    vserver = { type = "string", required = true, doc = "the storage machine" },
    wait = { type = "duration", default = "10s" },
  },
  hooks = {
    promote_storage = function(ctx, group, options) return { writable = true } end,
    after_run = function(ctx, result, options) end,
  },
  check = function(ctx, options) end,
}
