--@ returns {"promoted":"vol_dr","state":"rw"}
-- An array that is driven by its vendor's command. The password goes by the environment: everybody can read arguments.
local dr, exec = require "dr", require "exec"

return function(ctx)
  local promoted = exec.run {
    argv = { "./bin/array", "promote", "vol_dr" },
    env = { ARRAY_PASSWORD = dr.secret "array_password" },
    timeout = "5m", on_cut = "ask",
  }
  local seen = exec.run { argv = { "./bin/array", "state", "vol_dr" }, observe = true } -- only looks: never recorded
  return { promoted = promoted.stdout:match "promoted (%S+)", state = seen.stdout:match "%S+" }
end
