"""Latent unit means: what of a variable's own linear predictor is constant within a unit.

Where x has an equation, `between(x, g)` is its latent mean in g and `within(x, g)` is x minus that:
the intercept, the terms that are constant within g and the effects of g (and of groupings above).
An observed mean of few rows is that plus noise, which biases its effect toward the one within
(Lüdtke, Marsh, Robitzsch, Trautwein, Asparouhov & Muthén, 2008). Design matrices hold observed
means throughout; engines and the generator add what the latent ones differ by.
"""

import numpy as np

from acmodels.system.arrays import Array, Index, Responses
from acmodels.system.columns import column_values, variable_values
from acmodels.system.layout import Layout
from acmodels.system.terms import Term, group_terms, is_constant, terms


def latent_problems(layout: Layout) -> list[str]:
    """Say what latent means cannot be: sentences that follow the model file's name."""
    out: list[str] = []
    for e in layout.equations:
        for t in terms(layout, e.response):
            latent = [s.key for s in t.sources if s.latent is not None]
            if len(latent) > 1:
                out.append(
                    f"equations.{e.response}: '{t.column.name}' multiplies latent means with each "
                    'other, which is not fitted; take observed ones with centering = "observed"'
                )
            for key in latent:
                out += _mean_problems(layout, key)
    return list(dict.fromkeys(out))


def _mean_problems(layout: Layout, source: str) -> list[str]:
    d = layout.derived[source]
    e = layout.equation(d.variable)
    where = f"equations.{d.variable}"
    if e.level == d.unit and layout.waves is None:  # in a panel, one value in each wave
        said = f"{where} has level = \"{d.unit}\", so '{d.variable}' is one value a unit and "
        return [said + f"'{source}' has nothing to take apart; write '{d.variable}'"]
    blocks = group_terms(layout, d.variable)
    if not any(same_units(b.code, d.code) and any(t.intercept for t in ts) for b, ts in blocks):
        said = f"'{source}' is a latent mean, and equations.{d.variable} has no (1 | {d.unit}); "
        return [said + 'add it, or take observed means with centering = "observed"']
    return []


def same_units(one: Index, other: Index) -> bool:
    """Return whether two groupings have the same units, as `a:b` and `b` where b lies in a."""
    return is_constant(one, other) and is_constant(other, one)


def latent_notes(layout: Layout) -> list[str]:
    """Say where means are observed ones."""
    out: list[str] = []
    for e in layout.equations:
        for s in (s for t in terms(layout, e.response) for s in t.sources):
            d = s.derived
            if d is None or d.mean is None or s.latent is not None:
                continue
            why = (
                'as centering = "observed" says'
                if d.variable in layout.responses
                else f"since '{d.variable}' has no equation"
            )
            out.append(f"equations.{e.response}: {s.key} takes observed means, {why}")
    return list(dict.fromkeys(out))


def rest_values(layout: Layout, term: Term, responses: Responses) -> Array:
    """What multiplies a latent mean in a term, on the equation's rows, (..., n).

    Args:
        layout: of the model.
        term: one of `latent_terms`.
        responses: by name.
    """
    rest = term.column if term.latent is None else term.latent.rest
    found = column_values(rest, term.rows, lambda name: variable_values(layout, name, responses))
    there = available(layout, term)
    return found if there is None else found * there


def available(layout: Layout, term: Term) -> Array | None:
    """Return 1 on the rows where a lagged latent deviation is there, else 0, (n,); None for all."""
    if term.latent is None or not term.latent.lag:
        return None
    return (layout.lags[term.latent.lag][term.rows] >= 0).astype(np.float64)
