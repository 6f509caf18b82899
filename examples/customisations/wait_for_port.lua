--@ port database
--@ started vm1 | vm2 vm3
-- The application starts when the database takes connections, and not merely when its VM is up.
local dr = require "dr"
local my = require "generated"

my.vms[1].boot = dr.boot.tcp { host = "database.localdomain", port = 5432, timeout = "15m" }
my.vms[2].after = { "vm1" }

return dr.plan(my)
