--@ returns {"said":"volume promote 'vol dr': done by drrun"}
-- An array that is driven by its command line. Its key stands in known_hosts beside the plan.
local dr, ssh = require "dr", require "ssh"

return function(ctx)
  local promoted = ssh.run {
    host = ctx.params.array, port = ctx.params.array_port, user = "drrun", password = dr.secret "array_password",
    command = "volume promote " .. ssh.quote "vol dr",
    timeout = "5m", on_cut = "ask",
  }
  return { said = promoted.stdout:gsub("%s+$", "") }
end
