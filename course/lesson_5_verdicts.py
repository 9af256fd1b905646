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
# sentence. To test it one has to say which number would bear it out (an *estimand*), which values
# of it (a *region*), which are too small to matter (a *rope*), and how sure one must be (a *mass*).

# %%
from dataclasses import replace
from pathlib import Path

from exercises import check

import acmodels as ac
from acmodels.framework.operating import rates

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
for mass in (0.9, 0.975, 0.999):
    strict = {k: replace(p, mass=mass) for k, p in model.propositions.items()}
    print(mass, dict(ac.judge(effects, strict)["status"].value_counts()))

# %% [markdown]
# **Exercise 5.1** A one-sided claim whose true effect is exactly 0 is judged under a flat prior with
# mass 0.975 and no rope. How often is it called supported?

# %%
answer = None
check("5.1", answer)

# %% [markdown]
# **Exercise 5.2** Forty such claims are tested. How many false supports are to be expected?

# %%
answer = None
check("5.2", answer)

# %% [markdown]
# Rules should have known error rates. These were measured on 200 simulated studies of each size: how
# often each proposition is supported where it is true, and where it is not.

# %%
for p in verdicts["proposition"]:
    r = rates()[p, model.name]
    print(p, "true:", dict(zip(r.districts, r.supported, strict=True)), "false:", r.false_support)
