-- The names of the services follow their VMs (RFC 2136): each points to the site where its VM has started. In a plan:
--   plan:use(require "site.dns_switch" {
--     server = "10.1.0.53", zone = "example.com", key = { name = "drrun", secret = dr.secret "dns_key" },
--     records = { web01 = { name = "www", primary = "10.0.0.10", secondary = "10.1.0.10" } },
--   })
local dr, dns = require "dr", require "dns"

return dr.library {
  name = "dns_switch", version = "1.0",
  options = {
    server = { type = "string", required = true, doc = "The zone's primary name server, at the site that survives, ADDRESS or ADDRESS:PORT." },
    zone = { type = "string", required = true, doc = "The zone." },
    key = { type = "table", required = true, doc = "The TSIG key that may change it: { name =, secret = dr.secret \"NAME\" }." },
    ttl = { type = "duration", default = "60s", doc = "How long others may keep an answer." },
    records = { type = "table", required = true, doc = "By the name of a VM: { name =, primary = ADDRESS, secondary = ADDRESS }." },
  },
  hooks = {
    after_start = function(ctx, vm, options)
      local record = options.records[vm.name]
      if not record then return end
      dns.update {
        server = options.server, zone = options.zone, key = options.key,
        set = { { name = record.name, value = record[ctx.target.name], ttl = options.ttl } },
      }
      ctx:log(record.name .. "." .. options.zone .. " is " .. record[ctx.target.name] .. " now")
    end,
  },
  check = function(ctx, options)
    local known = {}
    for _, vm in ipairs(ctx.facts.vms) do known[vm.name] = true end
    for name, record in pairs(options.records) do
      if not known[name] then error("dns_switch: the plan has no VM " .. name) end
      if not record[ctx.target.name] then error("dns_switch: " .. name .. " has no address for " .. ctx.target.name) end
    end
    dns.lookup(options.zone, { server = options.server, type = "SOA" }) -- raises where the server does not answer
  end,
}
