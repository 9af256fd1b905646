"""What a person writes (model, design, formula), as strict frozen types."""
