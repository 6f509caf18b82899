--@ returns null
-- Lines for the journal, with what they are about.
local log = require "log"

return function(ctx)
  log.info("replication is split", { group = "default", lag_seconds = 12 })
end
