"""What a careful colleague would say of constructs and their items."""

import numpy as np

from acmodels.errors import listing
from acmodels.numbers import decimal, number
from acmodels.spec.names import quoted
from acmodels.system.arrays import Array, Responses
from acmodels.system.equation import EquationLayout
from acmodels.system.layout import Layout
from acmodels.system.measured import standardized

AGAINST = -0.1
"""A correlation with the other items below which an item seems to be reversed."""


def item_warnings(layout: Layout, responses: Responses) -> list[str]:
    """Warn of items that go against the others, and of constructs that few raters rate."""
    out: list[str] = []
    for m in layout.measures:
        z = np.full((len(m.items), layout.n_rows), np.nan)
        for k, i in enumerate(m.items):
            e = layout.equations[i]
            sign = -1.0 if e.response in m.reverse else 1.0
            z[k, e.rows] = sign * standardized(responses[e.response])
        for k, i in enumerate(m.items):
            r = _with_rest(z, k)
            if r is None or r > AGAINST:
                continue
            name = layout.equations[i].response
            turn = (
                f"leave it out of reverse in measures.{m.name}"
                if name in m.reverse
                else f'write reverse = ["{name}"] in measures.{m.name}'
            )
            side = "below" if name in m.reverse else "above"
            out.append(
                f"'{name}' goes against the other items of {m.name} (correlation with their mean "
                f"{decimal(r, 2)}), and its loading is kept {side} 0; "
                f"if it is worded the other way, {turn}"
            )
    return out


RELATED = 3.0
"""Standard errors from zero at which a construct's rough values go with a predictor."""
FAR = 3.0
"""Sds from zero at which a predictor's mean leaves its zero far outside the data."""


def construct_warnings(layout: Layout, responses: Responses) -> list[str]:
    """Warn of constructs without an equation that go with predictors, and of far-away zeros."""
    out: list[str] = []
    numbers = {n: v.values for n, v in layout.variables.items() if not v.levels}
    for m in layout.measures:
        e = layout.equations[m.equation]
        alone = e.response not in {o.response for o in layout.outcomes}
        found: list[str] = []
        for name, values in numbers.items() if alone else ():
            r = _between_units(responses[m.name], values, e)
            if r is not None and abs(r) * np.sqrt(e.n) > RELATED:
                found.append(f"{quoted(name)} ({decimal(r, 2)})")
        if found:
            terms = " + ".join(f.rpartition(" (")[0] for f in found)
            out.append(
                f"'{m.name}' has no equation, so it is taken to be independent of the other "
                f"predictors, but averages of its items correlate with {listing(found)}; write "
                f'formula = "{quoted(m.name)} ~ {terms}" in equations.{m.name}'
            )
        for c in e.columns:
            name = c.variables[0] if len(c.variables) == 1 else ""
            if name in numbers and c.parts[0].operand.inner is None:
                x = numbers[name][e.rows]
                if abs(x.mean()) > FAR * x.std() > 0:
                    out.append(
                        f"equations.{m.name}: '{name}' has mean {number(x.mean(), 2)} and sd "
                        f"{number(x.std(), 2)}. A construct has no intercept, so that its items' "
                        f"locations are those at {name} = 0, far from the data; write "
                        f"center({quoted(name)})"
                    )
    return out


def _between_units(scores: Array, values: Array, e: EquationLayout) -> float | None:
    """Correlation over a construct's units of its rough values with the means of a predictor."""
    mean = np.bincount(e.carry, values, e.n) / np.maximum(np.bincount(e.carry, minlength=e.n), 1)
    if e.n < 10 or not scores.std() * mean.std() > 0:
        return None
    return float(np.corrcoef(scores, mean)[0, 1])


def _with_rest(z: Array, k: int) -> float | None:
    """Correlation of an item with the mean of the others, in rows that have both."""
    rest = np.delete(z, k, axis=0)
    count = np.isfinite(rest).sum(axis=0)
    mean = np.where(np.isfinite(rest), rest, 0.0).sum(axis=0) / np.maximum(count, 1)
    both = np.isfinite(z[k]) & (count > 0)
    if both.sum() < 10 or not z[k][both].std() * mean[both].std() > 0:
        return None
    return float(np.corrcoef(z[k][both], mean[both])[0, 1])
