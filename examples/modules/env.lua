--@ returns "ops@site-b"
-- Who to tell, as the machine that runs the plan has it.
local env = require "env"

return function(ctx)
  return env.get("PAGER", "ops") .. "@" .. env.get("SITE", "nowhere")
end
