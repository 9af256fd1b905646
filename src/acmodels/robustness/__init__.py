"""How far a result depends on what is not known: unmeasured causes, and single units."""
