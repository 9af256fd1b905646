"""Classes of the kind conjunction."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from study import Array, Class, Rows, World, null, trap, true

CONDITIONS = ("a", "b", "c")


def combined(r: Rows, mean: Callable[[Array], Array]) -> Mapping[str, Array]:
    """y follows three conditions of departments, which correlate at 0.4."""
    shared = r.draw("department", 0.63)
    x = np.stack([shared + r.draw("department", 0.77) for _ in CONDITIONS])
    y = mean(x) + r.draw("district", 0.3) + r.draw("department", 0.4) + 0.8 * r.draw()
    return {**dict(zip(CONDITIONS, x, strict=True)), "y": y}


WORLDS: dict[str, World] = {
    "true": true(partial(combined, mean=lambda x: 0.5 * x.min(axis=0))),
    "true (strong)": true(partial(combined, mean=lambda x: 0.8 * x.min(axis=0))),
    "no effect": null(partial(combined, mean=lambda x: 0 * x[0])),
    "additive": trap(partial(combined, mean=lambda x: 0.3 * x.sum(axis=0))),
    "one strong condition": trap(partial(combined, mean=lambda x: 0.5 * x[0])),
    "multiplicative": trap(
        partial(combined, mean=lambda x: 0.2 * x.sum(axis=0) + 0.3 * x[0] * x[1])
    ),
    "diminishing returns of each": trap(
        partial(combined, mean=lambda x: 0.3 * x.sum(axis=0) - 0.1 * (x**2).sum(axis=0))
    ),
}

CLASSES: tuple[Class, ...] = (
    Class(
        "conjunction",
        "three conditions of departments",
        {**dict.fromkeys(CONDITIONS, "department"), "y": "partnership"},
        [f"{c} > y" for c in CONDITIONS],
        {"from": list(CONDITIONS), "to": "y"},
        WORLDS,
        (3, 2, 1),
    ),
)
