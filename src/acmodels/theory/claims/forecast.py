"""Units that start higher in one construct have more of another later, and new units too.

What a construct predicts, and not what it moves: nothing that goes with it is held fixed, but with
whom units work (`PER`). The predictor is each unit's mean at the first wave, the outcome is that of
later waves, and units and the larger units that they lie in have intercepts of their own.

The slope must have its direction with the probability that is asked for; it must have it without
any one district too (where units lie in none, without any one unit); and districts that are left
out must be predicted better by the others with the predictor than without, by more than one
standard error. The rule was chosen by studies of 24 districts with 2 departments in 3 waves, by
the generator of `tests/test_claims_forecast.py`, 40 of each kind. Supported of 40 by the slope
alone; by the slope and predictions that are better by 0, 1 and 2 standard errors; by the slope
without any one district; and by the rule:

    world                                       slope   > 0  > 1 se  > 2 se   without one    rule
    nothing predicts                                1     1       0       0             0       0
    capacity of the same wave                       0     0       0       0             0       0
    10 rows of each department in a wave            1     1       0       0             0       0
    partners choose, with districts of their own    0     0       0       0             0       0
    partners choose, across departments             1     1       0       0             1       0
    one district is off by 3 sd in both            16    16       4       0             0       0
    one district is off by 6 sd in both            32    30      11       0             0       0
    one district is off by 12 sd in both           40    40      31       0             0       0
    two districts are off by 3 sd in both          23    23       8       1             7       6
    two districts are off by 6 sd in both          37    37      27       4            31      27
    slope 0.3                                      27    27      23       5            23      21
    slope 0.4                                      36    36      28      14            29      27

Predictions alone do not protect against one district that is far off: while it is there, the slope
explains it and makes the sd of districts smaller, so that all others are predicted better. Two
standard errors protect, and cost most of the power. Nothing here protects against two districts
that are off in the same direction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial as bound
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from acmodels.data import label_codes
from acmodels.errors import listing
from acmodels.numbers import decimal
from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.theory.claims import LEFT_OUT, Common, Compiled, LeftOut, NotTestable, Roles, Terms
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import panel as waves
from acmodels.theory.compiling import setting as settings
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Array, Kind, Setting
from acmodels.theory.left_out import summed
from acmodels.theory.ruling import Answers, Part, Ruling, asked, of_effect

NEED = waves.Need(
    2, "what {}s have at the first wave and what they have later",
    "with fewer than 2 there is nothing later", even=False, crossed=True,
)  # fmt: skip

ERRORS = 1.0
"""Standard errors by which units left out must be predicted better."""

FOLDS = 60
"""Units up to which each is left out alone; of more, several are left out together."""

PER = 2.0
"""Units that one of another kind has on average, from which its mean of the predictor is held
fixed: with fewer, little of the predictor would be left."""

ALL, WAVE = 2.5, 1.0
"""Prior sds of the intercept and of differences between waves, in sds of the outcome: stated, since
a default would change with the rows that are left out."""


class Keys(Common):
    """The keys of a forecast."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    sign: Literal["+", "-"]


def roles(keys: Keys) -> Roles:
    """Return the constructs; a prediction takes no path of arrows."""
    return Roles((keys.from_,), (keys.to,))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    more = "more" if keys.sign == "+" else "less"
    return (
        f"units that have more {name(keys.from_)} at the first wave have {more} {name(keys.to)} "
        "later, and units left out are predicted better by it"
    )


