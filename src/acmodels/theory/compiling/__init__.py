"""Claims to models: which columns, rows and units, what is adjusted for, and the equations."""
