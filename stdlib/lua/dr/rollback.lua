-- Undoes a planned move before its storage was promoted. ctx.target is the site that the VMs go back to, which they had left.
local stages = require "dr.steps"

return function(ctx, changes)
  local steps = stages.with(ctx, changes)
  steps.evidence(ctx)
  steps.take_back(ctx)
  steps.repair(ctx)
  steps.boot(ctx)
  steps.verify(ctx)
end
