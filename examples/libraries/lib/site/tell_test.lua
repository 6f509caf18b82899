-- Those who are told, played by a function.
local dr, test = require "dr", require "test"
local tell = require "site.tell"

test.case("a channel hears of the beginning and of the end", function(t)
  local server = t:http(function() return { status = 204 } end)
  local result = t:failover { use = { tell { channel = dr.secret "chat_url" } }, secrets = { chat_url = server.url .. "/hooks/ops" } }
  t:equal(result.exit, 0)
  t:equal(#server.requests, 2)
  t:match(server.requests[1].json.text, "^failover of .* to secondary begins")
  t:match(server.requests[2].json.text, "has ended: done$")
end)

test.case("a channel that is silent stops nothing", function(t)
  local server = t:http(function() return { status = 500 } end)
  local result = t:failover { use = { tell { channel = dr.secret "chat_url" } }, secrets = { chat_url = server.url } }
  t:equal(result.exit, 0)
  t:match(table.concat(result.warnings, "\n"), "was not sent")
end)
