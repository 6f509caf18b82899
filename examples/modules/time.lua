--@ returns {"local":"20.11.2026 04:04","older":600}
-- How old a copy is, and when in the words of the site.
local time = require "time"

return function(ctx)
  local as_of = time.parse("2026-11-20 03:04:05", { format = "%Y-%m-%d %H:%M:%S" })
  local older = time.between(time.sub(as_of, "10m"), as_of)
  return { ["local"] = time.format(as_of, "%d.%m.%Y %H:%M", { zone = "Europe/Paris" }), older = older }
end