@dataclass(frozen=True)
class _Rows:
    """The rows after the first wave.

    Attributes:
        setting: with the columns of the predictor and the outcome.
        first, later: these columns.
        shared: by kind of unit that units share and do not lie in, the column of its mean.
        notes: what was done to the rows.
    """

    setting: Setting
    first: str
    later: str
    shared: dict[str, str]
    notes: tuple[str, ...]


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile two models of the outcome after the first wave: with the predictor, and without."""
    p = waves.panel(s, [keys.from_], [keys.to], keys.level, NEED)
    made = _rows(p, keys)
    s, names = made.setting, p.setting.framework.constructs
    if eq.family(s, made.later)[0] != "gaussian":
        raise NotTestable(
            f"'{made.later}' has a few categories, and units left out are predicted by exact "
            "marginal likelihoods, which take a number"
        )
    y = s.values(made.later)
    r = eq.Response(keys.to, made.later, (), s.spread(y), "gaussian", None, None, (keys.to,))
    x = quoted(made.first)
    spread = s.spread(s.values(made.first))
    piece = eq.Piece(
        (x,), {x: 0.5}, {x: spread}, x,
        f"{names[keys.from_].name} of the {p.level.name} at the first wave, in sds of "
        f"{p.level.name}s{_of(p.setting, keys.from_)}", (),
        (s.values(made.first),),
    )  # fmt: skip
    pieces = _pieces(s, made.shared, piece)
    intercept = named.intercept(quoted(r.name))
    mean = eq.rounded(round(s.mean(y) / r.sd, 6) * r.sd)
    priors = {intercept: {"dist": "Normal", "mu": mean, "sigma": _sd(r, ALL)}}
    if s.wave is not None:
        differs = named.coefficient(quoted(r.name), f"factor({quoted(s.wave)})[*]")
        priors[differs] = {"dist": "Normal", "mu": 0.0, "sigma": _sd(r, WAVE)}
    said = words(keys, lambda c: names[c].name)
    bare = f"{name}_without"
    models = (
        ModelFile(name, said, (eq.drafted(s, r, [piece, *pieces]),),
                  {"effect": steps.standard("direct", x, r.name)}, priors),
        ModelFile(bare, "the same without the first wave", (eq.drafted(s, r, pieces),), {}, priors),
    )  # fmt: skip
    units = _units(s, p.level)
    return Compiled(
        models,
        bound(rule, keys=keys, units=units),
        said,
        p.level.name,
        notes=(
            *p.notes,
            *made.notes,
            *_outcome(p.setting, keys.to, made.later),
            _no_effect(names[keys.from_].name, names[keys.to].name),
            *steps.partial(p.setting, keys.from_),
            *steps.partial(p.setting, keys.to),
        ),
        rule_words=(
            asked(keys.sign, "slope on the first wave"),
            f"P(the same without any one {units.name}) reaches the threshold too",
            f"{units.name}s left out are predicted better, by more than the standard error",
        ),
        rows=s,
        at_prior=bound(rule, keys=keys, units=units, data=False),
        left_out=LeftOut((name, bare), units.folds),
    )


def _no_effect(x: str, y: str) -> str:
    return (
        f"this is prediction and no effect: what goes with {x} at the first wave is not held "
        f"fixed, and neither is {y} at that wave"
    )


def _of(s: Setting, construct: str) -> str:
    parts = [s.columns[c] for c in eq.available(s, construct)]
    return f": the mean of the z-scores of {listing(parts, 8)}" if len(parts) > 1 else ""


def _outcome(s: Setting, construct: str, column: str) -> list[str]:
    said = _of(s, construct)
    return [f"{column}, after the first wave{said}"] if said else []


def _sd(r: eq.Response, sds: float) -> float:
    return eq.rounded(sds * r.sd)


def _rows(p: waves.Panel, keys: Keys) -> _Rows:
    """Put the unit's value at the first wave beside what it has in later ones.

    Composites are made once, of all units: rows left out must not change them.
    """
    s, unit = p.setting, p.unit
    begins = p.number == 0
    columns = [s.columns[c] for c in eq.available(s, keys.from_)]
    own = [*columns, *(s.columns[c] for c in eq.available(s, keys.to))]
    ids = [*(k.column for k in s.kinds), p.wave]
    frame = s.study.frame[ids].assign(**{c: s.values(c) for c in own})
    if not np.isfinite(frame.loc[begins, columns].to_numpy(dtype=float)).any():
        raise NotTestable(f"no {unit.name} has a value of {keys.from_} at the first wave")
    start = frame.loc[begins].groupby(unit.column, sort=False)[columns].mean().reset_index()
    there = settings.setting(s.framework, replace(s.study, frame=start, parts=(), tables={}))
    x = _made(there, keys.from_)
    x = (x - np.nanmean(x)) / np.nanstd(x, ddof=1)  # the prior of the intercept is at its mean
    by_unit = dict(zip(start[unit.column], x, strict=True))
    first = s.free_name(f"{keys.from_}_first")
    frame = frame.assign(**{first: [by_unit.get(u, np.nan) for u in frame[unit.column]]})
    later = replace(s.study, frame=frame.loc[~begins], parts=(), tables={}, labels=None)
    of = settings.setting(s.framework, later)
    y = _made(of, keys.to)
    column = of.columns[keys.to] if keys.to in of.columns else of.free_name(keys.to)
    known = np.isfinite(of.values(first))
    seen = known & np.isfinite(y)
    rows = later.frame[[*ids, first]].assign(**{column: y}).loc[seen]
    lost = len(np.unique(unit.codes[~begins][~known]))
    notes = [f"{lost} {unit.name}s without a first wave are left out"] if lost else []
    if (~np.isfinite(y)).any():
        notes.append(f"{int((~np.isfinite(y)).sum())} rows without {keys.to} are left out")
    units = rows[unit.column].nunique()
    if units < steps.LEAST_UNITS:
        raise NotTestable(
            f"{units} {unit.name}s have {keys.from_} at the first wave and {keys.to} later; a "
            f"verdict needs at least {steps.LEAST_UNITS}"
        )
    rows = rows.reset_index(drop=True)
    made = settings.setting(s.framework, replace(later, frame=rows))
    means = _means(made, p.level.name, first)
    called = {k.name: s.free_name(f"{first}_of_{k.name}") for k, _ in means}
    rows = rows.assign(**{called[k.name]: mean for k, mean in means})
    made = settings.setting(s.framework, replace(later, frame=rows))
    if means:
        kinds = " and ".join(called)
        notes.append(
            f"held fixed: the mean of {keys.from_} over the {unit.name}s of each {kinds}, so that "
            f"{unit.name}s with the same {kinds} are compared"
        )
    made = replace(made, schematic=s.schematic, randomized=s.randomized)
    return _Rows(made, first, column, called, tuple(notes))


def _made(s: Setting, construct: str) -> Array:
    """Return a construct's values: its column, or the composite of the parts that vary."""
    parts = steps.require(s, construct, "construct")
    columns = tuple(s.columns[c] for c in parts)
    if len(columns) == 1:
        return s.values(columns[0])
    return s.values(eq.of_columns(s, construct, columns, parts).name)


