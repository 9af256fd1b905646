"""Arrays of the graph: frozen values of arrays, one kind a slice, and their `pm.Data`.

What a slice reads of the data is a dataclass of arrays. In the graph the same dataclass holds a
`pm.Data` in the place of each array, named by the fields that lead to it. An array that nothing
would read is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from acmodels.system.arrays import Array


@dataclass(frozen=True)
class Located:
    """Location and scale of the priors of a vector."""

    location: Array
    scale: Array


def named(value: Any, name: str = "") -> dict[str, Array]:
    """List the arrays of a value by name, as `pm.Data` has them."""
    if value is None:
        return {}
    if isinstance(value, np.ndarray):
        return {name: value}
    out: dict[str, Array] = {}
    for key, inner in _inside(value):
        out |= named(inner, _joined(name, key))
    return out


def as_data[T](pm: Any, value: T, name: str = "") -> T:
    """Return the value with a `pm.Data` in the place of each array."""
    made: Any = value
    if isinstance(value, np.ndarray):
        made = pm.Data(name, value)
    elif is_dataclass(value):
        inner = {k: as_data(pm, v, _joined(name, k)) for k, v in _inside(value)}
        made = replace(made, **inner)
    elif isinstance(value, Mapping):
        made = {k: as_data(pm, v, _joined(name, k)) for k, v in value.items()}
    elif isinstance(value, tuple):
        made = tuple(as_data(pm, v, _joined(name, k)) for k, v in _inside(value))
    return made


def _inside(value: Any) -> list[tuple[Any, Any]]:
    if is_dataclass(value):
        return [(f.name, getattr(value, f.name)) for f in fields(value)]
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value))


def _joined(name: str, key: Any) -> str:
    last = "_".join(str(k) for k in key) if isinstance(key, tuple) else str(key)
    return f"{name}_{last}" if name else last
