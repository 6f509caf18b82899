local s = "open
return s
