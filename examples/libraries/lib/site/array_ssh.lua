-- The array of this site by its command line. Its key stands in known_hosts beside the plan. In a plan:
--   plan:use(require "site.array_ssh" {
--     primary   = { host = "array1.example.com", user = "drrun", password = dr.secret "primary_array_password" },
--     secondary = { host = "array2.example.com", user = "drrun", password = dr.secret "secondary_array_password" },
--   })
local ssh, json = require "ssh", require "json"

local at = {
  host = { type = "string", required = true, doc = "Its name or address." },
  port = { type = "integer", default = 22, doc = "Its port." },
  user = { type = "string", required = true, doc = "User that may change replications." },
  password = { type = "secret", doc = "Its password; without one key_file." },
  key_file = { type = "string", doc = "The private key; a relative path starts in the plan's folder." },
}

local function connect(site, options)
  local to = options[site]
  local function run(command, observe)
    local answer = ssh.run {
      host = to.host, port = to.port, user = to.user, password = to.password, key_file = to.key_file,
      command = command .. " -json", observe = observe, timeout = "30s",
    }
    return json.decode(answer.stdout)
  end
  local quote, array = ssh.quote, { site = site }
  function array.show(name) return run("volume replication show " .. quote(name), true) end
  function array.change(name, what, flags)
    return run("volume replication " .. what .. " " .. quote(name) .. (flags and flags.discard and " -discard" or ""))
  end
  function array.protect(volume) return run("volume modify " .. quote(volume) .. " -access read-only") end
  function array.job(id) return run("job show " .. quote(id), true) end
  function array.clone(volume, name)
    for _, clone in ipairs(run("volume clone show " .. quote(volume), true)) do
      if clone.name == name then return clone end
    end
    return nil
  end
  function array.make_clone(volume, name) return run("volume clone create " .. quote(volume) .. " " .. quote(name)) end
  function array.drop_clone(volume, name) return run("volume clone delete " .. quote(volume) .. " " .. quote(name)) end
  return array
end

return require("site.replication").library("array_ssh", at, connect)
