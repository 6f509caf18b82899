--@ action planned failover
--@ heard ssh sudo systemctl stop shop
-- The application is stopped cleanly before its VM is shut down. One that does not stop within five minutes stops the run, with the VM up.
local dr, ssh = require "dr", require "ssh"
local plan = dr.plan(require "generated")

plan:on("before_stop", function(ctx, vm)
  if vm.name ~= "vm2" then return end
  ssh.run { host = "app.localdomain", port = 22, user = "root", key_file = "host-key", command = "sudo systemctl stop shop", timeout = "5m" }
end)

return plan
