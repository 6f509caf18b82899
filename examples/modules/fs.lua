--@ returns {"web":"10.1.0.10"}
-- New addresses from a file beside the plan that the network team keeps.
local fs, csv = require "fs", require "csv"

return function(ctx)
  local addresses = {}
  if fs.exists "addresses.csv" then
    for _, row in ipairs(csv.decode(fs.read "addresses.csv")) do addresses[row.vm] = row.ip end
  end
  return addresses
end
