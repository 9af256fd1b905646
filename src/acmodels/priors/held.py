"""Parameters that a prior of `Constant` holds at a value."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from acmodels.errors import ModelError
from acmodels.priors.prior import Prior, pattern_kind
from acmodels.system import Layout, parameters
from acmodels.system.arrays import Array


def held_values(priors: Mapping[str, Prior]) -> dict[str, float]:
    """The parameters that are held, and where."""
    return {n: v for n, p in priors.items() for v in [p.held] if v is not None}


def held_matrix(size: int, priors: Mapping[str, Prior], names: Sequence[str]) -> Array | None:
    """The correlation matrix that is held, (size, size), or None.

    Args:
        size: its rows.
        priors: in force.
        names: of its correlations, row by row of the upper triangle.
    """
    values = [priors[n].held for n in names]
    if not values or values[0] is None:
        return None
    out = np.eye(size)
    rows, columns = np.triu_indices(size, 1)
    out[rows, columns] = out[columns, rows] = values
    return out


def check_held(priors: Mapping[str, Prior], layout: Layout, source: str) -> None:
    """Refuse values at which a parameter cannot be held.

    Raises:
        ModelError: a value outside the parameter's range; some, but not all, of the correlations of
            one matrix or of the shares of one monotonic effect; some, but not one or all, of the
            thresholds of one response.
    """
    values = held_values(priors)
    if not values:
        return
    problems: list[str] = []
    for p in parameters(layout):
        v = values.get(p.name)
        if v is None:
            continue
        where = f'{source}: priors."{priors[p.name].stated}": {p.name} cannot be held at {v:g}'
        if p.kind in ("sd", "sigma", "sigma1") and v <= 0:
            more = (
                "; leave its term out of the formula instead" if p.kind == "sd" and v == 0 else ""
            )
            problems.append(f"{where}: an sd is above 0{more}")
        elif p.kind in ("cor", "cor1") and abs(v) >= 1:
            problems.append(f"{where}: a correlation lies between -1 and 1")
        elif p.kind == "simo" and not 0 <= v <= 1:
            problems.append(f"{where}: a share lies between 0 and 1")
        elif p.kind not in _FREE and not priors[p.name].allows(v):
            problems.append(f"{where}: it is {priors[p.name].range}")
    if not problems:
        problems = [f"{source}: priors: {said}" for said in _together(layout, values)]
    if problems:
        raise ModelError(problems)


_FREE = (
    "coefficient", "threshold", "sd", "sigma", "cor", "sigma1", "cor1", "simo", "step"
)  # fmt: skip
"""Kinds that are not a family's further parameter."""


def _together(layout: Layout, values: Mapping[str, float]) -> list[str]:
    """Return what is wrong with values that belong to one whole."""
    out: list[str] = []
    for matrix in layout.correlations:
        pairs = matrix.entries
        mine = [name for _, _, name in pairs if name in values]
        if mine and len(mine) < len(pairs):
            free = next(name for _, _, name in pairs if name not in values)
            out.append(f"{mine[0]} is held and {free} of the same matrix is not; hold all or none")
        elif mine and np.linalg.eigvalsh(matrix.matrix(lambda n: values[n]))[0] <= 0:
            out.append(
                f"the values at which {', '.join(mine)} are held do not make a correlation matrix"
            )
    for e in layout.equations:
        mine = [values[n] for n in e.thresholds if n in values]
        if 1 < len(mine) < len(e.thresholds):
            out.append(f"{len(mine)} of the thresholds of '{e.response}' are held; hold one or all")
        if len(mine) > 1 and np.any(np.diff(mine) <= 0):
            out.append(f"the thresholds of '{e.response}' must increase, but {_shown(mine)} do not")
        for effect in e.monotonic:
            names = e.shares(effect)
            held = [values[n] for n in names if n in values]
            if held and (len(held) < len(names) or abs(sum(held) - 1) > 1e-6):
                out.append(
                    f"the shares {names[0]} to [{len(names)}] must all be held, or none, and sum "
                    f"to 1 (now {_shown(held)})"
                )
    return out


def _shown(values: list[float]) -> str:
    return ", ".join(f"{v:g}" for v in values)


def less_held(prior: Prior, priors: Mapping[str, Prior]) -> Prior:
    """Move what is held at a value from the weights of a prior to its constant."""
    known = held_values(priors)
    held = {n: known[n] for n, _ in prior.on if n in known}
    if not held or pattern_kind(prior.name) == "sd":
        return prior
    on = tuple((n, w) for n, w in prior.on if n not in held)
    alone = on == ((prior.name, 1.0),)
    more = sum(w * held[n] for n, w in prior.on if n in held)
    return replace(prior, on=() if alone else on, constant=prior.constant + more)
