local dr = require "dr"

return dr.library {
  name = "switch",
  options = { name = { type = "string", required = true } },
  hooks = {
    after_run = function(ctx, result, options)
      if options.name == "loop" then while true do end end
      if options.name == "broken" then error("no such switch") end
    end,
  },
}
