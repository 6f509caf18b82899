--@ returns {"channel":true,"mail":true}
-- Who is told at the end of a run. Nobody being reachable is a warning in the report and stops nothing.
local dr, notify = require "dr", require "notify"

return function(ctx, result)
  local text = "The run " .. ctx.run.id .. " of " .. ctx.action .. " has ended."
  return {
    channel = notify.webhook { url = dr.secret "channel", body = { text = text } },
    mail = notify.mail {
      server = ctx.params.mail_server, starttls = "if_offered",
      from = "drrun@example.com", to = { "ops@example.com" }, subject = "Failover", body = text,
    },
  }
end
