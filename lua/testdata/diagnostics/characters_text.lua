local name = "Süd"; error("no " .. name)
