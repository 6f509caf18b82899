--@ heard ssh psql -tAc 'select not pg_is_in_recovery()'
--@ heard ssh psql -tAc 'select not pg_is_in_recovery()'
--@ started vm1 | vm2 vm3
-- The database counts as running when it answers a question in SQL; the VMs of the next rank wait for that.
local dr, ssh = require "dr", require "ssh"
local my = require "generated"

my.vms[1].boot = function(ctx, vm)
  local asked, answer = pcall(ssh.run, {
    host = "db.localdomain", port = 22, user = "postgres", key_file = "host-key", observe = true,
    command = "psql -tAc " .. ssh.quote "select not pg_is_in_recovery()",
  })
  return asked and answer.stdout:match "^t" ~= nil
end

return dr.plan(my)
