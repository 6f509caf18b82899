-- A database VM counts as good when it answers a question in SQL, and not before. It is asked on the VM itself, over SSH. In a plan:
--   plan:use(require "site.database" {
--     user = "postgres", key_file = "database-key",
--     databases = { db01 = { host = "db01.example.com", query = "select count(*) > 0 from orders", expect = "t" } },
--   })
local dr, ssh = require "dr", require "ssh"

return dr.library {
  name = "database", version = "1.0",
  options = {
    user = { type = "string", default = "postgres", doc = "User on the VM who may ask the database." },
    key_file = { type = "string", doc = "The private key of that user; a relative path starts in the plan's folder." },
    password = { type = "secret", doc = "The password of that user, where there is no key." },
    port = { type = "integer", default = 22, doc = "Port of SSH." },
    databases = { type = "table", required = true, doc = "By the name of a VM: { host =, query =, expect = }; expect is \"t\" where it is left out." },
    timeout = { type = "duration", default = "5m", doc = "How long a database may take to recover." },
  },
  hooks = {
    verify_vm = {
      timeout = "30m",
      run = function(ctx, vm, options)
        local database = options.databases[vm.name]
        if not database then return true end
        local command = "psql --no-psqlrc --tuples-only --no-align --command " .. ssh.quote(database.query)
        local said = "nothing"
        local ok, err = pcall(ctx.wait_for, ctx, "the database of " .. vm.name, function()
          local asked, answer = pcall(ssh.run, {
            host = database.host, port = options.port, user = options.user, key_file = options.key_file, password = options.password,
            command = command, observe = true,
          })
          said = asked and answer.stdout:match "^%s*(.-)%s*$" or tostring(answer)
          return said == (database.expect or "t")
        end, { timeout = options.timeout })
        if not ok and err.code ~= "wait-timeout" then error(err) end
        if not ok then ctx:warn("the database of " .. vm.name .. " is not good: " .. database.query .. " says " .. said) end
        return ok
      end,
    },
  },
}
