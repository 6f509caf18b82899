local p = require "probe"
p.start { name = "Zürich – Süd", rnak = 1 }
