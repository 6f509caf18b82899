--@ heard web POST /hooks/ops {"text":"the shop answers at secondary"}
-- Nobody is sent to the new site before it has answered: a simple test of the service, when every VM is up.
local dr, http, notify = require "dr", require "http", require "notify"
local plan = dr.plan(require "generated")

plan:on("after_run", function(ctx)
  ctx:wait_for("an answer of the shop", function() return http.ok "http://monitoring.localdomain/health" end, { timeout = "10m", every = "15s" })
  notify.webhook { url = dr.secret "chat_url", body = { text = "the shop answers at " .. ctx.target.name } }
end)

return plan
