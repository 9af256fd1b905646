"""The likelihoods of the responses, those of one family and link together.

Rows whose response is missing, or that rest on a discrete missing value, come after the others
(`order`). Of discrete missing values the likelihood is summed over what they can be: each row adds
to the `bin` of a value of a component, and the bins of a component are summed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acmodels.engines.nuts.correlations import condition
from acmodels.engines.nuts.numbers import Numbers
from acmodels.engines.nuts.rows import Stack
from acmodels.engines.nuts.scales import Scales
from acmodels.engines.nuts.thresholds import Thresholds
from acmodels.families import Category, family
from acmodels.system import EquationLayout
from acmodels.system.arrays import Array, Index
from acmodels.system.versions import Versions


@dataclass(frozen=True)
class Observed:
    """What a likelihood reads, row by row.

    Attributes:
        y: responses; of an ordered one None.
        trials: where the family has them.
        first, last: whether the category is at an end.
        above, below: where the thresholds about the category stand.
    """

    y: Array | None = None
    trials: Array | None = None
    first: Array | None = None
    last: Array | None = None
    above: Index | None = None
    below: Index | None = None

    def at(self, rows: Any) -> "Observed":
        """Take some rows."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return Observed(**{k: None if v is None else v[rows] for k, v in found.items()})


@dataclass(frozen=True)
class SpecialArrays:
    """Rows whose response is missing, or that rest on a discrete missing value.

    Attributes:
        order: of all rows, these last.
        observed: of these.
        alone: 1 where the likelihood is no part of a sum.
        of_bin: for each bin the rows in it, from 1, and zeros to fill up, (bins, most).
        latent: the continuous missing value that the response is, from 1; 0 for none.
        all_y, all_latent: responses of all rows and the missing values that they are, where
            residuals correlate.
    """

    order: Index
    observed: Observed
    alone: Array
    of_bin: Index | None
    latent: Index | None
    all_y: Array | None
    all_latent: Index | None


@dataclass(frozen=True)
class FamilyArrays:
    """What the likelihood of one family reads.

    Attributes:
        observed: of rows with an observed response; None where there are none.
        special: the other rows, or None.
        se, weights: row by row, or None.
        sigma_of_row: the place of each row's residual sd, from 1; 0 for none.
        first: whether a row is of a first wave, where residuals correlate otherwise, or None.
        number_of_row: by kind, the place of each row's number, where equations differ.
    """

    observed: Observed | None
    special: SpecialArrays | None
    se: Array | None
    weights: Array | None
    sigma_of_row: Index | None
    first: Array | None
    number_of_row: Mapping[str, Index]


@dataclass(frozen=True)
class LikelihoodArrays:
    """By family and link; and zero for the values of components that there are, else very low."""

    families: Mapping[tuple[str, str], FamilyArrays]
    floor: Array | None


@dataclass(frozen=True)
class Likelihood:
    """What likelihoods are made of."""

    stack: Stack
    scales: Scales
    thresholds: Thresholds
    numbers: Numbers

    def places(self, members: Sequence[int]) -> dict[str, list[int]]:
        """By kind, the places of the numbers of some equations of one family."""
        at = {(i, s.kind): place for place, (i, s) in enumerate(self.numbers.of)}
        kinds = self.stack.layout.equations[members[0]].scalars
        return {kind: [at[i, kind] for i in members] for kind in kinds}


# --- arrays ----------------------------------------------------------------------------------


def likelihood_arrays(part: Likelihood, versions: Versions) -> LikelihoodArrays:
    """Read responses and what belongs to them."""
    found = {
        (name, link): _family_arrays(part, members, versions)
        for name, link, members in part.stack.families
    }
    what = part.stack.unknown
    return LikelihoodArrays(found, what.floor if what.components else None)


def _family_arrays(part: Likelihood, members: list[int], versions: Versions) -> FamilyArrays:
    stack = part.stack
    es = [stack.layout.equations[i] for i in members]
    fam = family(es[0].family)
    found = Observed() if fam.ordered else Observed(y=_responses(versions, members))
    if fam.ordered:
        found = _categories(part.thresholds, members, versions)
    if fam.needs_trials:
        found = replace(found, trials=_read(versions, members, "trials", 1.0))
    counts = [stack.count(i) for i in members]
    sigma = None
    first = None
    sigmas, firsts = part.scales.sigmas, part.scales.firsts
    several = len(members) > 1 and any(i in sigmas for i in members)
    if fam.has_sigma and (several or any(i in firsts for i in members)):
        sigma = np.repeat([sigmas.get(i, -1) + 1 for i in members], counts)
    if sigma is not None and any(i in firsts for i in members):
        first = np.concatenate([_first(stack, i) for i in members])
        sigma = np.where(first, np.repeat([firsts.get(i, -1) + 1 for i in members], counts), sigma)
    numbers = part.places(members) if len(members) > 1 else {}
    special = np.concatenate([stack.unknown.rows[i].special for i in members])
    # rows with weights are never special
    return FamilyArrays(
        None if special.all() else found.at(~special) if special.any() else found,
        _special_arrays(part, members, found, special) if special.any() else None,
        _read(versions, members, "se", 0.0) if any(e.se is not None for e in es) else None,
        _read(versions, members, "weights", 1.0)
        if any(e.weights is not None for e in es)
        else None,
        sigma,
        None if first is None or not stack.layout.residual else first.astype(np.float64),
        {kind: np.repeat(places, counts) for kind, places in numbers.items()},
    )


