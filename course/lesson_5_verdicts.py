# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 5. From proposition to verdict
#
# "District capacity raises learning by way of the interactions that it makes possible" (P41) is a
# sentence. To test it one has to say which number would support it (an *estimand*), which values
# of it (a *region*), which are too small to matter (a *rope*), and how sure one must be (a *probability*).

# %%
from dataclasses import replace
from pathlib import Path

from exercises import check

import acmodels as ac
from acmodels.framework.files import shipped
from acmodels.theory.rates import of_claim

folder = Path(ac.__file__).parents[2] / "data" / "synthetic" / "partnerships"
model = ac.load_model("interaction_mediation")
fit = ac.fit(model, ac.load_study(folder))
effects = ac.estimate(fit)
verdicts = ac.judge(effects, model.propositions)
print(
    verdicts[["proposition", "status", "p_region", "p_rope", "mean"]]
    .round(3)
    .to_string(index=False)
)

# %% [markdown]
# `contradicted` is as strong a word as `supported`; `undecided` is what most small studies have to
# say. Make the rules stricter and see which verdicts hold.

# %%
for probability in (0.9, 0.975, 0.999):
    strict = {k: replace(p, probability=probability) for k, p in model.propositions.items()}
    print(probability, dict(ac.judge(effects, strict)["status"].value_counts()))

# %% [markdown]
# **Exercise 5.1** A one-sided claim whose true effect is exactly 0 is judged under a flat prior with
# probability 0.975 and no rope. How often is it called supported?

# %%
answer = None
check("5.1", answer)

# %% [markdown]
# **Exercise 5.2** Forty such claims are tested. How many false supports are to be expected?

# %%
answer = None
check("5.2", answer)

# %% [markdown]
# Rules should have known error rates. `acmodels test` derives a model and a rule for each proposition
# from the framework; these rates were measured on simulated studies: in which P41 is true, in which it is not,
# and which were made to fool a naive test.

# %%
framework = shipped()
(claim,) = framework.propositions["P41"].claims
for w in of_claim(framework, claim)[0]:
    print(f"{w.truth}, {w.world} ({w.name}): supported in {w.supported} of {w.studies} studies")

# %% [markdown]
# ## Too small to matter
#
# A probability of being above zero says nothing of size. The rope does: what lies in it is called
# negligible, and a claim whose effect is surely there but in the rope is contradicted as negligible.

# %%
from statistics import NormalDist

for mean, sd in ((0.04, 0.01), (0.04, 0.05), (0.2, 0.05)):
    posterior = NormalDist(mean, sd)
    inside = posterior.cdf(0.05) - posterior.cdf(-0.05)
    print(f"{mean} ± {sd}: above 0 {1 - posterior.cdf(0):.3f}, in the rope {inside:.3f}")

# %% [markdown]
# **Exercise 5.3** A posterior is normal with mean 0.04 and sd 0.02. How much of it lies in the rope from
# -0.05 to 0.05?

# %%
answer = None
check("5.3", answer)

# %% [markdown]
# ## Many claims, one study
#
# `acmodels test --family-wise` asks more of each the more are tested. The simplest such rule shares the
# chance of a false support out among them (Bonferroni).
#
# **Exercise 5.4** Forty claims, and together no more than 0.025 false supports are to be expected: which probability
# must each reach?

# %%
answer = None
check("5.4", answer)

# %% [markdown]
# ## Does it depend on the prior?
#
# A normal prior and a normal likelihood make a posterior whose mean weighs both by their precisions, one
# over the variance.
#
# **Exercise 5.5** The data say 0.2 with a standard error of 0.1; the prior says 0 with an sd of 0.1. Where
# is the posterior mean?

# %%
answer = None
check("5.5", answer)

# %% [markdown]
# The column `prior_sensitive` says where a verdict's estimate moves with the prior (power-scaling,
# Kallioinen and others, 2024). Whether it depends on a single district takes a refit without each:
# `acmodels fit interaction_mediation data/synthetic/partnerships --leave-out district`.

# %%
print(verdicts[["proposition", "status", "prior_sensitive"]].to_string(index=False))

# %% [markdown]
# **Change something.** Write a rope of your own for P01: what is the smallest effect that would make a
# superintendent change anything? Then look at which verdicts depend on it.
