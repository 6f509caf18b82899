local stages = require "dr.steps"

return function(ctx, changes)
  local steps = stages.with(ctx, changes)
  steps.preflight(ctx)
  steps.bot(ctx) --@ diag(unknown-field, "bot")
  stages.verfy(ctx) --@ diag(unknown-field, "verfy")
end
