local n = "a" + {}
