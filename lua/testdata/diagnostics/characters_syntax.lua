local name = "Zürich – Süd" 1
