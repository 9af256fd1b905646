"""The structural parameters of a model, in the order of every table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from acmodels.spec import parameters as named
from acmodels.system.equation import EquationLayout
from acmodels.system.layout import Layout, first_pairs, residual_pairs

type ParameterKind = str
"""`coefficient`, `threshold`, `sd`, `cor`, `sigma`, `sigma1`, `cor1`, `simo`, or a family's own,
such as `nu`; `loading` of an item; `step` for the coefficient of a step of a monotonic effect,
which follows from others."""


@dataclass(frozen=True)
class Parameter:
    """A structural parameter.

    Attributes:
        name: as in files and tables.
        kind: what patterns match by.
        owner: position of its block (sd, cor), of its residual block (cor with `residual`
            true), or of its equation.
        residual: whether it is a residual correlation.
    """

    name: str
    kind: ParameterKind
    owner: int
    residual: bool = False


def parameters(layout: Layout) -> tuple[Parameter, ...]:
    """List the structural parameters, in the order of every table.

    Those of the models of incomplete predictors come after all others.
    """
    out: list[Parameter] = []
    for i, e in enumerate(layout.equations):
        out += [Parameter(name, "threshold", i) for name in e.thresholds]
        out += _coefficients(e, i)
    for b, block in enumerate(layout.blocks):
        out += [Parameter(block.sd(m), "sd", b) for m in block.members]
        out += [Parameter(name, "cor", b) for _, _, name in block.correlations()]
    out += [Parameter(e.sigma, "sigma", i) for i, e in enumerate(layout.equations) if e.has_sigma]
    out += [
        Parameter(e.sigma1, "sigma1", i) for i, e in enumerate(layout.equations) if e.has_sigma1
    ]
    out += [
        Parameter(e.scalar(kind), kind, i)
        for i, e in enumerate(layout.equations)
        for kind in e.scalars
    ]
    for r in range(len(layout.residual)):
        out += [
            Parameter(name, "cor", r, residual=True) for _, _, name in residual_pairs(layout, r)
        ]
    out += [
        Parameter(name, "cor1", r, residual=True)
        for r, pairs in first_pairs(layout)
        for _, _, name in pairs
    ]
    return tuple(sorted(out, key=lambda p: _auxiliary(layout, p)))


def _coefficients(e: EquationLayout, i: int) -> Iterator[Parameter]:
    first = {places[0]: effect for effect, places in e.monotonic.items()}
    for k, c in enumerate(e.columns):
        if k in first:
            yield Parameter(named.coefficient(e.response, first[k]), "coefficient", i)
            yield from (Parameter(name, "simo", i) for name in e.shares(first[k]))
        step = bool(c.parts) and c.parts[0].above
        kind = "loading" if e.loaded(c) is not None else "step" if step else "coefficient"
        yield Parameter(e.coefficient(c), kind, i)


def with_steps[T](layout: Layout, value: Mapping[str, T]) -> dict[str, T]:
    """Add the steps of monotonic effects to what they follow from.

    A step is the mean step times their number times its share (Bürkner & Charpentier, 2020).

    Args:
        layout: of the model.
        value: numbers or arrays by parameter.
    """
    out: dict[str, Any] = dict(value)
    for e in layout.equations:
        for effect, places in e.monotonic.items():
            for k, name in zip(places, e.shares(effect), strict=True):
                mean = out[named.coefficient(e.response, effect)]
                out[e.coefficient(e.columns[k])] = mean * len(places) * out[name]
    return out


def _auxiliary(layout: Layout, p: Parameter) -> bool:
    """Whether a parameter is of the model of an incomplete predictor."""
    if p.residual or not layout.auxiliary:
        return False
    if p.kind in ("sd", "cor"):
        return layout.blocks[p.owner].members[0].response in layout.auxiliary
    return layout.equations[p.owner].response in layout.auxiliary
