---@meta _

-- What plans have without require. Whatever reaches files, processes, other environments or the interpreter is not there.

---The version of the language.
---@type string
_VERSION = "Lua 5.1"

---The version of the interpreter.
---@type string
_GOPHER_LUA_VERSION = ""

---Raises message where v is false or nil; else returns all its arguments.
---@generic T
---@param v? T
---@param message? any
---@param ... any
---@return T
---@return any ...
function assert(v, message, ...) end

---Raises an error. A text gets the place of the call in front of it, unless level is 0.
---@param message any
---@param level? integer
function error(message, level) end

---@param object any
---@return any
function getmetatable(object) end

---Goes through a list: for i, value in ipairs(list) do … end
---@generic T: table, V
---@param t T
---@return fun(table: V[], i?: integer): integer, V
---@return T
---@return integer i
function ipairs(t) end

---The entry behind index, in the order in which entries were added; nil behind the last.
---@generic K, V
---@param table table<K, V>
---@param index? K
---@return K?
---@return V?
function next(table, index) end

---Goes through all entries of a table, in the order in which they were added: for key, value in pairs(t) do … end
---@generic T: table, K, V
---@param t T
---@return fun(table: table<K, V>, index?: K): K, V
---@return T
function pairs(t) end

---Calls f and catches its error: true and what f returns, or false and the error, a table with code, message, hint, at and retryable where
---a call of drrun failed. What stops the run cannot be caught.
---@param f fun(...): any
---@param ... any
---@return boolean success
---@return any result
---@return any ...
function pcall(f, ...) end

---Writes a line to the log of the run.
---@param ... any
function print(...) end

---@param a any
---@param b any
---@return boolean
function rawequal(a, b) end

---@param table table
---@param index any
---@return any
function rawget(table, index) end

---@param table table
---@param index any
---@param value any
---@return table
function rawset(table, index, value) end

---Loads a module once and returns it: one of drrun's, else NAME.lua in the plan's folder, its lib/, or a folder of --lib. A dot stands
---between folders: require "site.array" is lib/site/array.lua.
---@param modname string
---@return any
function require(modname) end

---The arguments from the n-th on, from the end where n is negative; their number where n is "#".
---@param n integer|"#"
---@param ... any
---@return any ...
function select(n, ...) end

---@param table table
---@param metatable? table
---@return table
function setmetatable(table, metatable) end

---The number that a text stands for, nil where it is none.
---@param e any
---@param base? integer
---@return number?
function tonumber(e, base) end

---A value as text.
---@param v any
---@return string
function tostring(v) end

---The type of a value.
---@param v any
---@return "nil"|"number"|"string"|"boolean"|"table"|"function"|"userdata" type
function type(v) end

---The entries i to j of a list, one by one.
---@generic T
---@param list T[]
---@param i? integer
---@param j? integer
---@return T ...
function unpack(list, i, j) end

---pcall with a function that gets the error and returns what to return instead.
---@param f fun(): any
---@param handler fun(err: any): any
---@return boolean success
---@return any result
---@return any ...
function xpcall(f, handler) end

---Texts. Each function is a method of texts too: name:upper().
---@class stringlib
string = {}

---@param s string
---@param i? integer
---@param j? integer
---@return integer ...
function string.byte(s, i, j) end

---@param ... integer
---@return string
function string.char(...) end

---Where a pattern is found: from, to, and its captures; nil where it is not. With plain the pattern is a text.
---@param s string
---@param pattern string
---@param init? integer
---@param plain? boolean
---@return integer? from
---@return integer? to
---@return any ...
function string.find(s, pattern, init, plain) end

---Fills values into a format: ("%s runs on %d"):format(name, count)
---@param s string
---@param ... any
---@return string
function string.format(s, ...) end

---Goes through all matches of a pattern.
---@param s string
---@param pattern string
---@return fun(): string, ...
function string.gmatch(s, pattern) end

---@param s string
---@param pattern string
---@return fun(): string, ...
function string.gfind(s, pattern) end

---Replaces matches of a pattern; returns the text and how often.
---@param s string
---@param pattern string
---@param repl string|number|table|function
---@param n? integer
---@return string
---@return integer count
function string.gsub(s, pattern, repl, n) end

---@param s string
---@return integer
function string.len(s) end

---@param s string
---@return string
function string.lower(s) end

---The captures of the first match of a pattern, or the match; nil where there is none.
---@param s string
---@param pattern string
---@param init? integer
---@return string? match
---@return any ...
function string.match(s, pattern, init) end

---@param s string
---@param n integer
---@return string
function string.rep(s, n) end

---@param s string
---@return string
function string.reverse(s) end

---@param s string
---@param i integer
---@param j? integer
---@return string
function string.sub(s, i, j) end

---@param s string
---@return string
function string.upper(s) end

---Lists.
---@class tablelib
table = {}

---The entries of a list as one text.
---@param list table
---@param sep? string
---@param i? integer
---@param j? integer
---@return string
function table.concat(list, sep, i, j) end

---@param list table
---@return integer
function table.getn(list) end

---Puts a value at the end of a list, or at a place in it.
---@param list table
---@param value any
---@overload fun(list: table, pos: integer, value: any)
function table.insert(list, value) end

---@param table table
---@return number
function table.maxn(table) end

---Takes the last entry out of a list, or that at a place, and returns it.
---@generic V
---@param list V[]
---@param pos? integer
---@return V?
function table.remove(list, pos) end

---Sorts a list in place.
---@generic T
---@param list T[]
---@param less? fun(a: T, b: T): boolean
function table.sort(list, less) end

---Numbers.
---@class mathlib
---@field huge number
---@field pi number
math = {}

---@param x number
---@return number
function math.abs(x) end

---@param x number
---@return number
function math.acos(x) end

---@param x number
---@return number
function math.asin(x) end

---@param x number
---@return number
function math.atan(x) end

---@param x number
---@return number
function math.cos(x) end

---@param x number
---@return number
function math.cosh(x) end

---@param x number
---@return number
function math.deg(x) end

---@param x number
---@return number
function math.exp(x) end

---@param x number
---@return number
function math.log(x) end

---@param x number
---@return number
function math.log10(x) end

---@param x number
---@return number
function math.rad(x) end

---@param x number
---@return number
function math.sin(x) end

---@param x number
---@return number
function math.sinh(x) end

---@param x number
---@return number
function math.sqrt(x) end

---@param x number
---@return number
function math.tan(x) end

---@param x number
---@return number
function math.tanh(x) end

---@param x number
---@return integer
function math.ceil(x) end

---@param x number
---@return integer
function math.floor(x) end

---@param y number
---@param x number
---@return number
function math.atan2(y, x) end

---@param x number
---@param y number
---@return number
function math.fmod(x, y) end

---@param x number
---@param y number
---@return number
function math.mod(x, y) end

---@param x number
---@param y number
---@return number
function math.pow(x, y) end

---@param m number
---@param e integer
---@return number
function math.ldexp(m, e) end

---@param x number
---@return number m
---@return integer e
function math.frexp(x) end

---@param x number
---@return number whole
---@return number fraction
function math.modf(x) end

---@param x number
---@param ... number
---@return number
function math.max(x, ...) end

---@param x number
---@param ... number
---@return number
function math.min(x, ...) end

---A number from 0 to 1, from 1 to m, or from m to n. The same run gets the same numbers each time.
---@param m? integer
---@param n? integer
---@return number
function math.random(m, n) end
