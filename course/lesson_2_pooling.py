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
# small ones, by chance. A hierarchical model pulls each district towards the mean of all, the more
# the less it is known: *partial pooling*.

# %%
import numpy as np
from exercises import check

import acmodels as ac

rng = np.random.default_rng(3)
sizes = np.repeat([2, 4, 8, 40], 8)
true = rng.normal(0, 0.5, len(sizes))
district = np.repeat([f"d{j:02}" for j in range(len(sizes))], sizes)
import pandas as pd

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
