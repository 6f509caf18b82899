--@ returns {"web":"10.1.0.10"}
-- New addresses by VM name, kept as YAML.
local yaml = require "yaml"

local addresses = yaml.decode [[
defaults: &defaults { netmask: 255.255.255.0 }
web: { <<: *defaults, ip: 10.1.0.10 }
]]

return function(ctx)
  return { web = addresses.web.ip }
end
