error("no reason")
