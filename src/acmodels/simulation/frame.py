"""Units and predictors of a study that is simulated."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from acmodels.data import Study, study
from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.spec.design import ROW, Design, Exogenous, Loss, Unit
from acmodels.spec.distribution import draw, listed, moments, normal, quantiles
from acmodels.spec.model import Model
from acmodels.spec.names import quoted
from acmodels.system.arrays import Array

WAVE = "wave"
"""The kind of unit that is a point in time, where the model has no panel."""


def waves_of_panel(design: Design) -> str | None:
    """Return the kind of unit that is the wave of the model's panel.

    Where it lies in no other unit and nothing draws one, as `wave = 4`, every unit has a row in
    each wave (with `row = { per = "department", n = 2 }`, two).
    """
    model = design.model
    if model is None or model.panel is None:
        return None
    name = model.panel.wave
    used = {d for u in design.units for d in (u.per, *u.crossed_with)}
    free = any(u.name == name and u.per is None and not u.crossed_with for u in design.units)
    return name if free and name not in used else None


@dataclass(frozen=True)
class _Frame:
    """Units drawn: for each kind its number, and for each row (or unit) those above it.

    Attributes:
        size: number of units, by kind.
        above: by kind, then by kind above (or crossed), positions of shape (size,).
        rows: the kind that is one row of data.
        wave: the kind that is the wave of a panel, or None.
        cell: of a panel, the kind that is one unit in one wave, or None.
    """

    size: dict[str, int]
    above: dict[str, dict[str, np.ndarray]]
    rows: str
    wave: str | None = None
    cell: str | None = None


def draw_frame(
    design: Design, rng: np.random.Generator, sizes: np.random.Generator | None = None
) -> Study:
    """Draw all of a study but its responses: ids and predictors, less the rows that are lost.

    Rows are lost (`attrition`) completely at random. With a kind of unit called `wave`, what the
    rows lie in leaves before a wave after the first and does not come back; without one, each row
    is lost for itself. Single cells are emptied later, with the responses (`losses`).

    Args:
        design: of the study.
        rng: the stream of all that is drawn.
        sizes: a stream that says which units and rows there are, where studies shall have the same
            ones; `rng` then draws the predictors alone.

    Returns:
        The study, all of its cells full.
    """
    model = loaded(design)
    frame = _frame(design, sizes or rng)
    table = _ids(frame)
    table |= {
        name: _predictor(name, e, frame, model, rng)
        for name, e in predictors(design, model).items()
    }
    if not table:  # a table has a column, if only one that numbers the rows
        table = {ROW: np.arange(1, frame.size[frame.rows] + 1)}
    made = _data_frame(table)
    if design.loss.attrition > 0:
        # the generator of losses is apart, so that a study with them is the one without, thinned
        apart = np.random.default_rng((sizes or rng).integers(2**63))
        made = made[_kept(design, frame, apart)].reset_index(drop=True)
    return study(made, f"simulated {model.name}")


def _kept(design: Design, frame: _Frame, rng: np.random.Generator) -> np.ndarray:
    """The rows that attrition leaves."""
    n = frame.size[frame.rows]
    wave = frame.above[frame.rows].get(frame.wave or WAVE)
    if wave is None:
        return rng.random(n) < 1 - design.loss.attrition
    panel = loaded(design).panel
    if frame.wave is not None and panel is not None:
        unit = frame.above[frame.rows][panel.unit]
    else:
        per = next(u.per for u in design.units if u.name == frame.rows)
        unit = np.arange(n) if per in (None, WAVE) else frame.above[frame.rows][str(per)]
    # the waves that a unit stays for: the first, and each further one with the same chance
    stays = rng.geometric(design.loss.attrition, size=int(unit.max()) + 1)
    return wave < stays[unit]


def reference_frame(design: Design, rng: np.random.Generator) -> Study:
    """A study of a design whose predictors have exactly their distributions' means and sds.

    What is scaled to a design once and for all, such as default priors, is scaled to this one.
    """
    model = loaded(design)
    whole = draw_frame(replace(design, loss=Loss()), rng)
    made = whole.frame.copy()
    for name, e in predictors(design, model).items():
        if e.distribution.kind.support not in ("real", "binary"):
            continue  # moved and stretched, what is positive might not stay so
        values = made[name].to_numpy(dtype=np.float64)
        mean, sd = moments(e.distribution)
        spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        if spread > 0 and np.isfinite(mean) and np.isfinite(sd) and sd > 0:
            made[name] = mean + sd * (values - values.mean()) / spread
    return study(made, whole.name)


def loaded(design: Design) -> Model:
    """The model of a design.

    Raises:
        ModelError: it is not loaded.
    """
    if design.model is None:
        raise ModelError(f"{design.source}: the design's model is not loaded; use load_design")
    return design.model


def check_design(design: Design) -> None:
    """Refuse a design that does not fit its model.

    Raises:
        ModelError: a grouping is no unit of the design, or a predictor is none of the model's.
    """
    model = loaded(design)
    units = {u.name for u in design.units}
    problems: list[str] = []
    for r, e in model.equations.items():
        keys = [c for g in e.formula.groups for c in g.grouping]
        if e.level is not None:
            keys.append(e.level)
        keys += model.measures[r].columns if r in model.measures else ()
        problems += [
            f"{design.source}: units: equations.{r} of {model.source} groups by '{k}', which is "
            "not a "
            f"unit in the design{did_you_mean(k, units)}"
            for k in dict.fromkeys(keys)
            if k not in units
        ]
    panel = model.panel
    problems += [
        f"{design.source}: units: the {what} of {model.source}'s panel is '{k}', which is not a "
        f"unit in the design{did_you_mean(k, units)}; write it under [units], as "
        f"{quoted(k)} = {4 if what == 'wave' else 60}"
        for what, k in (() if panel is None else (("unit", panel.unit), ("wave", panel.wave)))
        if k not in units
    ]
    known = predictor_names(model)
    problems += [
        f"{design.source}: exogenous.{name}: the model has no such predictor"
        f"{did_you_mean(name, known)} (predictors: {listing(known, 15)})"
        for name in design.exogenous
        if name not in known
    ]
    if problems:
        raise ModelError(dict.fromkeys(problems))


def predictor_names(model: Model) -> list[str]:
    """Columns that a model reads beside responses and ids."""
    out: list[str] = []
    ids = () if model.panel is None else (model.panel.unit, model.panel.wave)
    for e in model.equations.values():
        own = (v for v in e.formula.variables() if v not in model.equations)
        out += [v for v in own if v not in ids]
        out += [c for c in (e.se, e.trials, e.weights) if c is not None]
    return list(dict.fromkeys(out))


def predictors(design: Design, model: Model) -> dict[str, Exogenous]:
    """Return how each predictor of a model is drawn: as the design says, or standard normal."""
    plain = Exogenous(normal(0.0, 1.0), None, {})
    out = {n: design.exogenous.get(n, plain) for n in predictor_names(model)}
    for e in model.equations.values():
        for column, what in (
            (e.se, "standard errors"),
            (e.trials, "trials"),
            (e.weights, "weights"),
        ):
            if column is not None and out[column].distribution.kind.support != "positive":
                raise ModelError(
                    f"{design.source}: exogenous.{column}: {what} need a positive distribution, "
                    'such as { dist = "Gamma", alpha = 20, beta = 1 }'
                )
    return out


def _frame(design: Design, rng: np.random.Generator) -> _Frame:
    size: dict[str, int] = {}
    above: dict[str, dict[str, np.ndarray]] = {}
    for u in design.units:
        parents = _counts(u, size.get(u.per or "", 1), rng)
        size[u.name] = int(parents.sum())
        above[u.name] = {}
        if u.per is not None:
            parent = np.repeat(np.arange(size[u.per]), parents)
            above[u.name][u.per] = parent
            above[u.name] |= {k: v[parent] for k, v in above[u.per].items()}
        for other in u.crossed_with:
            drawn = rng.integers(size[other], size=size[u.name])
            above[u.name][other] = drawn
            above[u.name] |= {
                k: v[drawn] for k, v in above[other].items() if k not in above[u.name]
            }
    wave, panel = waves_of_panel(design), loaded(design).panel
    if wave is None or panel is None:
        return _Frame(size, above, row_kind(design))
    return _in_waves(_Frame(size, above, _leaf(design)), panel.unit, wave)


def _in_waves(frame: _Frame, unit: str, wave: str) -> _Frame:
    """Give every row of a frame one in each wave."""
    if unit != frame.rows and unit not in frame.above[frame.rows]:
        raise ModelError(
            f"units: the rows of a wave are those of '{frame.rows}', which lies in no '{unit}', "
            "the unit of the panel"
        )
    W, n = frame.size[wave], frame.size[frame.rows]
    size, above = dict(frame.size), dict(frame.above)
    here = {**frame.above[frame.rows]}
    if frame.rows != ROW:
        here[frame.rows] = np.arange(n)
    rows = {k: np.repeat(v, W) for k, v in here.items()}
    rows[wave] = np.tile(np.arange(W), n)
    cell = f"{unit} in each {wave}"
    units = size[unit]
    over = {k: np.repeat(v, W) for k, v in above[unit].items()}
    above[cell] = {**over, unit: np.repeat(np.arange(units), W), wave: np.tile(np.arange(W), units)}
    size[cell] = units * W
    rows[cell] = rows[unit] * W + rows[wave]
    size[ROW], above[ROW] = n * W, rows
    return _Frame(size, above, ROW, wave, cell)


def _counts(u: Unit, parents: int, rng: np.random.Generator) -> np.ndarray:
    if u.size.sd == 0:
        return np.full(parents, round(u.size.mean))
    drawn = np.rint(rng.normal(u.size.mean, u.size.sd, size=parents))
    return np.maximum(drawn, u.size.min).astype(np.int64)


def row_kind(design: Design) -> str:
    """The kind of unit that is one row of data.

    Raises:
        ModelError: there are several candidates.
    """
    return _leaf(design) if waves_of_panel(design) is None else ROW


def _leaf(design: Design) -> str:
    """The innermost kind of unit, waves of a panel aside."""
    names = [u.name for u in design.units if u.name != waves_of_panel(design)]
    used = {d for u in design.units for d in (u.per, *u.crossed_with)}
    leaves = [n for n in names if n not in used]
    if ROW in names and leaves == [ROW]:
        return ROW
    if len(leaves) != 1:
        raise ModelError(
            f"{design.source}: units: {listing(leaves)} are not linked; say which lies in "
            "the other with per, or that they cross with crossed_with"
        )
    return leaves[0]


def _ids(frame: _Frame) -> dict[str, Any]:
    out: dict[str, Any] = {}
    here = {**frame.above[frame.rows]}
    if frame.rows != ROW:
        here[frame.rows] = np.arange(frame.size[frame.rows])
    for kind in frame.size:
        if kind == frame.wave:
            out[kind] = here[kind] + 1
        elif kind in here and kind != frame.cell:
            width = len(str(frame.size[kind]))
            out[kind] = np.array([f"{kind}_{i + 1:0{width}d}" for i in here[kind]], dtype=object)
    return out


def _predictor(
    name: str, e: Exogenous, frame: _Frame, model: Model, rng: np.random.Generator
) -> Array:
    """Values of a predictor on the data's rows."""
    level = e.level or _default_level(name, frame, model)
    n = frame.size[level] if level in frame.size else frame.size[frame.rows]
    if e.balanced:
        values = _balanced(e, n, rng)
    elif e.icc:
        values = _clustered(e, level, n, frame, rng)
    else:
        values = draw(e.distribution, rng, n)
    if any(name == q.trials for q in model.equations.values()):
        values = np.maximum(np.rint(values), 1.0)
    here = frame.above[frame.rows].get(level)
    return values if here is None else values[here]


