local p = require "probe"
p.parallel({ "a", "b", "c" }, function(x)
  if x ~= "b" then p.start("gone") end
end)
