local vm = require "probe"
for i = 1, 2 do
  if i == 2 then
    vm.start { name = "gone", rank = 1 }
  end
end
