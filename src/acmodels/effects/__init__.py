"""What a fit says in other words: predictions, effect sizes, maximum likelihood, Bayes factors."""
