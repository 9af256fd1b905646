"""Classes of the kind effect: a total effect of x on y, by the levels of both."""

from collections.abc import Callable, Mapping
from functools import partial

from study import Array, Class, Rows, World, contrary, null, trap, true

SLOPE = 0.3
"""Of y on x; x has sd 1, and y sd 1.2 to 1.4 with what else there is."""

CLAIM = {"from": "x", "to": "y", "sign": "+"}
ARROWS = ("x > y", "z > x", "z > y")


def noise(r: Rows) -> Array:
    """What differs between districts, departments and rows."""
    return r.draw("district", 0.4) + r.draw("department", 0.4) + r.draw()


def plain(r: Rows, level: str, slope: float) -> Mapping[str, Array]:
    """z moves x and y a little."""
    z = r.draw(level)
    x = 0.4 * z + 0.9 * r.draw(level)
    return {"x": x, "z": z, "y": slope * x + 0.2 * z + noise(r)}


def confounded(r: Rows, level: str, *, measured: bool) -> Mapping[str, Array]:
    """z moves x and y a lot, and x moves nothing."""
    z = r.draw(level)
    x = 0.8 * z + 0.6 * r.draw(level)
    y = 0.6 * z + noise(r)
    return {"x": x, "y": y} | ({"z": z} if measured else {})


def in_other_units(r: Rows, level: str) -> Mapping[str, Array]:
    """The same in units of thousands and of fractions."""
    v = plain(r, level, SLOPE)
    return {"x": 1000 * v["x"] + 5000, "z": v["z"] / 100, "y": v["y"] / 50 - 3}


def usual(level: str) -> dict[str, World]:
    """Worlds of every pattern of levels."""
    make: Callable[..., Mapping[str, Array]] = partial(plain, level=level)
    return {
        "true": true(partial(make, slope=SLOPE)),
        "no effect": null(partial(make, slope=0.0)),
        "contrary": contrary(partial(make, slope=-SLOPE)),
        "common cause": trap(partial(confounded, level=level, measured=True)),
        "common cause (not measured)": trap(
            partial(confounded, level=level, measured=False), limit=False
        ),
        "other units": trap(partial(in_other_units, level=level), holds=True),
    }


def opposite(r: Rows) -> Mapping[str, Array]:
    """Rows differ as claimed inside departments, and departments the other way."""
    d = r.draw("department", 1.2)
    x = d + 0.7 * r.draw()
    return {"x": x, "z": r.draw(), "y": 0.4 * (x - d) - 0.6 * d + noise(r)}


def of_departments(r: Rows) -> Mapping[str, Array]:
    """What departments are, unmeasured, moves x and y; inside departments there is nothing."""
    d = r.draw("department")
    x = d + 0.7 * r.draw()
    return {"x": x, "z": r.draw(), "y": 0.7 * d + noise(r)}


def of_districts(r: Rows) -> Mapping[str, Array]:
    """What districts are, unmeasured, moves x and y; between their departments there is nothing."""
    d = r.draw("district")
    x = d + 0.7 * r.draw("department")
    return {"x": x, "z": r.draw("department"), "y": 0.7 * d + noise(r)}


def opposite_districts(r: Rows) -> Mapping[str, Array]:
    """Departments differ as claimed inside districts, and districts the other way."""
    d = r.draw("district", 1.2)
    x = d + 0.7 * r.draw("department")
    return {"x": x, "z": r.draw("department"), "y": 0.4 * (x - d) - 0.6 * d + noise(r)}


def by_rows(r: Rows, slope: float, of_z: float) -> Mapping[str, Array]:
    """What departments are in z moves x and y, and z is measured by two rows of each."""
    of = r.draw("department")
    x = 0.8 * of + 0.6 * r.draw("department")
    return {"x": x, "z": of + r.draw(), "y": slope * x + of_z * of + noise(r)}


def few_units(r: Rows, level: str) -> Mapping[str, Array]:
    """Units differ a lot in y, and x has nothing to do with it: rows are no independent cases."""
    return {"x": r.draw(level), "z": r.draw(level), "y": r.draw(level, 1.2) + noise(r)}


def panel(r: Rows, slope: float, x_moves: float, y_moves: float) -> Mapping[str, Array]:
    """Levels that stay, with some change from wave to wave."""
    x = r.draw("partnership") + x_moves * r.draw()
    y = slope * x + r.draw("district", 0.4) + r.draw("partnership", 0.8) + y_moves * r.draw()
    return {"x": x, "y": y}


def common_trend(r: Rows) -> Mapping[str, Array]:
    """x and y both rise over waves."""
    v = panel(r, 0.0, 0.4, 0.4)
    return {"x": v["x"] + 0.6 * r.wave, "y": v["y"] + 0.6 * r.wave}


def stable_trait(r: Rows) -> Mapping[str, Array]:
    """What a partnership is, unmeasured, moves x and y."""
    u = r.draw("partnership")
    x = u + 0.6 * r.draw()
    return {"x": x, "y": 0.7 * u + r.draw("district", 0.4) + 0.8 * r.draw()}


def levels(of_cause: str) -> dict[str, str]:
    """Levels of cause, covariate and outcome."""
    return {"x": of_cause, "z": of_cause, "y": "partnership"}


CLASSES = (
    Class(
        "effect", "department on partnership", levels("department"), ARROWS, CLAIM,
        usual("department")
        | {
            "opposite between districts": trap(opposite_districts, holds=True),
            "districts alone": trap(of_districts),
        },
        (3, 2, 1),
    ),
    Class(
        "effect", "partnership on partnership", levels("partnership"), ARROWS, CLAIM,
        usual("row")
        | {
            "opposite between departments": trap(opposite, holds=True),
            "departments alone": trap(of_departments),
        },
        (2, 3, 1),
    ),
    Class(
        "effect", "district on partnership", levels("district"), ARROWS, CLAIM,
        usual("district") | {"many rows of few units": trap(partial(few_units, level="district"))},
        (2, 2, 1),
    ),
    Class(
        "effect", "partner on partnership (crossing departments)", levels("partner"), ARROWS, CLAIM,
        usual("partner") | {"many rows of few units": trap(partial(few_units, level="partner"))},
        (2, 2, 1), ("district", "department", "partner", "partnership"),
    ),
    Class(
        "effect", "department on partnership (a common cause with several rows)",
        levels("department") | {"z": "partnership"}, ARROWS, CLAIM,
        {
            "true": true(partial(by_rows, slope=0.4, of_z=0.0)),
            "no effect": null(partial(by_rows, slope=0.0, of_z=0.0)),
            "contrary": contrary(partial(by_rows, slope=-0.4, of_z=0.0)),
            "common cause": trap(partial(by_rows, slope=0.0, of_z=0.6)),
        },
        (3, 2, 1),
    ),
    Class(
        "effect", "partnership on partnership (in waves)",
        {"x": "partnership", "y": "partnership"}, ("x > y",), CLAIM,
        {
            "true": true(partial(panel, slope=SLOPE, x_moves=0.4, y_moves=0.6)),
            "no effect": null(partial(panel, slope=0.0, x_moves=0.4, y_moves=0.6)),
            "contrary": contrary(partial(panel, slope=-SLOPE, x_moves=0.4, y_moves=0.6)),
            "rows repeated over waves": trap(partial(panel, slope=0.0, x_moves=0.1, y_moves=0.1)),
            "common trend": trap(common_trend),
            "stable trait (not measured)": trap(stable_trait, limit=False),
        },
        (1, 3, 4), ("district", "partnership", "wave"),
    ),
)  # fmt: skip
