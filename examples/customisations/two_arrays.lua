--@ domains 2
--@ lib ../libraries/lib
--@ action planned failover
--@ verdict reverse replication: ready for group gold
--@ verdict reverse replication: ready for group silver
-- Two storage domains on two arrays, of which one is driven over REST and the other by its command line. Each is a consistency group.
local dr = require "dr"
local my = require "two_domains"
my.storage_domains[1].group, my.storage_domains[2].group = "gold", "silver"
local plan = dr.plan(my)
local here, there = dr.secret "primary_array_password", dr.secret "secondary_array_password"

plan:use(require "site.array_rest" {
  primary   = { url = "https://array1.localdomain", user = "drrun", password = here, ca_file = "primary-ca.pem" },
  secondary = { url = "https://array2.localdomain", user = "drrun", password = there, ca_file = "secondary-ca.pem" },
}, { groups = { "gold" } })
plan:use(require "site.array_ssh" {
  primary   = { host = "array1.localdomain", user = "drrun", password = here },
  secondary = { host = "array2.localdomain", user = "drrun", password = there },
}, { groups = { "silver" } })

return plan
