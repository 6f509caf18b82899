local dr, http = require "dr", require "http"

return dr.library {
  name = "array", version = "1.0",
  options = {
    url = { type = "string", required = true, doc = "address of the array" },
    retries = { type = "integer", default = 3 },
  },
  hooks = {
    promote_storage = function(ctx, group, options)
      local answer = http.post { url = options.url .. "/promote", json = { group = group.name } }
      ctx:log("the array says " .. answer.json.state)
      return { writable = answer.json.state == "writable", as_of = "unknown" }
    end,
  },
}
