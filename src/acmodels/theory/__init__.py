"""What a study says of the framework: propositions, their models, and rival accounts."""
