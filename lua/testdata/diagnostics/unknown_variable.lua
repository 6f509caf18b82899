local a = strin.upper("x")
