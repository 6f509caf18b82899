--@ action planned failover
--@ exit 3
--@ error planned moves are for the night
-- A planned move is refused in business hours: a check, as libraries have it, comes before anything begins. A disaster asks for no hour.
local dr, time = require "dr", require "time"
local plan = dr.plan(require "generated")

plan:use(dr.library { name = "business_hours", check = function(ctx)
  local hour = tonumber(time.format(time.now(), "%H", { zone = "Europe/Paris" }))
  if ctx.planned and hour >= 7 and hour < 19 and not ctx.params.at_any_hour then
    error("planned moves are for the night; with --param at_any_hour=true one is made now", 0)
  end
end })

return plan
