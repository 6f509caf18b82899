local names = nil
return { first = names.first } --@ diag(lua-error, "names")
