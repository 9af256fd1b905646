# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 4. Measurement and aggregation
#
# A district's "communication" is what its people say of it. Three questions before their answers
# become one number: do the items hang together (alpha, omega), do people of one unit agree (rwg),
# and do units differ by more than chance (ICC(1)), so that their means can be told apart (ICC(2))?

# %%
from pathlib import Path

import numpy as np
from exercises import check

import acmodels as ac

folder = Path(ac.__file__).parents[2] / "data" / "synthetic" / "rpp_effectiveness"
found = ac.scales(ac.load_study(folder))
print(found.table.round(2).to_string(index=False))

# %% [markdown]
# The mean of k people is more reliable than one of them: ICC(2) = k ICC(1) / (1 + (k - 1) ICC(1)), the
# formula of Spearman and Brown.
#
# **Exercise 4.1** Five people answer in each department, ICC(1) is 0.2: what is ICC(2)?

# %%
answer = None
check("4.1", answer)

# %% [markdown]
# What unreliability does: a predictor with reliability r shows its slope times r, and correlations
# shrink by the root of r (Spearman, 1904).

# %%
rng = np.random.default_rng(1)
x = rng.normal(size=5000)
y = 0.4 * x + rng.normal(0, np.sqrt(1 - 0.16), 5000)
seen = x + rng.normal(0, np.sqrt(1 / 0.64 - 1), 5000)  # reliability 0.64
print(
    "correlation with x:",
    round(np.corrcoef(x, y)[0, 1], 3),
    "and with what is seen of it:",
    round(np.corrcoef(seen, y)[0, 1], 3),
)

# %% [markdown]
# **Exercise 4.2** The true correlation is 0.4 and the reliability 0.64: what correlation is seen?

# %%
answer = None
check("4.2", answer)

# %% [markdown]
# And how to aggregate? Farrell and Coburn say that knowledge counts if *somebody* has it, which is a
# maximum, not a mean. Simulate departments of five in which learning follows the best of them.

# %%
people = rng.normal(size=(300, 5))
learning = 0.5 * people.max(axis=1) + rng.normal(size=300)
for name, score in (("mean", people.mean(axis=1)), ("max", people.max(axis=1))):
    print(name, round(np.corrcoef(score, learning)[0, 1], 2))

# %% [markdown]
# ## Do they agree?
#
# r_wg compares the variance of the answers in a unit with that of people who tick at random: on A options,
# (A² - 1) / 12. It is 1 where all say the same and 0 where they might as well have thrown dice (James,
# Demaree & Wolf, 1984).
#
# **Exercise 4.3** Five options, and answers of one department with a variance of 0.5: how large is r_wg?

# %%
answer = None
check("4.3", answer)

# %% [markdown]
# ## How many to ask
#
# Turned around, the formula of Spearman and Brown says how many people a mean needs.

# %%
icc1 = 0.2
for k in (1, 2, 3, 5, 8, 10, 15, 20):
    print(k, "people:", round(k * icc1 / (1 + (k - 1) * icc1), 2))

# %% [markdown]
# **Exercise 4.4** How many people must answer in each department, at least, for an ICC(2) of 0.7 with an
# ICC(1) of 0.2?

# %%
answer = None
check("4.4", answer)

# %% [markdown]
# ## Items
#
# `items` has each item's correlation with the rest of its scale. An item that hardly correlates, or does so
# negatively (was it reversed?), measures something else.

# %%
items = found.items
print(items.head(12).round(2).to_string(index=False))

# %% [markdown]
# **Exercise 4.5** A predictor of reliability 0.6 shows a slope of 0.24. How large is the slope of what it measures,
# if the error is pure noise?

# %%
answer = None
check("4.5", answer)

# %% [markdown]
# **Change something.** In the last simulation let learning follow the mean of the five, or the least of them:
# does the right score always correlate most? And with two people in each department instead of five?
