-- The built-in failover. A plan replaces it with: function plan.failover(ctx) … end
local stages = require "dr.steps"

return function(ctx, changes)
  local steps = stages.with(ctx, changes)
  steps.preflight(ctx)
  if ctx.planned then
    steps.confirm_replication(ctx)
    steps.clean(ctx)
    steps.ensure_replication(ctx)
    steps.stop_source(ctx)
    steps.release_storage(ctx)
  end
  steps.evidence(ctx)
  steps.promote(ctx)
  steps.import(ctx)
  steps.register(ctx)
  steps.repair(ctx)
  steps.boot(ctx)
  steps.verify(ctx)
  if ctx.planned then steps.leave_source(ctx) end
  steps.reprotect(ctx)
end
