"""Classes of the kind mediation: x works through m on y, by the levels of the three."""

from collections.abc import Mapping
from functools import partial

from study import Array, Class, Rows, World, contrary, null, trap, true

FIRST, SECOND = 0.5, 0.4
"""Of m on x, and of y on m; x and the noise of m have sd 1."""

CLAIM = {"from": "x", "via": ["m"], "to": "y", "sign": "+"}
ARROWS = ("x > m", "m > y", "x > y", "c > m", "c > y")

ABOVE = {"row": "department", "department": "district"}
"""Where a mediator differs beside its own level: or no slope there could be told."""


def noise(r: Rows) -> Array:
    """What differs in y between departments and rows."""
    return r.draw("department", 0.4) + r.draw()


def two_steps(
    r: Rows, cause: str, mediator: str, first: float, second: float, direct: float = 0.0
) -> Mapping[str, Array]:
    """x moves m, and m moves y at every level alike; c moves both a little."""
    x = r.draw(cause)
    c = r.draw(mediator)
    m = first * x + 0.3 * c + r.draw(mediator) + r.draw(ABOVE[mediator], 0.6)
    return {"x": x, "c": c, "m": m, "y": second * m + direct * x + 0.3 * c + noise(r)}


def common_cause(
    r: Rows, cause: str, level: str, mediator: str = "row", *, measured: bool = True
) -> Mapping[str, Array]:
    """x moves m, and c moves m and y; m moves nothing."""
    x, c = r.draw(cause), r.draw(level)
    m = FIRST * x + 0.8 * c + 0.8 * r.draw(mediator) + r.draw(ABOVE[mediator], 0.5)
    y = 0.8 * c + 0.2 * x + noise(r)
    return {"x": x, "m": m, "y": y} | ({"c": c} if measured else {})


def one_level(r: Rows, within: float, between: float) -> Mapping[str, Array]:
    """m moves y in rows and in departments by different slopes; x is one of departments."""
    x = r.draw("department")
    u, e = r.draw("department", 0.7), r.draw()
    m = FIRST * x + u + e
    y = between * (FIRST * x + u) + within * e + 0.2 * x + noise(r)
    return {"x": x, "c": r.draw(), "m": m, "y": y}


def departments_alone(r: Rows) -> Mapping[str, Array]:
    """What departments are moves x, m and y; inside them there is nothing."""
    d = r.draw("department")
    x, m = d + r.draw(), d + r.draw()
    return {"x": x, "c": r.draw(), "m": m, "y": d + r.draw()}


def usual(cause: str, mediator: str) -> dict[str, World]:
    """Worlds of every pattern of levels."""
    make = partial(two_steps, cause=cause, mediator=mediator)
    return {
        "true": true(partial(make, first=FIRST, second=SECOND)),
        "no effect": null(partial(make, first=0.0, second=0.0, direct=0.3)),
        "no first step": null(partial(make, first=0.0, second=SECOND, direct=0.3)),
        "no second step": null(partial(make, first=FIRST, second=0.0, direct=0.3)),
        "contrary": contrary(partial(make, first=FIRST, second=-SECOND)),
        "common cause of m and y": trap(
            partial(common_cause, cause=cause, level=mediator, mediator=mediator)
        ),
        "common cause of m and y (not measured)": trap(
            partial(common_cause, cause=cause, level=mediator, mediator=mediator, measured=False),
            limit=False,
        ),
    }


def levels(x: str, m: str, c: str) -> dict[str, str]:
    """Levels of the constructs; y is one of partnerships."""
    return {"x": x, "m": m, "y": "partnership", "c": c}


def moved(r: Rows, first: float, second: float) -> Mapping[str, Array]:
    """x moves c, and c moves m and y."""
    x = r.draw("department")
    c = 0.6 * x + r.draw()
    m = first * x + 0.7 * c + 0.8 * r.draw() + r.draw("department", 0.4)
    return {"x": x, "c": c, "m": m, "y": second * m + 0.7 * c + 0.2 * x + noise(r)}


def paths(
    r: Rows, firsts: tuple[float, float], seconds: tuple[float, float], shared: float = 0.0
) -> Mapping[str, Array]:
    """Two mediators, each with both of its steps or one of them.

    Args:
        r: rows.
        firsts: of each mediator on x.
        seconds: of y on each mediator.
        shared: sd of what both have of their department beside x.
    """
    x = r.draw("department")
    m, n = (a * x + r.draw("department", 0.5) + r.draw() for a in firsts)
    if shared:
        both = r.draw("department", shared)
        m, n = m + both, n + both
    return {"x": x, "m": m, "n": n, "y": seconds[0] * m + seconds[1] * n + 0.2 * x + noise(r)}


