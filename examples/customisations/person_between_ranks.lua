--@ answer storage_seen=go on
--@ asked storage_seen
-- Rank 1 starts when a person has looked at rank 0. Nobody answers within half an hour: the run stops, and can be resumed.
local dr = require "dr"
local plan = dr.plan(require "generated")

plan:on("before_rank", function(ctx, rank)
  if rank.id ~= "1" then return end
  local said = ctx:prompt {
    name = "storage_seen", text = "The database is up. Does it look right?",
    choices = { "go on", "stop" }, default = "stop", timeout = "30m",
  }
  if said.answer == "stop" then ctx:fail "somebody looked at the database and said stop, or nobody looked" end
end)

return plan
