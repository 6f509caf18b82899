local t = nil
local function f()
  return t.name
end
local function g()
  return f()
end
local r = g()
return r
