# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 2. Priors and partial pooling
#
# Which district does best? With four answers from one and forty from another, the extremes are the
# small ones, by chance. A hierarchical model pulls each district toward the mean of all, the more
# the less it is known: *partial pooling*.

# %%
import numpy as np
import pandas as pd
from exercises import check

import acmodels as ac

rng = np.random.default_rng(3)
sizes = np.repeat([2, 4, 8, 40], 8)
true = rng.normal(0, 0.5, len(sizes))
district = np.repeat([f"d{j:02}" for j in range(len(sizes))], sizes)
data = pd.DataFrame(
    {"district": district, "y": np.repeat(true, sizes) + rng.normal(size=sizes.sum())}
)

# %%
model = ac.load_model(
    {
        "name": "pooling",
        "equations": {"y": {"formula": "y ~ 1 + (1 | district)"}},
        "priors": {"sd(*)": {"dist": "HalfNormal", "sigma": 1}},
    }
)
fit = ac.fit(model, data)
print(fit.estimates[["name", "mean", "lower", "upper"]].round(2))

# %% [markdown]
# The pull has a closed form when the sds are known: the mean of n answers keeps the share
# τ² / (τ² + σ² / n) of its distance from the overall mean.
#
# **Exercise 2.1** What share does a district with 4 answers keep, with τ = 0.5 and σ = 1?

# %%
answer = None
check("2.1", answer)

# %% [markdown]
# **Exercise 2.2** From how many answers on does a district keep half of its distance?

# %%
answer = None
check("2.2", answer)

# %% [markdown]
# Does pooling help? Compare both with the truth, which only a simulation has.

# %%
sds = fit.estimates.set_index("name")["mean"]
tau, sigma, mu = sds["sd(y ~ 1 | district)"], sds["sigma(y)"], sds["y ~ 1"]
raw = data.groupby("district")["y"].mean().to_numpy()
keep = tau**2 / (tau**2 + sigma**2 / sizes)
pooled = mu + keep * (raw - mu)
error = {k: np.sqrt(np.mean((v - true) ** 2)) for k, v in (("raw", raw), ("pooled", pooled))}
print({k: round(float(v), 3) for k, v in error.items()})
assert error["pooled"] < error["raw"]

# %% [markdown]
# And the prior? A prior that insists on hardly any difference between districts pulls them all in;
# look at how the sd between districts moves, and at which prior you could defend.

# %%
for width in (0.05, 0.3, 1.0, 3.0):
    tight = ac.load_model(
        {
            "name": "pooling",
            "equations": {"y": {"formula": "y ~ 1 + (1 | district)"}},
            "priors": {"sd(*)": {"dist": "HalfNormal", "sigma": width}},
        }
    )
    mean = ac.fit(tight, data).estimates.set_index("name").loc["sd(y ~ 1 | district)", "mean"]
    print(f"HalfNormal({width}): sd between districts {mean:.2f}")

# %% [markdown]
# ## Who is best?
#
# A league table of raw means is headed, and ended, by small districts. Look at how many answers the first
# and the last three have, before and after pooling.

# %%
table = pd.DataFrame({"answers": sizes, "raw": raw, "pooled": pooled, "true": true}).round(2)
for column in ("raw", "pooled"):
    ranked = table.sort_values(column, ascending=False)
    print(column, "\n", pd.concat([ranked.head(3), ranked.tail(3)]).to_string(index=False), "\n")
by_size = table.assign(
    raw_error=(table["raw"] - table["true"]) ** 2,
    pooled_error=(table["pooled"] - table["true"]) ** 2,
)
print(by_size.groupby("answers")[["raw_error", "pooled_error"]].mean().round(3))

# %% [markdown]
# **Exercise 2.3** What share of its distance does a district with 40 answers keep (τ = 0.5, σ = 1)?

# %%
answer = None
check("2.3", answer)

# %% [markdown]
# The raw mean of n answers misses by σ² / n on average (squared), the pooled one by that times the
# share it keeps.
#
# **Exercise 2.4** How many times as large is the squared error of the raw mean, with 2 answers?

# %%
answer = None
check("2.4", answer)

# %% [markdown]
# ## What a prior says before there are data
#
# A prior on a standard deviation is a statement about districts. Draw from it, and look at what it implies
# for something you have an opinion on: the ICC.

# %%
tau_drawn = np.abs(rng.normal(0, 1, 10_000))  # HalfNormal(1), with sigma at 1
icc = tau_drawn**2 / (tau_drawn**2 + 1)
print("ICC, tenths of the prior:", np.quantile(icc, np.arange(0.1, 1, 0.2)).round(2))
print("share of ICCs above 0.5:", np.mean(icc > 0.5).round(2))

# %% [markdown]
# **Exercise 2.5** Under this prior, how probable is an ICC below 0.2? (Which τ has it? How much of a
# standard normal lies between minus and plus that?)

# %%
answer = None
check("2.5", answer)

# %% [markdown]
# **Change something.** In `sizes`, let all districts have 40 answers: what is left to gain? Then let all have
# 2: how far is the estimate of τ itself to be trusted, and does its prior matter now?
