-- MODULE: makes the copy of a consistency group writable.
--
-- In a plan:  plan:use(require "MODULE" { address = "https://array.example" })
-- Its test:   drrun test-lib FOLDER
local dr, http = require "dr", require "http"

return dr.library {
  -- The name is part of the journal: by it a resumed run knows what was done. Keep it.
  name = "NAME",
  version = "0.1",

  -- What a plan says about it. drrun checks types, missing and misspelt options before anything runs.
  options = {
    address = { type = "string", required = true, doc = "address of the array's REST interface" },
    timeout = { type = "duration", default = "2m", doc = "how long the array may take" },
  },

  hooks = {
    -- Called for each consistency group, when the other site is down or has let go of its storage.
    -- group.name is the group, group.storage_domains are those in it. drrun docs lists the other hook points.
    promote_storage = function(ctx, group, options)
      -- A change like this one is recorded: a resumed run takes the recorded answer and does not ask again.
      local answer = http.post { url = options.address .. "/groups/" .. group.name .. "/promote", timeout = options.timeout }
      ctx:log("the array has promoted " .. group.name)
      -- The array has promoted: an answer without JSON must not end the run here. What it does not say is not known.
      local said = answer.json
      if type(said) ~= "table" then
        ctx:warn("the array promoted " .. group.name .. " and sent no JSON: HTTP " .. answer.status .. ", Content-Type " .. (answer.headers["content-type"] or "none"))
        said = {}
      end
      -- as_of is the last write that the copy holds: what was written later is lost. "unknown" is an honest answer.
      return { writable = true, as_of = said.last_write or "unknown" }
    end,
  },

  -- Called before a run begins, and in a dry run. It may only look. When it raises an error, nothing is begun.
  check = function(ctx, options)
    http.get { url = options.address .. "/health", timeout = options.timeout }
  end,
}
