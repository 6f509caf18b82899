local vms = {
  { name = "a" 
  { name = "b" },
}
