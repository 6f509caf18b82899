-- The built-in failover. A plan replaces it with: function plan.failover(ctx) … end
local steps = require "dr.steps"

return function(ctx)
  steps.preflight(ctx)
  steps.evidence(ctx)
  steps.promote(ctx)
  steps.import(ctx)
  steps.register(ctx)
  steps.boot(ctx)
  steps.verify(ctx)
  steps.reprotect(ctx)
end
