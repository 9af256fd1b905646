# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 6. Planning a study
#
# How many districts? The honest way is to simulate the study, analyze it as one will, and count.
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

# %% [markdown]
# ## What it costs
#
# A district costs more than a person in it. For the effect of a cause of districts, and a fixed budget, the
# best number of people in each is √(C / c · (1 - ICC) / ICC), with C the cost of a district and c that of a
# person (Raudenbush, 1997). Power comes from simulation; this says where to look.

# %%
crossed = ac.load_plan("plan_crossed_partnerships")
priced = ac.power(crossed, replications=100)
columns = ["district", "partnership.n", "power", "mcse", "cost"]
print(priced.table.sort_values("cost")[columns].round(3).to_string(index=False))
print(*priced.answers, sep="\n")

# %% [markdown]
# **Exercise 6.3** A district costs 5,000, a person in it 400, the ICC is 0.2: how many people in each are best
# (before rounding)?

# %%
answer = None
check("6.3", answer)

# %% [markdown]
# ## The smallest effect one would see
#
# A two-sided test at 5 % has a power of 80 % for an effect of 1.96 + 0.84 standard errors: the minimum
# detectable effect.
#
# **Exercise 6.4** The standard error will be 0.1. How large is it?

# %%
answer = None
check("6.4", answer)

# %% [markdown]
# ## Those who leave
#
# **Exercise 6.5** Sixty districts are needed in the end and a quarter will be lost on the way. How many must
# be asked to begin with?

# %%
answer = None
check("6.5", answer)

# %% [markdown]
# **Change something.** Run `acmodels planner` and find the cheapest design for a power of 0.9 that you could
# defend before a funder: which of its numbers do you believe least, and what happens if it is half as large?
