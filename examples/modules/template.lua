--@ returns "Failover of Plan_Recovery: 2 VMs run at secondary (cost: ${none})."
-- A message with places to fill in. A name that is missing is an error: no half-filled text leaves.
local template = require "template"

return function(ctx)
  return template.render("Failover of ${plan}: ${vms.1.count} VMs run at ${site} (cost: $${none}).",
    { plan = "Plan_Recovery", vms = { { count = 2 } }, site = "secondary" })
end
