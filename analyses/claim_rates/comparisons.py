"""Classes of the kinds contrast, order and aggregate: effects beside each other."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from study import Array, Class, Rows, contrary, null, trap, true

UNITS = ("district", "partnership")
DESIGN = (1, 6, 1)


def of_causes(
    r: Rows,
    slopes: Sequence[float],
    *,
    scales: Sequence[float] = (),
    errors: Sequence[float] = (),
    common: float = 0.6,
) -> Mapping[str, Array]:
    """Causes a, b, c and d, which correlate by what they share, move y.

    Args:
        r: rows.
        slopes: of y on each, on its own scale of sd 1.
        scales: units of each; 1 if none are given.
        errors: sds of measurement error of each; 0 if none are given.
        common: how much of each is shared.
    """
    shared = r.draw()
    causes = [common * shared + np.sqrt(1 - common**2) * r.draw() for _ in slopes]
    y = sum(b * x for b, x in zip(slopes, causes, strict=True)) + noise(r)
    scales, errors = scales or [1.0] * len(slopes), errors or [0.0] * len(slopes)
    seen = [k * (x + r.draw(sd=e)) for k, x, e in zip(scales, causes, errors, strict=True)]
    return {**dict(zip("abcd", seen, strict=False)), "y": y}


def noise(r: Rows) -> Array:
    """What differs between districts and rows."""
    return r.draw("district", 0.4) + r.draw()


def of_outcomes(
    r: Rows, slopes: tuple[float, float], scale: float = 1.0, error: float = 0.0
) -> Mapping[str, Array]:
    """a moves y and t, whose noise correlates.

    Args:
        r: rows.
        slopes: of y and of t on a.
        scale: units of y.
        error: sd of further measurement error of t.
    """
    a, shared = r.draw(), r.draw("row", 0.5)
    y = slopes[0] * a + shared + r.draw("district", 0.3) + 0.8 * r.draw()
    t = slopes[1] * a + shared + r.draw("district", 0.3) + 0.8 * r.draw()
    return {"a": a, "y": scale * y, "t": t + r.draw("row", error)}


def one_imprecise(r: Rows) -> Mapping[str, Array]:
    """All slopes are the same, and d hardly differs from the mean of the others."""
    v = dict(of_causes(r, (0.0, 0.0, 0.0)))
    d = (v["a"] + v["b"] + v["c"]) / 2.4 + 0.2 * r.draw()
    y = 0.2 * (v["a"] + v["b"] + v["c"] + d) + noise(r)
    return v | {"d": d, "y": y}


def of_persons(
    r: Rows, slopes: tuple[float, float], error: float = 0.0, shared: float = 0.5
) -> Mapping[str, Array]:
    """What persons have together, and what the least of them has, move y."""
    u = r.draw()
    most, least = (shared * u + np.sqrt(1 - shared**2) * r.draw() for _ in range(2))
    y = slopes[0] * most + slopes[1] * least + noise(r)
    return {"most": most + r.draw(sd=error), "least": least + r.draw(sd=error), "y": y}


def one_sum(r: Rows) -> Mapping[str, Array]:
    """Both aggregates are one sum with noise, and the sum moves y."""
    u = r.draw()
    return {"most": u + r.draw(sd=0.5), "least": u + r.draw(sd=0.5), "y": 0.4 * u + noise(r)}


def levels(*names: str) -> dict[str, str]:
    """All constructs are ones of partnerships."""
    return dict.fromkeys(names, "partnership")


CLASSES = (
    Class(
        "contrast", "two causes", levels("a", "b", "y"), ("a > y", "b > y"),
        {"sign": "+", "of": [{"from": "a", "to": "y"}, {"from": "b", "to": "y"}]},
        {
            "true": true(partial(of_causes, slopes=(0.5, 0.1))),
            "no effect": null(partial(of_causes, slopes=(0.3, 0.3))),
            "contrary": contrary(partial(of_causes, slopes=(0.1, 0.5))),
            "different scales": trap(partial(of_causes, slopes=(0.3, 0.3), scales=(0.01, 1.0))),
            "unequal reliabilities (not measured)": trap(
                partial(of_causes, slopes=(0.3, 0.3), errors=(0.0, 1.0)), limit=False
            ),
        },
        DESIGN, UNITS,
    ),
    Class(
        "contrast", "two outcomes", levels("a", "y", "t"), ("a > y", "a > t"),
        {"sign": "differs", "of": [{"from": "a", "to": "y"}, {"from": "a", "to": "t"}]},
        {
            "true": true(partial(of_outcomes, slopes=(0.5, 0.1))),
            "true (other side)": true(partial(of_outcomes, slopes=(0.1, 0.5))),
            "no effect": null(partial(of_outcomes, slopes=(0.3, 0.3))),
            "different scales": trap(partial(of_outcomes, slopes=(0.3, 0.3), scale=50.0)),
            "unequal reliabilities (not measured)": trap(
                partial(of_outcomes, slopes=(0.4, 0.4), error=1.0), limit=False
            ),
        },
        DESIGN, UNITS,
    ),
    Class(
        "order", "four causes", levels(*"abcd", "y"), tuple(f"{c} > y" for c in "abcd"),
        {"from": list("abcd"), "to": "y"},
        {
            "true": true(partial(of_causes, slopes=(0.5, 0.1, 0.1, 0.1))),
            "graded": true(partial(of_causes, slopes=(0.4, 0.3, 0.2, 0.1))),
            "no effect": null(partial(of_causes, slopes=(0.0, 0.0, 0.0, 0.0))),
            "equal effects": trap(partial(of_causes, slopes=(0.25, 0.25, 0.25, 0.25))),
            "one imprecise cause": trap(one_imprecise),
            "different scales": trap(
                partial(of_causes, slopes=(0.25,) * 4, scales=(0.01, 1.0, 1.0, 100.0))
            ),
        },
        DESIGN, UNITS,
    ),
)  # fmt: skip

AGGREGATES = (
    Class(
        "aggregate", "coverage beyond minimum", levels("k", "most", "least", "y"),
        ("k > y", "most > y", "least > y"),
        {"from": "k", "rules": ["coverage", "minimum"], "to": "y", "sign": "+"},
        {
            "true": true(partial(of_persons, slopes=(0.4, 0.0))),
            "no effect": null(partial(of_persons, slopes=(0.25, 0.25))),
            "contrary": contrary(partial(of_persons, slopes=(0.0, 0.4))),
            "one noisy sum under both rules": trap(one_sum),
        },
        DESIGN, UNITS,
        extra={
            "most": {"aggregate_of": "k", "rule": "coverage"},
            "least": {"aggregate_of": "k", "rule": "minimum"},
        },
    ),
)  # fmt: skip
