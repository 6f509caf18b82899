-- The load balancer sends requests to the VMs where they run. A member is drained before its VM stops, and takes part again when the
-- VM has started at the other site. In a plan:
--   plan:use(require "site.balancer" {
--     url = "https://balancer.example.com", token = dr.secret "balancer_token", pool = "shop",
--     members = { web01 = { primary = "10.0.0.10:443", secondary = "10.1.0.10:443" } },
--   })
local dr, http = require "dr", require "http"

local function ask(method, options, path, body)
  return http[method] {
    url = options.url .. "/api/pools/" .. options.pool .. path, token = options.token, ca_file = options.ca_file, json = body,
    idempotent = method == "put" or nil, timeout = "30s",
  }.json
end

-- Sets the state of a VM's member at a site: "enabled", "draining" or "disabled".
local function set(options, vm, site, state)
  return ask("put", options, "/members/" .. options.members[vm.name][site], { state = state })
end

return dr.library {
  name = "balancer", version = "1.0",
  options = {
    url = { type = "string", required = true, doc = "Address of the balancer." },
    token = { type = "secret", required = true, doc = "Token that may change its pools." },
    ca_file = { type = "string", doc = "The CA that signed its certificate (PEM)." },
    pool = { type = "string", required = true, doc = "The pool." },
    members = { type = "table", required = true, doc = "By the name of a VM: { primary = \"ADDRESS:PORT\", secondary = \"ADDRESS:PORT\" }." },
    drain = { type = "duration", default = "2m", doc = "How long the connections of a member that stops may take to end." },
  },
  hooks = {
    before_stop = function(ctx, vm, options)
      if not options.members[vm.name] then return end
      set(options, vm, ctx.source.name, "draining")
      local ok, err = pcall(ctx.wait_for, ctx, "the last connection to " .. vm.name, function()
        return ask("get", options, "/members/" .. options.members[vm.name][ctx.source.name]).connections == 0
      end, { timeout = options.drain })
      if not ok and err.code ~= "wait-timeout" then error(err) end
      if not ok then ctx:warn(vm.name .. " is stopped with connections open: " .. err.message) end
      set(options, vm, ctx.source.name, "disabled")
    end,
    after_start = function(ctx, vm, options)
      if not options.members[vm.name] then return end
      set(options, vm, ctx.source.name, "disabled") -- after a disaster nobody has
      set(options, vm, ctx.target.name, "enabled")
    end,
  },
  check = function(ctx, options) ask("get", options, "/members") end,
}