def _means(s: Setting, level: str, first: str) -> list[tuple[Kind, Array]]:
    """Return kinds that units share and do not lie in as a place, with means of the predictor.

    A mean is that of the units that one of them has, each counted once, (rows,).
    """
    own = s.unit(level)
    x = s.values(first)
    out: list[tuple[Kind, Array]] = []
    for k in s.kinds:
        if own is None or k is own or k.inside(own) or k.name in s.framework.above[level]:
            continue
        pairs, at = np.unique(np.stack([k.codes, own.codes]), axis=1, return_index=True)
        if pairs.shape[1] < PER * k.size:
            continue
        count = np.bincount(pairs[0], minlength=k.size)
        out.append((k, (np.bincount(pairs[0], x[at], k.size) / np.maximum(count, 1))[k.codes]))
    return out


def _pieces(s: Setting, shared: Mapping[str, str], piece: eq.Piece) -> list[eq.Piece]:
    """Write the means of kinds that units share, as far as they do not follow from the rest."""
    span = steps.Span(s, None)
    span.add(piece)
    out: list[eq.Piece] = []
    for name, column in shared.items():
        text, x = quoted(column), s.values(column)
        why = f"its mean over all units with the same {name}, so that these are compared"
        one = eq.Piece((text,), {text: 1.0}, {text: s.spread(x)}, text, why, (), (x,))
        if span.add(one):
            out.append(one)
    return out


@dataclass(frozen=True)
class _Units:
    """What is left out.

    Attributes:
        name: the kind of unit.
        folds: of each row, (rows,).
        labels: of each fold, whom it holds.
    """

    name: str
    folds: NDArray[np.int64]
    labels: tuple[str, ...]


def _units(s: Setting, level: steps.Level) -> _Units:
    """Choose what is left out: the highest kind that the units lie in, or else the units."""
    own = s.unit(level.name)
    outer = [k for k in s.kinds if k.name in s.framework.above[level.name]]
    outer = [k for k in outer if k.size >= steps.LEAST_UNITS]
    chosen = min(outer, key=lambda k: k.size, default=own)
    if chosen is None:  # one unit: the panel has refused it
        raise NotTestable(f"the data have one {level.name}")
    codes, called = label_codes(s.study, chosen.column)
    many = min(len(called), FOLDS)
    order = np.random.default_rng(0).permutation(len(called))  # or neighbors would go together
    of = order % many
    labels = [listing([str(called[k]) for k in np.flatnonzero(of == f)], 4) for f in range(many)]
    return _Units(chosen.name, of[codes], tuple(labels))


def rule(answers: Answers, terms: Terms, *, keys: Keys, units: _Units, data: bool = True) -> Ruling:
    """Rule on the slope and on units left out; before the data, on the slope alone."""
    p, up = terms.probability, keys.sign == "+"
    draws = next(x for k, x in answers.items() if k == "effect" or k.startswith("effect["))
    main = Part("slope on the first wave", keys.from_, keys.to, draws, keys.sign, terms.smallest, p)
    found = of_effect(draws, keys.sign, terms.smallest, p, main, [main])
    if not data:
        return found
    gain, error, count = summed(answers.get(LEFT_OUT, np.empty(0)))
    if count < len(units.labels):
        return replace(found, barred=f"how well {units.name}s left out are predicted is not known")
    without = np.mean((answers[f"{LEFT_OUT}/effect"] > 0) == up, axis=1)
    weakest = int(np.argmin(without))
    higher = "higher" if gain > 0 else "lower"
    said = (
        f"Left out in turn and predicted from the others, {count} {units.name}s have a log density "
        f"that is {decimal(abs(gain), 1)} {higher} with the first wave than without it (standard "
        f"error {decimal(error, 1)}). Without {units.labels[weakest]} the slope has its direction "
        f"with probability {decimal(without[weakest], 3)}; without any other {units.name} this "
        "probability is no lower."
    )
    barred = ""
    if gain <= ERRORS * error:
        barred = (
            f"{units.name}s left out are not predicted better by more than the standard error "
            f"(log density {decimal(abs(gain), 1)} {higher}, standard error {decimal(error, 1)})"
        )
    elif without[weakest] < p:
        barred = (
            f"it is {decimal(without[weakest], 3)} without the {units.name} "
            f"{units.labels[weakest]}, so that one {units.name} decides"
        )
    contrary = found.reversed_
    if gain <= ERRORS * error or without.max() > 1 - p:
        contrary = min(contrary, p - 1e-9)  # what cannot support cannot contradict either
    return replace(found, barred=barred, reversed_=contrary, said=(said,))
