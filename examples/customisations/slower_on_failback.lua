--@ action planned failover, then planned failback
--@ slower 4m
-- The cold caches at home need five minutes before the applications may start; the recovery site needs half of one.
local dr = require "dr"
local my = require "generated"

my.vms[1].boot = dr.boot.by_action { failover = dr.boot.wait "30s", failback = dr.boot.wait "5m" }

return dr.plan(my)
