-- The table of the operations team, as its spreadsheet saves it.
return [[
vm,rank
vm3,0
vm2,1
vm1,2
]]