def _first(stack: Stack, i: int) -> NDArray[np.bool_]:
    """Whether each row of the graph that stands for an equation's is of a first wave."""
    found = stack.layout.equations[i].first
    return np.zeros(stack.count(i), dtype=bool) if found is None else found[
        stack.unknown.rows[i].source
    ]  # fmt: skip


def _special_arrays(
    part: Likelihood, members: list[int], found: Observed, special: NDArray[np.bool_]
) -> SpecialArrays:
    stack = part.stack
    rows = [stack.unknown.rows[i] for i in members]
    bins = np.concatenate([r.bin for r in rows])[special]
    latent = np.concatenate([r.latent for r in rows])
    some = bool((latent >= 0).any())
    fam = family(stack.layout.equations[members[0]].family)
    together = some and bool(stack.layout.residual) and fam.normal
    components = stack.unknown.components
    return SpecialArrays(
        np.argsort(special, kind="stable"),
        found.at(special),
        (bins < 0).astype(np.float64),
        _by_bin(bins, len(stack.unknown.floor)) if components else None,
        latent[special] + 1 if some else None,
        found.y if together else None,
        latent + 1 if together else None,
    )


def _by_bin(bins: Index, count: int) -> Index:
    """For each bin the rows in it, counted from 1, and zeros to fill up; (bins, most)."""
    order = np.argsort(bins, kind="stable")
    order = order[bins[order] >= 0]
    sizes = np.bincount(bins[order], minlength=count)
    out = np.zeros((count, max(int(sizes.max(initial=0)), 1)), dtype=np.int64)
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    out[bins[order], place] = order + 1
    return out


def _responses(versions: Versions, members: Sequence[int]) -> Array:
    return np.concatenate([_response(versions, i) for i in members])


def _response(versions: Versions, i: int) -> Array:
    return versions.spread(i, lambda lay, res: res[lay.equations[i].response])


def _read(versions: Versions, members: Sequence[int], what: str, otherwise: float) -> Array:
    """Something of the equations row by row, or a number where an equation lacks it."""

    def of(e: EquationLayout) -> Array:
        found = getattr(e, what)
        return np.full(e.n, otherwise) if found is None else found

    return np.concatenate(
        [versions.spread(i, lambda lay, _, i=i: of(lay.equations[i])) for i in members]
    )


def _categories(part: Thresholds, members: Sequence[int], versions: Versions) -> Observed:
    """For each row, where the thresholds about its category stand, and whether it is at an end."""
    out: list[tuple[Array, ...]] = []
    for i in members:
        e = part.equations[i]
        category = _response(versions, i).astype(np.int64) - e.codes[0]
        here, last = part.cuts.index((i, 0)), len(e.codes) - 1
        out.append(
            (
                (category == 0).astype(np.float64),
                (category == last).astype(np.float64),
                here + np.minimum(category, last - 1),
                here + np.maximum(category - 1, 0),
            )
        )
    first, last, above, below = (np.concatenate(x) for x in zip(*out, strict=True))
    return Observed(None, None, first, last, above, below)


# --- the graph -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameters:
    """What likelihoods take from the graph: each a vector, or None."""

    scales: Any
    thresholds: Any
    numbers: Any
    missing: Any


@dataclass(frozen=True)
class _Rows:
    """Rows of equations of one family, ready for their likelihood."""

    family: Any
    link: str
    eta: Any
    sigma: Any
    own: Mapping[str, Any]
    thresholds: Any

    def at(self, places: Any) -> "_Rows":
        """Take some of them."""

        def take(value: Any) -> Any:
            return value[places] if getattr(value, "ndim", 0) else value

        own = {k: take(v) for k, v in self.own.items()}
        sigma = None if self.sigma is None else take(self.sigma)
        return replace(self, eta=self.eta[places], sigma=sigma, own=own)

    def add(self, pm: Any, name: str, observed: Observed) -> Any:
        """Add their likelihood: what the family returns."""
        y: Any = observed.y
        if self.family.ordered:
            above, below = self.thresholds[observed.above], self.thresholds[observed.below]
            y = Category(observed.first, observed.last, above, below)
        made = self.family(link=self.link, sd=self.sigma, trials=observed.trials, **self.own)
        return made.likelihood(pm, name, y, self.eta)