def other_path_between(r: Rows) -> Mapping[str, Array]:
    """What n of a department is moves y; m shares it with n, and moves nothing."""
    x, both = r.draw("department"), r.draw("department", 0.8)
    of_n = both + r.draw("department", 0.5)
    m = 0.6 * x + both + r.draw("department", 0.5) + r.draw()
    return {"x": x, "m": m, "n": of_n + r.draw(), "y": 0.7 * of_n + 0.2 * x + noise(r)}


def chain(r: Rows, first: float, middle: float, last: float) -> Mapping[str, Array]:
    """x moves m, m moves n, and n moves y."""
    x = r.draw("department")
    m = first * x + r.draw("department", 0.5) + r.draw()
    n = middle * m + r.draw("department", 0.4) + r.draw()
    return {"x": x, "m": m, "n": n, "y": last * n + 0.2 * x + noise(r)}


def chain_within(r: Rows) -> Mapping[str, Array]:
    """Steps after the first run inside departments alone."""
    x = r.draw("department")
    e, d = r.draw(), r.draw()
    m = 0.6 * x + r.draw("department", 0.5) + e
    n = 0.6 * e + r.draw("department", 0.5) + d
    return {"x": x, "m": m, "n": n, "y": 0.6 * d + 0.3 * x + noise(r)}


CLASSES = (
    Class(
        "mediation", "2-1-1", levels("department", "partnership", "partnership"), ARROWS, CLAIM,
        usual("department", "row")
        | {
            "slope within alone": trap(partial(one_level, within=0.7, between=0.0)),
            "slope between alone": trap(partial(one_level, within=0.0, between=0.5), holds=True),
            "common cause of departments": trap(
                partial(common_cause, cause="department", level="department")
            ),
            "common cause of departments (not measured)": trap(
                partial(common_cause, cause="department", level="department", measured=False),
                limit=False,
            ),
        },
        (2, 4, 1), ("department", "partnership"),
    ),
    Class(
        "mediation", "1-1-1", levels("partnership", "partnership", "partnership"), ARROWS, CLAIM,
        usual("row", "row") | {"departments alone": trap(departments_alone)},
        (2, 3, 1), ("department", "partnership"),
    ),
    Class(
        "mediation", "3-2-1", levels("district", "department", "department"), ARROWS, CLAIM,
        usual("district", "department"),
        (4, 2, 1),
    ),
    Class(
        "mediation", "2-1-1 (two paths)",
        {"x": "department", "m": "partnership", "n": "partnership", "both": "partnership",
         "y": "partnership"},
        ("x > both", "both > y", "x > y"), CLAIM | {"via": ["both"]},
        {
            "true": true(partial(paths, firsts=(0.5, 0.5), seconds=(0.4, 0.4))),
            "one path": true(partial(paths, firsts=(0.5, 0.0), seconds=(0.4, 0.0))),
            "no effect": null(partial(paths, firsts=(0.0, 0.0), seconds=(0.0, 0.0))),
            "contrary": contrary(partial(paths, firsts=(0.5, 0.5), seconds=(-0.4, -0.4))),
            "first step of one path, second of the other": trap(
                partial(paths, firsts=(0.6, 0.0), seconds=(0.0, 0.6))
            ),
            "first step of one path, second of the other (departments have both)": trap(
                partial(paths, firsts=(0.6, 0.0), seconds=(0.0, 0.6), shared=0.8)
            ),
            "the other mediator works between departments alone": trap(other_path_between),
        },
        (2, 4, 1), ("department", "partnership"), {"both": ["m", "n"]},
    ),
    Class(
        "mediation", "2-1-1-1",
        {"x": "department", "m": "partnership", "n": "partnership", "y": "partnership"},
        ("x > m", "m > n", "n > y", "x > y"), CLAIM | {"via": ["m", "n"]},
        {
            "true": true(partial(chain, first=0.6, middle=0.6, last=0.5)),
            "no effect": null(partial(chain, first=0.0, middle=0.0, last=0.0)),
            "no middle step": null(partial(chain, first=0.6, middle=0.0, last=0.5)),
            "contrary": contrary(partial(chain, first=0.6, middle=0.6, last=-0.5)),
            "slopes within alone": trap(chain_within),
        },
        (2, 4, 1), ("department", "partnership"),
    ),
    Class(
        "mediation", "2-1-1 (the cause moves a confounder)",
        levels("department", "partnership", "partnership"), (*ARROWS, "x > c"), CLAIM,
        {
            "true": true(partial(moved, first=0.5, second=0.4)),
            "no effect": null(partial(moved, first=0.0, second=0.0)),
            "contrary": contrary(partial(moved, first=0.5, second=-0.4)),
            "confounder moved, no second step": trap(partial(moved, first=0.5, second=0.0)),
        },
        (2, 4, 1), ("department", "partnership"),
    ),
)  # fmt: skip
