-- The array of this site over its REST interface. In a plan:
--   plan:use(require "site.array_rest" {
--     primary   = { url = "https://array1.example.com", user = "drrun", password = dr.secret "primary_array_password" },
--     secondary = { url = "https://array2.example.com", user = "drrun", password = dr.secret "secondary_array_password" },
--   })
local http = require "http"

local at = {
  url = { type = "string", required = true, doc = "Its address: https://HOST or https://HOST:PORT." },
  user = { type = "string", required = true, doc = "User that may change replications." },
  password = { type = "secret", required = true, doc = "Its password." },
  ca_file = { type = "string", doc = "The CA that signed its certificate (PEM)." },
}

local function connect(site, options)
  local to = options[site]
  local function ask(method, path, body)
    local answer = http[method] {
      url = to.url .. "/api/v1" .. path, user = to.user, password = to.password, ca_file = to.ca_file, json = body,
      expect = { 200, 202, 400, 404, 409 }, timeout = "30s",
    }
    if answer.status >= 400 then error("the array of " .. site .. " refuses " .. path .. ": " .. answer.json.error.message, 0) end
    return answer.json
  end
  local array = { site = site }
  function array.show(name) return ask("get", "/replications/" .. name) end
  function array.change(name, what, flags)
    local body = flags and flags.discard and { discard = true } or nil
    return ask("post", "/replications/" .. name .. "/" .. what, body)
  end
  function array.protect(volume) return ask("patch", "/volumes/" .. volume, { access = "read-only" }) end
  function array.job(id) return ask("get", "/jobs/" .. id) end
  function array.clone(volume, name)
    for _, clone in ipairs(ask("get", "/volumes/" .. volume .. "/clones").clones) do
      if clone.name == name then return clone end
    end
    return nil
  end
  function array.make_clone(volume, name) return ask("post", "/volumes/" .. volume .. "/clones", { name = name }) end
  function array.drop_clone(volume, name) return ask("delete", "/volumes/" .. volume .. "/clones/" .. name) end
  return array
end

return require("site.replication").library("array_rest", at, connect)
