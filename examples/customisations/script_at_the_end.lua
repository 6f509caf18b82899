--@ file published.txt done 3
-- A script of the site gets the number of the run when it has ended: drrun report NUMBER has the page with everything that was done.
local dr, exec = require "dr", require "exec"
local plan = dr.plan(require "generated")

plan:on("after_run", function(ctx, result)
  exec.run { argv = { "./bin/publish", ctx.run.id, result.status, tostring(#result.vms) }, timeout = "2m" }
end, { on_error = "continue" })

return plan
