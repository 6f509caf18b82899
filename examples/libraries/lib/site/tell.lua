-- Who is told that a run begins, and how it ended: a chat channel, a mail to the people on call, a line in the log server. None of it
-- can stop a run: what could not be sent is a warning in the report. In a plan:
--   plan:use(require "site.tell" {
--     channel = dr.secret "chat_url", mail_server = "mail.example.com:25", mail_to = { "oncall@example.com" }, log_server = "10.1.0.14",
--   })
local dr, notify = require "dr", require "notify"

local function tell(options, text, body)
  if options.channel then notify.webhook { url = options.channel, body = { text = text } } end
  if options.mail_server then
    notify.mail {
      server = options.mail_server, starttls = "if_offered", from = options.mail_from, to = options.mail_to, subject = text, body = body or text,
    }
  end
  if options.log_server then notify.syslog { text = text, server = options.log_server } end
end

local function named(ctx) return (ctx.planned and "planned " or "") .. ctx.action .. " of " .. ctx.plan.name .. " to " .. ctx.target.name end

return dr.library {
  name = "tell", version = "1.0",
  options = {
    channel = { type = "secret", doc = "Address of a chat channel's webhook." },
    mail_server = { type = "string", doc = "Mail server, HOST:PORT." },
    mail_from = { type = "string", default = "drrun@localhost", doc = "Sender." },
    mail_to = { type = "list", doc = "Receivers." },
    log_server = { type = "string", doc = "Log server, HOST:PORT." },
  },
  hooks = {
    before_run = { on_error = "continue", run = function(ctx, _, options) tell(options, named(ctx) .. " begins (run " .. ctx.run.id .. ")") end },
    after_run = {
      on_error = "continue",
      run = function(ctx, result, options)
        local lines = {}
        for _, vm in ipairs(result.vms) do lines[#lines + 1] = vm.name .. ": " .. vm.status .. (vm.error and " (" .. vm.error .. ")" or "") end
        tell(options, named(ctx) .. " has ended: " .. result.status, table.concat(lines, "\n"))
      end,
    },
    on_error = function(ctx, report, options) tell(options, named(ctx) .. " has stopped: " .. report.message, report.message .. "\nNext: drrun resume " .. report.run) end,
  },
}
