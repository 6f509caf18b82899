-- The built-in failback: the way home. ctx.source is the secondary, ctx.target the primary.
-- A plan replaces it with: function plan.failback(ctx) … end
return require "dr.failover"
