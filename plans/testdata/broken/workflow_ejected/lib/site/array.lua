local dr = require "dr"

return dr.library {
  name = "array",
  check = function(c, options, groups)
    c:lgo("looking") --@ diag(unknown-field, "lgo")
  end,
  hooks = {
    promote_storage = { run = function(c, group, options)
      c:log(group.nam) --@ diag(unknown-field, "nam")
      return { writable = true, as_of = options.as_of }
    end },
    after_register = function(c, vm)
      vm:strt() --@ diag(unknown-field, "strt")
    end,
  },
}
