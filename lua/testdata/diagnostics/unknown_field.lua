local a = string.uper("x")
