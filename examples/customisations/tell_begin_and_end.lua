--@ heard web POST /hooks/ops {"text":"failover to secondary begins"}
--@ heard web POST /hooks/ops {"text":"failover to secondary: done, 3 VMs"}
-- A chat channel hears that a run begins and how it ended, also when it stopped. A channel that is silent stops nothing.
local dr, notify = require "dr", require "notify"
local plan = dr.plan(require "generated")

local function tell(text) notify.webhook { url = dr.secret "chat_url", body = { text = text } } end

plan:on("before_run", function(ctx) tell(ctx.action .. " to " .. ctx.target.name .. " begins") end)
plan:on("after_run", function(ctx, result)
  tell(ctx.action .. " to " .. ctx.target.name .. ": " .. result.status .. ", " .. #result.vms .. " VMs")
end)
plan:on("on_error", function(ctx, report) tell(ctx.action .. " has stopped: " .. report.message) end)

return plan
