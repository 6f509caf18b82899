-- How this site makes a copy writable: a person does it at the array, and says as of when the copy is.
local dr = require "dr"

return dr.library {
  name = "array", version = "1.0",
  options = { array = { type = "string", required = true, doc = "Name of the array, as its administrators call it." } },
  hooks = {
    promote_storage = function(ctx, group, options)
      local names = {}
      for _, domain in ipairs(group.storage_domains) do names[#names + 1] = domain.name end
      return ctx:prompt {
        name = "array", needs = { "writable" },
        text = "On " .. options.array .. ", split the mirror of " .. table.concat(names, ", ") .. ", then answer writable,as_of=TIME",
      }
    end,
  },
  check = function(ctx)
    if #ctx.facts.storage_domains == 0 then error("the plan has no storage domain") end
  end,
}
