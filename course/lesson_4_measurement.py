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
