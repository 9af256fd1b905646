"""Classes of the kinds necessary and sufficient: empty corners, and what empties them besides."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from study import Array, Class, Rows, World, null, trap, true

type Mean = Callable[[Rows, Array], Array]


def drawn(r: Rows, mean: Mean, *, sign: float = 1.0) -> Mapping[str, Array]:
    """x is normal, and y is made of it; for `sufficient` both are turned."""
    x = r.draw()
    return {"x": sign * x, "y": sign * (mean(r, x) + r.draw("district", 0.2))}


def limited(r: Rows, x: Array, steep: float, height: float, noise: float) -> Array:
    """Something else makes y, up to a ceiling that x sets."""
    return np.minimum(steep * x + height, r.draw()) + r.draw(sd=noise)


def straight(r: Rows, x: Array, slope: float) -> Array:
    """y is additive in x."""
    return slope * x + r.draw(sd=float(np.sqrt(1 - slope**2)))


def full_scale(r: Rows, x: Array) -> Array:
    """y is additive in x, and the scale ends: a third of the units are at its top."""
    return np.minimum(straight(r, x, 0.6), 0.43)


def five_answers(r: Rows, x: Array) -> Array:
    """y is additive in x, and has five answers."""
    cuts = np.array([-1.5, -0.5, 0.5, 1.5])
    return np.searchsorted(cuts, straight(r, x, 0.6)).astype(float)


def spreading(r: Rows, x: Array) -> Array:
    """y is additive in x, and varies more where x is high."""
    return 0.4 * x + np.exp(0.2 * x) * r.draw(sd=0.9)


MEANS: dict[str, tuple[Callable[..., World], Mean]] = {
    "true": (true, partial(limited, steep=0.8, height=0.6, noise=0.2)),
    "true (soft ceiling)": (true, partial(limited, steep=1.2, height=1.0, noise=0.3)),
    "no effect": (null, partial(straight, slope=0.0)),
    "correlation of 0.3": (trap, partial(straight, slope=0.3)),
    "correlation of 0.6": (trap, partial(straight, slope=0.6)),
    "correlation of 0.9": (trap, partial(straight, slope=0.9)),
    "ceiling of the scale": (trap, full_scale),
    "five answers": (trap, five_answers),
    "more variance where the cause is high": (trap, spreading),
}

CLASSES: tuple[Class, ...] = tuple(
    Class(
        kind,
        "a corner",
        {"x": "department", "y": "department"},
        ["x > y"],
        {"from": "x", "to": "y"},
        {name: how(partial(drawn, mean=mean, sign=sign)) for name, (how, mean) in MEANS.items()},
        (4, 1, 1),
        ("district", "department"),
    )
    for kind, sign in (("necessary", 1.0), ("sufficient", -1.0))
)
