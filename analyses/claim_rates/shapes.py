"""Classes of the kinds curve, variance and congruence."""

# ruff: noqa: ARG005 - means take all predictors

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from study import Array, Class, Rows, World, contrary, null, trap, true

UNITS = ("district", "partnership")
DESIGN = (1, 6, 1)


def curved(r: Rows, mean: Callable[[Array], Array]) -> Mapping[str, Array]:
    """y follows a curve of x, which is normal."""
    x = r.draw()
    return {"x": x, "y": mean(x) + r.draw("district", 0.3) + 0.8 * r.draw()}


def levelling(x: Array) -> Array:
    """Rise and level off within the data."""
    return 1.2 * (1 - np.exp(-0.9 * (x + 2)))


CURVES: dict[str, dict[str, World]] = {
    "inverted U": {
        "true": true(partial(curved, mean=lambda x: -0.3 * x * x)),
        "no effect": null(partial(curved, mean=lambda x: 0 * x)),
        "contrary": contrary(partial(curved, mean=lambda x: 0.3 * x * x)),
        "monotone": trap(partial(curved, mean=lambda x: 0.4 * x)),
        "saturating": trap(partial(curved, mean=levelling)),
        "steps": trap(partial(curved, mean=lambda x: 0.8 * np.tanh(3 * (x + 0.5)))),
        "maximum outside the data": trap(partial(curved, mean=lambda x: 0.5 * x - 0.08 * x * x)),
    },
    "saturating": {
        "true": true(partial(curved, mean=levelling)),
        "no effect": null(partial(curved, mean=lambda x: 0 * x)),
        "contrary": contrary(partial(curved, mean=lambda x: -levelling(x))),
        "straight": trap(partial(curved, mean=lambda x: 0.4 * x)),
        "accelerating": trap(partial(curved, mean=lambda x: -levelling(-x))),
        "inverted U": trap(partial(curved, mean=lambda x: -0.4 * x * x)),
    },
}


def apart(r: Rows, between: float, districts: float = 0.4) -> Mapping[str, Array]:
    """Departments differ, beside what differs between districts and rows."""
    return {"y": r.draw("district", districts) + r.draw("department", between) + r.draw()}


def unequal(r: Rows) -> Mapping[str, Array]:
    """Departments have one to eight rows, and do not differ."""
    y = r.draw("district", 0.4) + r.draw()
    place = np.arange(r.n) - np.searchsorted(r.code["department"], r.code["department"])
    keep = place < 1 + (r.code["department"] * 5) % 8
    return {"y": np.where(keep, y, np.nan)}


def noisy_raters(r: Rows) -> Mapping[str, Array]:
    """Each rater errs a lot, the same in all of the answers; departments do not differ."""
    return {"y": r.draw("district", 0.4) + r.draw("partnership", 1.0) + 0.4 * r.draw()}


def met(r: Rows, mean: Callable[[Array, Array], Array]) -> Mapping[str, Array]:
    """y hangs on how a and b meet, both on one scale from 1 to 5 or so."""
    a, b = 3 + r.draw(), 3 + r.draw()
    return {"a": a, "b": b, "y": mean(a, b) + r.draw("district", 0.3) + r.draw()}


CLASSES = (
    *(
        Class(
            "curve", shape, {"x": "partnership", "y": "partnership"}, ("x > y",),
            {"from": "x", "to": "y", "shape": shape}, worlds, DESIGN, UNITS,
        )
        for shape, worlds in CURVES.items()
    ),
    Class(
        "variance", "departments in districts", {"x": "partnership", "y": "partnership"},
        ("x > y",), {"unit": "department", "of": "y", "minimum": 0.05},
        {
            "true": true(partial(apart, between=0.6)),
            "true (a share of 0.12)": true(partial(apart, between=0.4)),
            "no effect": null(partial(apart, between=0.0)),
            "below the minimum": null(partial(apart, between=0.2)),
            "districts alone": trap(partial(apart, between=0.0, districts=0.8)),
            "unequal sizes": trap(unequal),
        },
        (2, 8, 1), ("district", "department", "partnership"),
    ),
    Class(
        "variance", "departments in districts (answers of raters)",
        {"x": "partnership", "y": "partnership"},
        ("x > y",), {"unit": "department", "of": "y", "minimum": 0.05},
        {
            "true": true(
                lambda r: {"y": noisy_raters(r)["y"] + r.draw("department", 0.7)}
            ),
            "noise of raters": trap(noisy_raters),
        },
        (2, 3, 2), ("district", "department", "partnership"),
    ),
)  # fmt: skip

SURFACES = (
    Class(
        "congruence", "one metric", {"a": "partnership", "b": "partnership", "y": "partnership"},
        ("a > y", "b > y"), {"from": ["a", "b"], "to": "y", "one_metric": True},
        {
            "true": true(partial(met, mean=lambda a, b: -0.15 * (a - b) ** 2)),
            "no effect": null(partial(met, mean=lambda a, b: 0 * a)),
            "contrary": contrary(partial(met, mean=lambda a, b: 0.15 * (a - b) ** 2)),
            "two main effects": trap(partial(met, mean=lambda a, b: 0.4 * a + 0.4 * b)),
            "product without ridge": trap(
                partial(met, mean=lambda a, b: 0.3 * a + 0.3 * b + 0.25 * (a - 3) * (b - 3))
            ),
            "ridge off the line of fit": trap(
                partial(met, mean=lambda a, b: -0.15 * (a - b - 2) ** 2)
            ),
        },
        DESIGN, UNITS,
    ),
)  # fmt: skip
