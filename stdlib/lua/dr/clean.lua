-- The built-in clean: what a site still has of the plan leaves its engine. ctx.target is that site, ctx.source the one that holds the plan.
local stages = require "dr.steps"

return function(ctx, changes)
  local steps = stages.with(ctx, changes)
  steps.clean(ctx)
  for _, domain in ipairs(ctx.facts.storage_domains) do ctx:mark(ctx.target:storage_domain(domain.id), "left") end
  for _, fact in ipairs(ctx.facts.vms) do ctx:mark(ctx.target:vm(fact.id), "left") end
end
