--@ returns {"first":"lun-7","text":"{\"luns\":[\"lun-7\"],\"size\":9007199254740993}"}
-- Reading what an array says, and writing what it wants to hear.
local json = require "json"

return function(ctx)
  local answer = json.decode '{ "luns": [ { "id": "lun-7", "alias": null } ], "size": 9007199254740993 }'
  local names = {}
  for i, lun in ipairs(answer.luns) do names[i] = lun.alias or lun.id end -- a null reads as nil
  local text = json.encode { luns = names, size = answer.size }
  return { first = names[1], text = text:gsub('"(%d+)"', "%1") } -- beyond 2^53 a number is a text
end
