local netapp = require "site.netapp" --@ diag(require-cycle, "\"site.netapp\"")
return {}
