if true then local name = "Süd"
