---@meta exec
-- Written by drrun types; do not edit.

---@class (exact) exec.run.arguments
---@field argv? string[] # Program and arguments, each by itself. A name without / is looked for in PATH, "./name" starts in the plan's folder. Everybody on the machine can read arguments: secrets are refused here.
---@field shell? string # Instead of argv: a text for /bin/sh -c.
---@field env? table<string, string|secret> # Variables to add to the environment; a value may be a dr.secret. Variables DRRUN_SECRET_… of drrun itself are not passed on; DRRUN_RETRIED is true where an earlier try may have had its effect.
---@field stdin? string|secret # What it reads. Default: nothing.
---@field folder? string # Working folder; a relative one starts in the plan's folder, which is the default.
---@field timeout? duration # How long it may take. Default: "1m".
---@field observe? boolean # It changes nothing: it is not recorded, a resumed run and a dry run run it, and boot conditions may. Default: false.
---@field ok? integer[] # Exit codes that are no error. Default: { 0 }.
---@field max_output? size # How much of the end of each output is kept, up to "1MiB"; what is recorded as the result of a change is cut to 60 KiB in all. Default: "16KiB".
---@field on_cut? "retry"|"ask" # What a resumed run does when a kill cut it: do it again, or ask a person. Default: "retry".
---@field [string] unknown_key

---@class (exact) exec.run.options
---@field shell? string # Instead of argv: a text for /bin/sh -c.
---@field env? table<string, string|secret> # Variables to add to the environment; a value may be a dr.secret. Variables DRRUN_SECRET_… of drrun itself are not passed on; DRRUN_RETRIED is true where an earlier try may have had its effect.
---@field stdin? string|secret # What it reads. Default: nothing.
---@field folder? string # Working folder; a relative one starts in the plan's folder, which is the default.
---@field timeout? duration # How long it may take. Default: "1m".
---@field observe? boolean # It changes nothing: it is not recorded, a resumed run and a dry run run it, and boot conditions may. Default: false.
---@field ok? integer[] # Exit codes that are no error. Default: { 0 }.
---@field max_output? size # How much of the end of each output is kept, up to "1MiB"; what is recorded as the result of a change is cut to 60 KiB in all. Default: "16KiB".
---@field on_cut? "retry"|"ask" # What a resumed run does when a kill cut it: do it again, or ask a person. Default: "retry".
---@field [string] unknown_key

---How a command ended.
---@class (exact) command_result
---@field code integer # Exit code.
---@field stdout string # The end of what it wrote.
---@field stderr string # The end of what it wrote as errors.
---@field seconds number # How long it took.
---@field truncated boolean # Something of the outputs is left out.

---Programs on the machine that drrun runs on.
---@class exec_module
local exec = {}

---Runs a program and waits for it. Returns { code =, stdout =, stderr =, seconds =, truncated = }. Raises exec-failed when it cannot be started, ends with a code that is not in ok, or does not end in time: then its whole process group is killed, as with the second Ctrl-C. No shell reads the arguments unless shell is given. What it runs as is what drrun runs as. A change, unless observe is true.
---
---Recorded: a resumed run gets the result, and does not do it again.
---@param argv? string[] # Program and arguments, each by itself. A name without / is looked for in PATH, "./name" starts in the plan's folder. Everybody on the machine can read arguments: secrets are refused here.
---@param options? exec.run.options
---@return command_result
---@overload fun(arguments: exec.run.arguments): command_result
function exec.run(argv, options) end

return exec
