--@ returns {"database":true,"old_site":false}
-- A health gate. As a boot condition: boot = function(ctx, vm) return tcp.open("10.1.0.20", 5432) end
local tcp = require "tcp"

return function(ctx)
  local old = tcp.probe { host = "127.0.0.1", port = ctx.params.old_port, timeout = "3s" }
  if not old.open then ctx:log("the old site does not listen: " .. old.error) end
  return { database = tcp.open("127.0.0.1", ctx.params.database_port), old_site = old.open }
end
