--@ heard ssh sudo nmcli connection modify eth0 ipv4.method manual ipv4.addresses 10.1.0.11/24 ipv4.gateway 10.1.0.1
--@ heard ssh sudo nmcli connection up eth0
-- A guest gets the address of the site where it has started. It is told over the management network, which is the same at both sites.
local dr, ssh = require "dr", require "ssh"
local plan = dr.plan(require "generated")

local addresses = { vm1 = { secondary = "10.1.0.11/24 ipv4.gateway 10.1.0.1", primary = "10.0.0.11/24 ipv4.gateway 10.0.0.1" } }

plan:on("after_start", function(ctx, vm)
  if not addresses[vm.name] then return end
  local guest = { host = "app.localdomain", port = 22, user = "root", key_file = "host-key" }
  guest.command = "sudo nmcli connection modify eth0 ipv4.method manual ipv4.addresses " .. addresses[vm.name][ctx.target.name]
  ssh.run(guest)
  guest.command = "sudo nmcli connection up eth0"
  ssh.run(guest)
end)

return plan
