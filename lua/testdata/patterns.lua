-- Prints what find, match, gmatch and gsub give. patterns.txt is what Lua 5.1.5 prints: lua5.1 patterns.lua > patterns.txt
local patterns = {
  "", "a", "^a", "a$", "$a", "a$b", "$", "^", "^$", "^^", ".", ".-", ".*", ".+", "x?y", "a-b", "a*b", "-", "*", "a**", "--",
  "^%s*(.-)%s*$", "(%w+)=(%w+)", "(%d+)%.(%d+)", "([^,]*),?", "[%a_][%w_]*", "%S+$", "%W", "%u%l*", "%p", "%c", "%x+", "%z", "%.", "%%",
  "()", "()b()", "(a*(.)%w(%s*))", "((a)(b?))", "(a)(b)?", "(.)%1", "(.-)%1", "()%1", "%b()", "%bxx", "%f[%w]%w+", "%f[%z]",
  "[]]", "[^]]", "[a-]", "[-a]", "[a%-z]", "[a-c]+", "[a-%z]", "[%]]", "[^%s]", "[a-%%]", "[[]", "[a-c-e]+", "\195[\164-\188]",
  "(", "(a", "a)", ")", "(()", "[", "[a", "[^", "[]", "[%", "%", "a%", "%b", "%bx", "%f", "%fa", "%0", "%1", "(%1)", "(a)%2",
  ("()"):rep(32), ("()"):rep(33),
}
local texts = { "", "a", "aab", " a b=c ", "f(x(y))", "aabbxxy", "10.24", "a-]b[", "THE Fox", "a\0b\n", "\195\164", "^a$%1", ",,a," }

local function quoted(text)
  return '"' .. text:gsub("[^ -~]", function(c) return ("\\%d"):format(c:byte()) end) .. '"'
end

local function shown(...)
  local out = {}
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    out[i] = type(value) == "string" and quoted(value) or type(value) == "table" and "table" or tostring(value)
  end
  return table.concat(out, " ")
end

-- That it is an error counts, not its text, which has places in it.
local function results(ok, ...)
  return ok and shown(...) or "error"
end

local function try(f, ...)
  return results(pcall(f, ...))
end

local function each(text, pattern)
  local found = {}
  for a, b in text:gmatch(pattern) do
    found[#found + 1] = tostring(a) .. "," .. tostring(b)
  end
  return table.concat(found, ";")
end

for _, pattern in ipairs(patterns) do
  print(quoted(pattern))
  for _, text in ipairs(texts) do
    local found = try(string.find, text, pattern)
    if found ~= "nil" then
      print("  " .. table.concat({
        quoted(text), found, try(string.match, text, pattern, 2), try(each, text, pattern), try(string.gsub, text, pattern, "<%1>"),
        try(string.gsub, text, pattern, function(a, b) return b end),
      }, " | "))
    end
  end
end

for _, case in ipairs {
  { "find", "a.b", ".", 2, true }, { "find", "abc", "b", -2 }, { "find", "abc", "", 9 }, { "find", "abc", "$", 9 }, { "find", "abc", "a", -9 }, { "find", "abc", "^b", 2 },
  { "find", 123, 2 }, { "match", "abc", ".", -1 }, { "match", "abc", "()$", 9 },
  { "gsub", "aaa", "a", "b", 0 }, { "gsub", "aaa", "a", "b", -1 }, { "gsub", "aaa", "a", "b", 2 }, { "gsub", "aaa", "^a", "b" }, { "gsub", "abc", "%w", "%0%0%%%x" },
  { "gsub", "abc", "b", "%2" }, { "gsub", "abc", "(", "x" }, { "gsub", "abc", "b", 7 }, { "gsub", "abc", "b" }, { "gsub", "abc", "b", true },
  { "gsub", "abc", "%w", { a = "A", b = 1, c = false } }, { "gsub", "abc", "()%w", { "A", "B" } }, { "gsub", "abc", "b", { b = true } }, { "gsub", "abc", "b", { b = {} } },
} do
  print(shown(unpack(case)), try(string[case[1]], unpack(case, 2)))
end
