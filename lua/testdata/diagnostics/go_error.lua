local vm = require "probe"
vm.start { name = "gone" }
