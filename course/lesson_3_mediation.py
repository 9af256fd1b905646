# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 3. Mediation across levels
#
# A program of districts (level 2) changes what people do (level 1), which changes what they learn
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

# %% [markdown]
# ## Direct, indirect, total
#
# What does not go through the mediator is the *direct* effect; both together are the total. Their ratio,
# the proportion mediated, is easy to say and hard to estimate: it is a quotient, wild where the total is
# near zero.
#
# **Exercise 3.3** a = 0.5, b = 0.6 and a direct effect of 0.2: which proportion is mediated?

# %%
answer = None
check("3.3", answer)

# %% [markdown]
# ## How sure is a product?
#
# The product of two estimates is not normal, even where each is. Sobel's (1982) standard error,
# √(a² s_b² + b² s_a²), makes an interval that is symmetric; the product's own is not.

# %%
import numpy as np

rng = np.random.default_rng(1)
product = rng.normal(0.5, 0.1, 200_000) * rng.normal(0.6, 0.2, 200_000)
sobel = np.sqrt(0.5**2 * 0.2**2 + 0.6**2 * 0.1**2)
print("quantiles of the product:", np.quantile(product, [0.025, 0.975]).round(3))
print("by Sobel:                ", np.round([0.3 - 1.96 * sobel, 0.3 + 1.96 * sobel], 3))
draws = next(r for r in ac.estimate(fit).rows if r.name == "indirect").draws.ravel()
low, middle, high = np.quantile(draws, [0.025, 0.5, 0.975])
print(f"this study: {middle - low:.3f} below its median, {high - middle:.3f} above")

# %% [markdown]
# **Exercise 3.4** How large is Sobel's standard error for a = 0.5 ± 0.1 and b = 0.6 ± 0.2 (standard errors)?

# %%
answer = None
check("3.4", answer)

# %% [markdown]
# ## What random assignment of the cause does not give
#
# Treatment was drawn by lot; the mediator was not. Whatever moves both mediator and outcome (a new
# superintendent, say) makes b something else than an effect. If it is standard normal and moves the one
# by g and the other by h, the two residuals, each of variance 1 in all, correlate by gh.
#
# **Exercise 3.5** g = 0.4, h = 0.5: which correlation of residuals is left?

# %%
answer = None
check("3.5", answer)

# %% [markdown]
# `ac.confounding` refits the model with such a correlation held at each of a grid of values and says at
# which (`rho`) the interval of each effect reaches zero. Here the mediator is the routines of a partnership.

# %%
crossed = ac.load_plan("plan_crossed_partnerships").cells[-1].design
seen = ac.simulate(crossed, seed=3)
bigger = ac.fit(crossed.model, seen.study, draws=500)
tipping = ac.confounding(bigger, "routines", "learning").tipping
print(tipping[["estimand", "rho"]].round(2).to_string(index=False))

# %% [markdown]
# **Change something.** Simulate with another seed: how often is the blended answer outside the interval of
# the one taken apart? In the design, make the slope within districts negative and the one between positive;
# what does the blended analysis say now?
