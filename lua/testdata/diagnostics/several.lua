local vm = require "probe"
vm.start { rank = 1.5, timeout = true }
