--@ heard dns www.example.com. A 10.1.0.10
-- The name of the service points to the site that runs it: when everything is up, the name server is told (RFC 2136).
local dr, dns = require "dr", require "dns"
local plan = dr.plan(require "generated")

local addresses = { primary = "10.0.0.10", secondary = "10.1.0.10" }

plan:on("after_run", function(ctx)
  dns.update {
    server = "dns.localdomain:53", zone = "example.com", key = { name = "drrun", secret = dr.secret "dns_key" },
    set = { { name = "www", value = addresses[ctx.target.name], ttl = "60s" } },
  }
end)

return plan
