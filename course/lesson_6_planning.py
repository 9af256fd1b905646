# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 6. Planning a study
#
# How many districts? The honest way is to simulate the study, analyse it as one will, and count.
# Districts cost most and matter most: asking more people in few districts soon stops helping.

# %%
from exercises import check

import acmodels as ac

plan = ac.load_plan("plan_mediation_221")
found = ac.power(plan, replications=200)
print(found.table.round(3).to_string(index=False))
print(*found.answers, sep="\n")

# %% [markdown]
# Each power is a share of simulated studies and has a Monte Carlo standard error, √(p (1 - p) / R) for R
# independent replicates.
#
# **Exercise 6.1** How large is it for a power of 0.8 from 1,000 replicates?

# %%
answer = None
check("6.1", answer)

# %% [markdown]
# **Exercise 6.2** 400 replicates give an error of 0.02. How many give 0.01?

# %%
answer = None
check("6.2", answer)

# %% [markdown]
# The effect is not known: that is why there is a study. *Assurance* averages power over what one
# believes about it, and is less than power at the best guess wherever that is above one half.

# %%
believed = {"outcome ~ mediator": {"dist": "Normal", "mu": 0.3, "sigma": 0.1}}
sure = ac.power(ac.load_plan({**plan.table, "design_prior": believed}), replications=200)
both = found.table[["district", "power"]].assign(assurance=sure.table["power"])
print(both.round(3).to_string(index=False))
assert both["assurance"].iloc[-1] < both["power"].iloc[-1]

# %% [markdown]
# Beside power, look at what happens to the studies that succeed: where power is low, their effects
# are exaggerated (type M error; Gelman & Carlin, 2014).

# %%
print(found.errors.round(2).to_string(index=False))
