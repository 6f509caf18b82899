--@ action planned failover
--@ heard web PUT /api/pools/shop/members/primary {"state":"draining"}
--@ heard web PUT /api/pools/shop/members/secondary {"state":"enabled"}
-- The load balancer drains the old site before the first VM stops, and sends requests to the new one when everything is up.
local dr, http = require "dr", require "http"
local plan = dr.plan(require "generated")

local function member(site, state)
  http.put { url = "http://balancer.localdomain/api/pools/shop/members/" .. site, token = dr.secret "web_token", json = { state = state } }
end

plan:on("before_run", function(ctx)
  if ctx.planned then member(ctx.source.name, "draining") end
end)
plan:on("after_run", function(ctx) member(ctx.target.name, "enabled") end)

return plan
