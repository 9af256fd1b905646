"""Classes of the kinds moderation and moderated_mediation, by the levels of cause and moderator."""

# ruff: noqa: ARG005 - means take all predictors

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from study import Array, Class, Rows, World, contrary, null, trap, true

CHANGE = 0.25
"""Of the slope of y on x for 1 sd of w; x, w and the noise of rows have sd 1."""

CLAIM = {"from": "x", "by": "w", "to": "y", "sign": "+"}
ARROWS = ("x > y by w", "c > y", "c > w", "c > x")

type Mean = Callable[[Array, Array, Array], Array]


def surface(r: Rows, mean: Mean, by: str, go_together: float = 0.5) -> Mapping[str, Array]:
    """x and w correlate, where both are of rows, and c correlates with w."""
    w = r.draw(by)
    g = go_together
    x = g * w + np.sqrt(1 - g * g) * r.draw()
    c = 0.6 * w + 0.8 * r.draw(by)
    y = mean(x, w, c) + r.draw("district", 0.3) + r.draw()
    if by == "department":
        y = y + r.draw("department", 0.3)
    return {"x": x, "w": w, "c": c, "y": y}


def usual(by: str) -> dict[str, World]:
    """Worlds of both patterns of levels."""
    make = partial(surface, by=by)
    return {
        "true": true(partial(make, mean=lambda x, w, c: 0.3 * x + 0.2 * w + CHANGE * x * w)),
        "no effect": null(partial(make, mean=lambda x, w, c: 0.3 * x + 0.2 * w)),
        "contrary": contrary(
            partial(make, mean=lambda x, w, c: 0.3 * x + 0.2 * w - CHANGE * x * w)
        ),
        "curvature of the cause": trap(
            partial(make, mean=lambda x, w, c: 0.3 * x + 0.3 * w + 0.3 * x * x)
        ),
        "curvature of the moderator": trap(
            partial(make, mean=lambda x, w, c: 0.3 * x + 0.3 * w + 0.3 * w * w)
        ),
        "a covariate moderates": trap(
            partial(make, mean=lambda x, w, c: 0.2 * x + 0.2 * w + 0.2 * c + 0.3 * x * c)
        ),
    }


def levels(by: str) -> dict[str, str]:
    """Levels of cause, moderator, covariate and outcome."""
    return {"x": "partnership", "w": by, "c": by, "y": "partnership"}


def mediated(
    r: Rows, leg: str, change: float, other: float, of_direct: float = 0.0
) -> Mapping[str, Array]:
    """w changes one of the two steps, or the direct effect."""
    x, w = r.draw(), r.draw()
    first = 0.3 + change * w if leg == "first" else other
    second = 0.3 + change * w if leg == "second" else other
    m = first * x + 0.1 * w + r.draw() + r.draw("district", 0.3)
    y = second * m + (0.2 + of_direct * w) * x + 0.1 * w + r.draw() + r.draw("district", 0.3)
    return {"x": x, "w": w, "m": m, "y": y}


def legs(leg: str) -> dict[str, World]:
    """Worlds of both legs."""
    make = partial(mediated, leg=leg)
    return {
        "true": true(partial(make, change=0.3, other=0.5)),
        "no effect": null(partial(make, change=0.0, other=0.5)),
        "no other step": null(partial(make, change=0.3, other=0.0)),
        "contrary": contrary(partial(make, change=-0.3, other=0.5)),
        "moderated direct effect": trap(partial(make, change=0.0, other=0.5, of_direct=0.3)),
    }


def through(leg: str) -> dict[str, object]:
    """The keys of a moderated mediation."""
    return {"from": "x", "via": ["m"], "to": "y", "by": "w", "leg": leg, "sign": "+"}


UNITS = ("district", "partnership")
OF_ROWS = dict.fromkeys(("x", "m", "w", "y"), "partnership")

CLASSES = (
    Class(
        "moderation", "1x1", levels("partnership"), ARROWS, CLAIM, usual("row"), (1, 5, 1), UNITS
    ),
    Class(
        "moderation", "1x2 (a moderator of departments)", levels("department"), ARROWS, CLAIM,
        usual("department"), (2, 4, 1), ("district", "department", "partnership"),
    ),
    Class(
        "moderation", "1x1 (only where high)", levels("partnership"), ARROWS,
        CLAIM | {"only_where": "high"},
        {
            "true": true(
                partial(surface, by="row", mean=lambda x, w, c: 0.35 * x + 0.2 * w + 0.35 * x * w)
            ),
            "no effect": null(partial(surface, by="row", mean=lambda x, w, c: 0.2 * w)),
            "same slope everywhere": null(
                partial(surface, by="row", mean=lambda x, w, c: 0.4 * x + 0.2 * w)
            ),
            "contrary": contrary(
                partial(surface, by="row", mean=lambda x, w, c: 0.35 * x + 0.2 * w - 0.35 * x * w)
            ),
            "positive everywhere": trap(
                partial(surface, by="row", mean=lambda x, w, c: 0.5 * x + 0.2 * w + 0.15 * x * w)
            ),
            "curvature of the cause": trap(
                partial(surface, by="row", mean=lambda x, w, c: 0.3 * x + 0.2 * w + 0.3 * x * x)
            ),
            "a covariate moderates": trap(
                partial(surface, by="row", mean=lambda x, w, c: 0.3 * x + 0.2 * w + 0.3 * x * c)
            ),
        },
        (1, 5, 1), UNITS,
    ),
)  # fmt: skip

THROUGH = tuple(
    Class(
        "moderated_mediation", f"1-1-1 ({leg} step)", OF_ROWS,
        ("x > m by w" if leg == "first" else "x > m", "m > y by w" if leg == "second" else "m > y",
         "x > y"),
        through(leg), legs(leg), (1, 5, 1), UNITS,
    )
    for leg in ("first", "second")
)  # fmt: skip
