--@ returns true
-- Whether the gateway of the recovery network answers. Where this machine may send no ICMP, the name server is asked instead.
local ping, tcp = require "ping", require "tcp"

return function(ctx)
  local asked, alive = pcall(ping.alive, "127.0.0.1")
  if asked then return alive end
  ctx:warn(tostring(alive))
  return tcp.open("127.0.0.1", ctx.params.dns_port)
end
