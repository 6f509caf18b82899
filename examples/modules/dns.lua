--@ returns ["10.1.0.10"]
-- A DNS switch: the names of the service move to the recovery site.
local dr, dns = require "dr", require "dns"

return function(ctx)
  dns.update {
    server = ctx.params.dns, zone = "example.com",
    key = { name = "drrun", secret = dr.secret "dns_key" },
    set = { { name = "www", value = "10.1.0.10", ttl = "60s" } },
  }
  return dns.lookup("www.example.com", { server = ctx.params.dns })
end
