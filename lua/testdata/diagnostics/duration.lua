local vm = require "probe"
vm.start {
  name = "web01",
  timeout = "5 minutes",
}
