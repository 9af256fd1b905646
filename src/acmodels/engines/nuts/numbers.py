"""Numbers that families have beside a mean and a residual sd, such as `nu` and `phi`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.engines.nuts.bounds import between, from_line, to_line
from acmodels.engines.nuts.forms import BOUNDED, add_priors, joined, shape_of
from acmodels.engines.nuts.rows import Stack
from acmodels.families import Scalar, family
from acmodels.priors import Prior
from acmodels.system import Responses
from acmodels.system.arrays import Array
from acmodels.system.working import rough


@dataclass(frozen=True)
class Numbers:
    """Which numbers there are, in the graph's order.

    Attributes:
        of: (equation, what it is) of each.
        names: of the parameters.
        priors: of each.
    """

    of: tuple[tuple[int, Scalar], ...]
    names: tuple[str, ...]
    priors: tuple[Prior, ...]

    @property
    def held(self) -> Mapping[int, float]:
        """By place, the value at which a number is held."""
        return {k: p.held for k, p in enumerate(self.priors) if p.held is not None}

    @property
    def free(self) -> list[int]:
        """Places of the others."""
        return [k for k, p in enumerate(self.priors) if p.held is None]


@dataclass(frozen=True)
class NumberArrays:
    """Of the free numbers: rough coordinates on the whole line (see `bounds`); scales of priors."""

    start: Array
    prior_scale: Array


def make_numbers(stack: Stack) -> Numbers:
    """Lay out the numbers."""
    equations = stack.layout.equations
    of = tuple((i, s) for i in stack.order for s in family(equations[i].family).scalars)
    found = tuple(equations[i].scalar(s.kind) for i, s in of)
    return Numbers(of, found, tuple(stack.priors[n] for n in found))


def number_arrays(part: Numbers, stack: Stack, responses: Responses) -> NumberArrays | None:
    """Guess where the numbers lie."""
    if not part.free:
        return None
    equations = stack.layout.equations
    found: list[float] = []
    for i, s in (part.of[k] for k in part.free):
        e = equations[i]
        found.append(rough(e, responses[e.response])[s.kind])
    priors = [part.priors[k] for k in part.free]
    scale = np.array([p.distribution.scale for p in priors])
    return NumberArrays(to_line(np.array(found), priors), scale)


def numbers(pm: Any, part: Numbers, data: NumberArrays | None) -> Any:
    """Add the numbers to the graph, by coordinates on the whole line."""
    if not part.of:
        return None
    pieces: list[Any] = []
    if data is not None:
        priors = [part.priors[k] for k in part.free]
        at_line = data.start + pm.Flat("owned", shape=len(priors))
        values, jacobian = from_line(pm.math, at_line, priors)
        pm.Potential("owned_jacobian", jacobian)
        flat = [p.distribution.name == "Uniform" for p in priors]  # constant within its bounds
        rest = np.flatnonzero(~np.array(flat))
        if len(rest):
            standard = (values / data.prior_scale)[rest]
            add_priors(pm, "owned", [priors[k].distribution for k in rest], standard, BOUNDED)
        pieces.append(values)
    if part.held:
        pieces.append(np.array(list(part.held.values())))
    if len(pieces) == 1:
        return pm.math.as_tensor(pieces[0])
    return joined(pm, pieces)[np.argsort([*part.free, *part.held])]


def number_draws(
    part: Numbers, data: NumberArrays | None, draws: Mapping[str, Array]
) -> dict[str, Array]:
    """Return draws of the numbers by name."""
    shape = shape_of(draws)
    out = {part.names[k]: np.full(shape, value) for k, value in part.held.items()}
    if data is not None:
        at = data.start + draws["owned"]
        for n, k in enumerate(part.free):
            out[part.names[k]] = between(at[..., n], part.priors[k])
    return out