def _clustered(e: Exogenous, level: str, n: int, frame: _Frame, rng: np.random.Generator) -> Array:
    """A standard normal with the stated shares of variance, then its distribution's quantile."""
    z = np.sqrt(1 - sum(e.icc.values())) * rng.standard_normal(n)
    for unit, share in e.icc.items():
        place = frame.above.get(level, {}).get(unit)
        if place is None:
            raise ModelError(f"exogenous: '{unit}' is not a unit above '{level}'")
        z = z + np.sqrt(share) * rng.standard_normal(frame.size[unit])[place]
    if e.distribution.name == "Normal":
        return e.distribution.location + e.distribution.scale * z
    from scipy.special import ndtr

    return quantiles(e.distribution, ndtr(z))


def _balanced(e: Exogenous, n: int, rng: np.random.Generator) -> np.ndarray:
    """Each value for its share of n units, to the nearest whole number, in random order."""
    if e.distribution.name == "Bernoulli":
        p = e.distribution.parameters["p"]
        values, shares = np.array([1.0, 0.0]), np.array([p, 1 - p])
    else:
        values, shares = listed(e.distribution)
    # the largest remainders are rounded up, so that the counts sum to n; no value is left out
    counts = np.floor(shares * n + 1e-9).astype(np.int64)
    more = np.argsort(counts - shares * n, kind="stable")[: n - counts.sum()]
    counts[more] += 1
    for k in np.flatnonzero(counts == 0):
        if counts.max() > 1:
            counts[np.argmax(counts)] -= 1
            counts[k] = 1
    return rng.permutation(np.repeat(values, counts))


def _default_level(name: str, frame: _Frame, model: Model) -> str:
    """The highest level of an equation that uses a predictor, else the row."""
    levels = [
        e.level
        for e in model.equations.values()
        if e.level is not None and name in (*e.formula.variables(), e.se, e.trials, e.weights)
    ]
    if levels and frame.cell is not None:  # a unit in each wave
        return (
            frame.cell if model.panel is not None and levels == [model.panel.unit] else frame.rows
        )
    return min(levels, key=lambda u: frame.size[u]) if levels else frame.rows


def _data_frame(table: Mapping[str, Any]) -> Any:
    import pandas as pd

    return pd.DataFrame(dict(table))
