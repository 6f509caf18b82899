--@ heard web PUT /api/tickets/RUN {"state":"open","text":"failover of Plan_Recovery to secondary"}
--@ heard web PATCH /api/tickets/RUN {"state":"done"}
-- Each run has a ticket. Its number is that of the run, so that whatever is sent twice is the same ticket.
local dr, http = require "dr", require "http"
local plan = dr.plan(require "generated")

local function ticket(method, ctx, fields)
  http[method] { url = "http://tickets.localdomain/api/tickets/" .. ctx.run.id, token = dr.secret "web_token", json = fields, idempotent = true }
end

plan:on("before_run", function(ctx)
  ticket("put", ctx, { state = "open", text = ctx.action .. " of " .. ctx.plan.name .. " to " .. ctx.target.name })
end)
plan:on("after_run", function(ctx, result) ticket("patch", ctx, { state = result.status }) end)

return plan