def add_likelihoods(
    pm: Any, part: Likelihood, data: LikelihoodArrays, eta: Any, found: Parameters
) -> None:
    """Add the likelihoods of all responses to the graph."""
    stack = part.stack
    bins: Any = data.floor
    for name, link, members in stack.families:
        fam, key, d = family(name), f"{name}_{link}", data.families[name, link]
        start = stack.first[members[0]]
        n = sum(stack.count(i) for i in members)
        piece = eta if len(members) == len(stack.order) else eta[start : start + n]
        sigma = None
        if fam.has_sigma:
            sigma = _row_scales(pm, part, members, d, found.scales)
            if stack.layout.residual and fam.normal:
                y = _all_responses(d, found.missing)
                piece, sigma = condition(pm, stack, members, (piece, sigma), y, d.first)
        own = _row_numbers(part, members, d, found.numbers)
        rows = _Rows(fam, link, piece, sigma, own, found.thresholds)
        if d.weights is not None and d.observed is not None:
            log = rows.add(Densities(pm), "", d.observed)
            pm.Potential(f"likelihood_{key}", pm.math.dot(d.weights, log))
            continue
        plain = n
        if d.special is not None:
            rows = rows.at(d.special.order)
            plain -= sum(int(stack.unknown.rows[i].special.sum()) for i in members)
        if d.observed is not None:
            mine = rows if d.special is None else rows.at(slice(0, plain))
            mine.add(pm, f"likelihood_{key}", d.observed)
        if d.special is not None:
            bins = _special(pm, key, rows.at(slice(plain, n)), d.special, found.missing, bins)
    if bins is not None:
        table = bins.reshape((len(stack.unknown.components), stack.unknown.width))
        pm.Potential("missing_sums", pm.math.logsumexp(table, axis=1).sum())


def _special(pm: Any, key: str, rows: _Rows, data: SpecialArrays, missing: Any, bins: Any) -> Any:
    """Add rows whose response is missing, and gather those that are summed over."""
    observed = data.observed
    if data.latent is not None:
        observed = replace(observed, y=observed.y + missing[data.latent])
    log = rows.add(Densities(pm), "", observed)
    pm.Potential(f"missing_{key}", pm.math.dot(data.alone, log))
    if data.of_bin is None:
        return bins
    padded = pm.math.concatenate([np.zeros(1), log])
    return bins + padded[data.of_bin].sum(axis=1)


def _all_responses(data: FamilyArrays, missing: Any) -> Any:
    """Responses of all rows of a family, the missing ones as the quantities that they are."""
    s = data.special
    if s is None or s.all_y is None:
        return None if data.observed is None else data.observed.y
    return s.all_y + missing[s.all_latent]


def _row_numbers(
    part: Likelihood, members: Sequence[int], data: FamilyArrays, numbers: Any
) -> dict[str, Any]:
    """The family's numbers by kind, for every row; for one equation, one for all."""
    if len(members) > 1:
        return {kind: numbers[rows] for kind, rows in data.number_of_row.items()}
    return {kind: numbers[places[0]] for kind, places in part.places(members).items()}


def _row_scales(
    pm: Any, part: Likelihood, members: Sequence[int], data: FamilyArrays, scales: Any
) -> Any:
    """Residual sd of every row: its equation's, or the known standard error."""
    if not any(i in part.scales.sigmas for i in members):
        return data.se
    if data.sigma_of_row is None:
        return scales[part.scales.sigmas[members[0]]]
    padded = pm.math.concatenate([np.zeros(1), scales])
    sigma = padded[data.sigma_of_row]
    return sigma if data.se is None else sigma + data.se


class Densities:
    """Stands in for PyMC where a family adds its likelihood: gives each row's log density."""

    def __init__(self, pm: Any) -> None:
        self._pm = pm

    @staticmethod
    def _potential(name: str, expression: Any) -> Any:
        del name
        return expression

    def __getattr__(self, name: str) -> Any:
        if name == "Potential":
            return self._potential
        found = getattr(self._pm, name)
        if isinstance(found, type) and hasattr(found, "dist"):
            return _Density(self._pm, found)
        return found


@dataclass(frozen=True)
class _Density:
    pm: Any
    distribution: Any

    def __call__(self, name: str, *args: Any, observed: Any, **kwargs: Any) -> Any:
        del name
        return self.pm.logp(self.distribution.dist(*args, **kwargs), observed)

    def dist(self, *args: Any, **kwargs: Any) -> Any:
        """The distribution, for a family's own use."""
        return self.distribution.dist(*args, **kwargs)
