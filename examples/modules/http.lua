--@ returns {"volume":"vol_dr","clone":"POST"}
-- An array that is driven over REST: a login gives a token, which the plan can pass on and never see.
local dr, http = require "dr", require "http"

return function(ctx)
  local array = ctx.params.array
  local login = http.post {
    url = array .. "/login", json = { user = "drrun", password = dr.secret "array_password" },
    observe = true, hide = { "token", "X-Session" }, -- a login changes nothing: it is not recorded, and done again after a kill
  }
  local session = { ["X-Session"] = login.headers["x-session"] }
  local volumes = http.get { url = array .. "/volumes", token = login.json.user.token, headers = session }
  local clone = http.post { -- a change: recorded, and not made again by a resumed run
    url = array .. "/clones", json = { of = volumes.json[1].name }, token = login.json.user.token, headers = session,
  }
  return { volume = volumes.json[1].name, clone = clone.json.done }
end
