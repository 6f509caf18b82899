return { send = function(text) end --@ diag(syntax, "{", 0)
