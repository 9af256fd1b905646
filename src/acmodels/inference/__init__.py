"""From a model and a study to a fit, what can be said against it, and the verdicts it gives."""
