# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 1. Nesting, and what ignoring it costs
#
# Ten people of each of 40 districts answer; half of the districts are in a program. People of one
# district are alike: the share of the variance that lies between districts is the intraclass
# correlation (ICC). An analysis that treats 400 people as independent believes it knows more than it
# does. We simulate a study in which we know the truth, and look.

# %%
import numpy as np
import statsmodels.formula.api as smf
from exercises import check

import acmodels as ac

plan = ac.load_plan("plan_cluster_randomised")
design = plan.cells[2].design  # 40 districts
made = ac.simulate(design, seed=4)
people = made.study.frame
print(people.head(), "\n", "true effect:", made.truth["outcome ~ treated"])

# %% [markdown]
# Ordinary least squares first, then the model with `(1 | district)`.

# %%
flat = smf.ols("outcome ~ treated", people).fit()
nested = ac.fit(design.model, made.study, draws=500)
row = nested.estimates.set_index("name").loc["outcome ~ treated"]
print(f"flat:   {flat.params['treated']:.2f}, standard error {flat.bse['treated']:.3f}")
print(f"nested: {row['mean']:.2f}, posterior sd {row['sd']:.3f}")
print(f"ratio of variances: {(row['sd'] / flat.bse['treated']) ** 2:.1f}")

# %% [markdown]
# For a cause that is the same for everybody in a district, the variance is larger by the *design
# effect* 1 + (n - 1) ICC (Kish, 1965), with n people asked in each. Here the ICC is 0.5² / (0.5² + 1).
#
# **Exercise 1.1** What is the design effect of an ICC of 0.2 with 10 people in each district?

# %%
answer = None
check("1.1", answer)

# %% [markdown]
# **Exercise 1.2** How many independent people are those 400 worth, for the program's effect?

# %%
answer = None
check("1.2", answer)

# %% [markdown]
# The cost, in errors: the program now does nothing, and we count how often each analysis finds an
# effect anyway. It should be 5 % of the time.

# %%
from dataclasses import replace

null = replace(design, truth={**design.truth, "outcome ~ treated": 0.0})
found = [
    smf.ols("outcome ~ treated", ac.simulate(null, seed=s).study.frame).fit().pvalues["treated"]
    < 0.05
    for s in range(100)
]
recovered = ac.recover(null, replications=1000).table.set_index("name").loc["outcome ~ treated"]
print(f"flat: {np.mean(found):.0%} false alarms; nested: {1 - recovered['coverage']:.0%}")
assert np.mean(found) > 0.10 > 1 - recovered["coverage"]

# %% [markdown]
# ## More people, or more districts?
#
# The people that n in each of J districts are worth are nJ / (1 + (n - 1) ICC). Read the table down (more
# people in the same 40 districts) and across (districts less or more alike).

# %%
iccs = (0.05, 0.1, 0.2, 0.3)
print("n in each", *(f"ICC {icc}" for icc in iccs), sep="\t")
for n in (2, 5, 10, 20, 50, 100, 1000):
    print(n, *(round(40 * n / (1 + (n - 1) * icc)) for icc in iccs), sep="\t")

# %% [markdown]
# **Exercise 1.3** How many independent people are 100 from each of the 40 districts worth, with an ICC
# of 0.2?

# %%
answer = None
check("1.3", answer)

# %% [markdown]
# **Exercise 1.4** Which number does it approach, as ever more people are asked in each district?

# %%
answer = None
check("1.4", answer)

# %% [markdown]
# ## A cause that differs within districts
#
# Now the program is drawn by lot among the ten people of each district. Districts differ as before, but
# each has people of both kinds, and what the district adds falls out of their difference. This time the
# flat analysis claims *less* than it knows: what districts differ by is noise to it.

# %%
import pandas as pd

rng = np.random.default_rng(6)
district = np.repeat(np.arange(40), 10)
treated = np.tile([0, 1], 200)
effect = rng.normal(0, 0.5, 40)[district]
inside = pd.DataFrame(
    {
        "district": [f"d{k:02}" for k in district],
        "treated": treated,
        "outcome": 0.3 * treated + effect + rng.normal(size=400),
    }
)
flat = smf.ols("outcome ~ treated", inside).fit()
nested = ac.fit(design.model, inside, draws=500).estimates.set_index("name")
share = (nested.loc["outcome ~ treated", "sd"] / flat.bse["treated"]) ** 2
print(f"variance of the nested estimate, as a share of the flat one's: {share:.2f}")
assert share < 1

# %% [markdown]
# **Exercise 1.5** The nested estimate has only the variance within districts to contend with. Which share
# of the flat one's variance is that, with an ICC of 0.2?

# %%
answer = None
check("1.5", answer)

# %% [markdown]
# **Change something.** Give `design` above 10 districts instead of 40 (`plan.cells[0].design` is the
# smallest of the plan) and run the errors again. Then let the ICC be 0.02: is it worth the trouble?
