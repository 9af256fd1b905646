# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 3. Mediation across levels
#
# A programme of districts (level 2) changes what people do (level 1), which changes what they learn
# (level 1): a 2-1-1 mediation. A cause that is the same for a whole district can only move the
# district's *mean* of the mediator, so the path goes through that mean, and the slope between
# districts is not the slope within them.

# %%
from exercises import check

import acmodels as ac

plan = ac.load_plan("plan_mediation_211")
design = plan.cells[-2].design
print(design.model.equations["outcome"].formula.text)
made = ac.simulate(design, seed=2)
fit = ac.fit(design.model, made.study, draws=500)
print(ac.estimate(fit).table[["name", "mean", "lower", "upper"]].round(3))
print("true:", round(made.effects["indirect"], 3))

# %% [markdown]
# **Exercise 3.1** A path a = 0.5 to the mediator's mean and b = 0.6 from that mean to the outcome: how
# large is the indirect effect?

# %%
answer = None
check("3.1", answer)

# %% [markdown]
# What if within and between are not taken apart? The one slope of the mediator is then a blend of
# both, mostly the one within, since most of its variance is there.

# %%
blended = ac.load_model(
    {
        "name": "blended",
        "equations": {
            "mediator": {"formula": "mediator ~ treated + (1 | district)"},
            "outcome": {"formula": "outcome ~ mediator + treated + (1 | district)"},
        },
        "estimands": {"indirect": {"kind": "indirect", "from": "treated", "to": "outcome"}},
    }
)
wrong = ac.estimate(ac.fit(blended, made.study, draws=500)).table.iloc[0]
right = ac.estimate(fit).table.iloc[0]
print(
    f"apart {right['mean']:.3f}, blended {wrong['mean']:.3f}, true {made.effects['indirect']:.3f}"
)
within, between = (made.truth[f"outcome ~ {k}(mediator, district)"] for k in ("within", "between"))
assert within < between
assert abs(wrong["mean"] / made.truth["mediator ~ treated"] - within) < between - within

# %% [markdown]
# In a 1-1-1 mediation both slopes may vary between districts. Where districts with a larger a also
# have a larger b, the average indirect effect is not ab but ab + cov(a, b) (Kenny, Korchmaros &
# Bolger, 2003).
#
# **Exercise 3.2** a is 0.3 on average, b 0.4, and their covariance 0.05: the average indirect effect?

# %%
answer = None
check("3.2", answer)
