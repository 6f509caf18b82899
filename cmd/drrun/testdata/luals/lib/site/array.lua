local dr = require "dr"

return dr.library {
  name = "array",
  options = { array = { type = "text" } }, --@ warns assign-type-mismatch
  hooks = {
    promote_storage = function(ctx, group, options)
      ctx:log(options.array .. group.name .. group.storage_domain) --@ warns undefined-field
      return { writable = true, as_of = "unknown" }
    end,
    after_rnk = function() end, --@ warns assign-type-mismatch
    demote_storage = { run = function(ctx, group) ctx:log(group.names) end, timeout = "30m" }, --@ warns undefined-field
  },
  check = function(ctx) ctx:log(ctx.source.nam) end, --@ warns undefined-field
}
