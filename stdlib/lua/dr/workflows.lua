-- The built-in workflows as functions (ctx, changes), for a workflow of a plan that adds to one: dr.workflows.failover(ctx).
return {
  failover = require "dr.failover",
  failback = require "dr.failback",
  clean = require "dr.clean",
  rollback = require "dr.rollback",
}
