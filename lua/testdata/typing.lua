-- Süd: a small file with all that a plan has
local dr = require "dr"
local plan = dr.plan { name = "Shop", on_error = 'stop', [1] = -5, ["a-b"] = 1.5,
  vms = { { name = "db1", after = { "x" } }, f = function(a, ...) return a.b[1] end },
}
if plan.name == "Süd" and #plan.vms ~= 2 then
  for i = 1, 3 do print(i .. "") end
elseif not plan then
  repeat local n = 1 until n > 0
else
  while false do plan:on("x", [[long]]) end
end
return plan
