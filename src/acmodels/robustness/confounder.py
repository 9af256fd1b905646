"""A confounder put into a model: as a correlation that is held, or as a cause that is sampled."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from acmodels.engines import choose
from acmodels.errors import InputError, did_you_mean, listing
from acmodels.estimands import Context
from acmodels.inference.effect_rows import EffectRows, effect_rows
from acmodels.inference.fitting import Fit
from acmodels.inference.refitting import Again, again, refit
from acmodels.priors import Prior, Priors
from acmodels.spec.distribution import constant
from acmodels.system import Block, EquationLayout, Layout
from acmodels.system.arrays import Index
from acmodels.system.layout import Confounder, residual_pairs
from acmodels.system.terms import group_terms
from acmodels.system.variances import residual_variance

POINTS = 2048
"""Points of each fit, to begin with."""


@dataclass(frozen=True)
class Held:
    """A fit with the correlation held."""

    rho: float
    rows: EffectRows
    log_marginal: float
    usable: bool


@dataclass(frozen=True)
class Pair:
    """The model in which mediator and outcome correlate.

    Attributes:
        fit: without the correlation.
        layout: with it.
        name: of the correlation.
    """

    fit: Fit
    layout: Layout
    name: str

    def unfit(self) -> str | None:
        """Return why the exact engine cannot take it, or None."""
        found = choose(self.layout, self._priors(0.0))
        return None if found.engine.batches else found.reason

    def _priors(self, rho: float) -> Priors:
        return {**self.fit.priors, self.name: Prior(self.name, constant(rho), "held")}

    def held(self, rho: float) -> Held:
        """Fit with the correlation at a value.

        Only the equations that it links are fitted; the others' posterior is what it was.
        """
        f = self.fit
        ready = again(f, layout=self.layout, priors=self._priors(rho), asked="auto")
        found = refit(ready, use="confounding", points=POINTS, wanted=(self.name,))
        context = Context(
            self.layout, f.system.responses, found.parameter, f.spec.estimands, f.spec.source
        )
        rows = effect_rows(context)
        return Held(rho, rows, found.log_marginal_likelihood, found.usable(rows.rows))


@dataclass(frozen=True)
class Latent:
    """The model with the confounder in it, sampled by NUTS, its loadings held.

    U takes the share |rho| of what is unexplained in each of the two: of a variance that is
    estimated, loading = s sqrt(|rho|); beside one that the link fixes, s sqrt(|rho| / (1 - |rho|)).

    Attributes:
        fit: without it.
        code: its unit on each data row.
        units: how many.
        scales: by response, s and whether it is fixed by the link; the outcome last.
        ready: compiled once.
    """

    fit: Fit
    code: Index
    units: int
    scales: Mapping[str, tuple[float, bool]]
    ready: Again

    def held(self, rho: float) -> Held:
        """Sample with the confounder at a strength, signed by its loading on the outcome."""
        f = self.fit
        layout = replace(
            f.system.layout,
            confounder=Confounder(self.code, self.units, loadings(self.scales, rho)),
        )
        chains = f.draws.values.shape[0]
        found = refit(self.ready.onto(layout), use="confounding", cores=chains)
        context = Context(
            f.system.layout, f.system.responses, found.parameter, f.spec.estimands, f.spec.source
        )
        rows = effect_rows(context)
        return Held(rho, rows, found.log_marginal_likelihood, found.usable(rows.rows))


def loadings(scales: Mapping[str, tuple[float, bool]], rho: float) -> dict[str, float]:
    """Loadings that give the confounder the share |rho| of what is unexplained; see `Latent`."""
    r = abs(rho)
    out = {
        name: s * float(np.sqrt(r / (1 - r) if fixed else r)) for name, (s, fixed) in scales.items()
    }
    outcome = list(scales)[-1]
    out[outcome] *= float(np.sign(rho)) or 1.0
    return out


def sampled_confounder(fit: Fit, mediator: str, outcome: str, unit: str | None) -> Latent:
    """Put the confounder into the model as a cause of its own.

    Raises:
        InputError: an estimand is on the response scale, or nothing is unexplained at that level.
    """
    layout = fit.system.layout
    where = fit.spec.source
    for name, e in fit.spec.estimands.items():
        if getattr(e.settings, "scale", "linear") == "response":
            raise InputError(
                f"{where}: estimands.{name} is on the response scale, where a sampled confounder "
                'would have to be averaged over; look at it with scale = "linear"'
            )
    m, y = layout.equation(mediator), layout.equation(outcome)
    if unit is None:
        if not np.array_equal(m.rows, y.rows):
            raise InputError(
                f"{where}: '{mediator}' and '{outcome}' are not on the same rows; name the "
                f"grouping at which the confounder acts: {mediator_at(m, y)}"
            )
        code, units = np.arange(layout.n_rows, dtype=np.int64), layout.n_rows
        scales = {e.response: _unexplained(fit, e) for e in (m, y)}
    else:
        _by_unit(fit, layout, m, y, unit)  # refuses what has no effects of that unit
        block = block_of(layout, unit)
        code, units = block.code, len(block.levels)
        scales = {}
        for e in (m, y):
            names = [
                t.parameter
                for b, mine in group_terms(layout, e.response)
                if b.group == unit
                for t in mine
                if t.intercept
            ]
            scales[e.response] = (float(fit.draws[names[0]].mean()), False)
    at = replace(layout, confounder=Confounder(code, units, dict.fromkeys(scales, 0.0)))
    return Latent(fit, code, units, scales, again(fit, layout=at))


def block_of(layout: Layout, unit: str) -> Block:
    """Find a block of group effects by a grouping, which has its units and their codes."""
    return next(b for b in layout.blocks if b.group == unit)


def _unexplained(fit: Fit, e: EquationLayout) -> tuple[float, bool]:
    """Residual sd of an equation on its linear predictor's scale, and whether the link fixes it.

    pi / sqrt(3) for a logit and 1 for a probit; for counts the log-scale sd of Nakagawa, Johnson &
    Schielzeth (2017), table 2.
    """
    if e.has_sigma:
        return float(fit.draws[e.sigma].mean()), False
    if e.link != "identity" and not e.distribution.positive:
        found = residual_variance(fit.system.layout, e, fit.system.responses, fit.draws.__getitem__)
        return float(np.sqrt(found.mean())), True
    raise InputError(
        f"{fit.spec.source}: '{e.response}' ({e.family}) has no residual on the scale of its "
        "linear predictor on which a confounder of the rows could act; a confounder of the "
        "units of a grouping is possible"
    )


def check_pair(fit: Fit, mediator: str, outcome: str) -> None:
    """Refuse names that are no mediator and outcome."""
    layout = fit.system.layout
    for name in (mediator, outcome):
        if name not in layout.responses:
            raise InputError(
                f"{fit.spec.source}: no equation '{name}'{did_you_mean(name, layout.responses)} "
                f"(there: {listing(layout.responses)})"
            )
    y = layout.equation(outcome)
    if mediator not in {v for c in y.columns for v in c.variables}:
        raise InputError(
            f"{fit.spec.source}: '{mediator}' does not predict '{outcome}', so it is not a "
            "mediator there"
        )
    if fit.system.joint is not None:
        raise InputError(
            f"{fit.spec.source}: missing values are modeled, beside which no confounder is "
            'sampled; look at the sensitivity with missing = "drop"'
        )


def held_correlation(fit: Fit, mediator: str, outcome: str, unit: str | None) -> Pair:
    """Make the model in which mediator and outcome correlate.

    Raises:
        InputError: they have no such correlation, or the exact engine cannot take the model.
    """
    check_pair(fit, mediator, outcome)
    layout = fit.system.layout
    m, y = layout.equation(mediator), layout.equation(outcome)
    if unit is None:
        changed, name = _by_rows(fit, layout, m, y)
    else:
        changed, name = _by_unit(fit, layout, m, y, unit)
    pair = Pair(fit, changed, name)
    reason = pair.unfit()
    if reason is not None:
        raise InputError(
            f"{fit.spec.source}: the sensitivity to a confounder needs the exact engine, which "
            f"cannot take this model: {reason}"
        )
    return pair


def _by_rows(fit: Fit, layout: Layout, m: EquationLayout, y: EquationLayout) -> tuple[Layout, str]:
    """The layout in which the residuals of two equations correlate."""
    where = fit.spec.source
    for e in (m, y):
        if not e.distribution.normal or not e.has_sigma:
            raise InputError(
                f"{where}: '{e.response}' has no residual sd of its own ({e.family}); a confounder "
                "of the rows is looked at for gaussian equations only; one of a grouping's units "
                f"can be: {mediator_at(m, y)}"
            )
    if not np.array_equal(m.rows, y.rows):
        raise InputError(
            f"{where}: '{m.response}' and '{y.response}' are not on the same rows; name the "
            f"grouping at which the confounder acts: {mediator_at(m, y)}"
        )
    i, j = (layout.responses.index(e.response) for e in (m, y))
    if any({i, j} & set(s) for s in layout.residual):
        raise InputError(
            f"{where}: residual_correlation already frees a correlation of '{m.response}' or "
            f"'{y.response}', so no correlation is held at 0"
        )
    first, second = sorted((i, j))
    changed = replace(layout, residual=(*layout.residual, (first, second)))
    return changed, residual_pairs(changed, len(changed.residual) - 1)[0][2]


def mediator_at(m: EquationLayout, y: EquationLayout) -> str:
    """Return how the option is written for a grouping."""
    return f"{m.response}:{y.response}@GROUPING"


def _by_unit(
    fit: Fit, layout: Layout, m: EquationLayout, y: EquationLayout, unit: str
) -> tuple[Layout, str]:
    """The layout in which intercepts of two equations by one grouping correlate."""
    where = fit.spec.source
    groups = tuple(dict.fromkeys(b.group for b in layout.blocks))
    if unit not in groups:
        raise InputError(
            f"{where}: no grouping '{unit}'{did_you_mean(unit, groups)} "
            f"(there: {listing(groups) if groups else 'none'})"
        )
    mine: list[Block] = []
    for e in (m, y):
        blocks = [
            b
            for b, own in group_terms(layout, e.response)
            if b.group == unit and any(t.intercept for t in own)
        ]
        if not blocks:
            raise InputError(
                f"{where}: equations.{e.response} has no (1 | {unit}), so a confounder of {unit} "
                "would have no effect to act on"
            )
        mine.append(blocks[0])
    if mine[0].key == mine[1].key:
        raise InputError(
            f"{where}: the effects of {unit} on '{m.response}' and '{y.response}' already share a "
            "covariance, which is estimated"
        )
    wide = [b for b in mine if len(b.members) > 1]
    if wide:
        raise InputError(
            f"{where}: the effects of {unit} on '{wide[0].members[0].response}' are correlated "
            f"with slopes; write (... || {unit}), so that the intercept stands alone"
        )
    keys = [b.key for b in layout.blocks]
    first, second = sorted(mine, key=lambda b: keys.index(b.key))
    both = replace(first, members=(*first.members, *second.members))
    blocks = tuple(both if b.key == first.key else b for b in layout.blocks if b.key != second.key)
    return replace(layout, blocks=blocks), both.correlations()[0][2]
