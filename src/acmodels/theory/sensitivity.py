"""What a verdict hangs on: the prior's own probability of the claim, other priors, other limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from acmodels.errors import AcmodelsError
from acmodels.estimands import Context, Paths, evaluate, steps
from acmodels.inference.fitting import Fit
from acmodels.inference.prior_sensitivity import log_prior
from acmodels.priors import Prior, Priors
from acmodels.replication.truths import truths
from acmodels.rng import stream
from acmodels.theory.claims import Compiled, Terms
from acmodels.theory.ruling import Answers, Array, Ruling, decide, jointly

PRIOR_DRAWS = 400
"""Draws of the prior: a probability is then known within 0.05 (2 Monte Carlo errors)."""

EVIDENCE = "/evidence"
"""The end of the name under which a rule finds a log marginal likelihood."""

HIGHEST_K = 0.7
"""The Pareto k up to which weights of other priors are trusted (Vehtari et al., 2024)."""


@dataclass(frozen=True)
class Sensitivity:
    """What a verdict hangs on.

    Attributes:
        p_prior: the prior's probability that the claim holds; None where it was not computed.
        priors: the status at half and at double the prior sds; None where it is not known.
        limits: the status at half and at double the smallest effect.
    """

    p_prior: float | None
    priors: tuple[str | None, str | None]
    limits: tuple[str, str]

    @property
    def moves(self) -> bool | None:
        """Whether the verdict is another at half or double the prior sds; None if not known."""
        if None in self.priors:
            return None
        return self.priors[0] != self.priors[1]


def answers_of(fit: Fit, called: Mapping[str, str]) -> dict[str, Array]:
    """Return the draws of a fit's estimands, by the names that a claim has for them.

    `NAME/evidence` is the log marginal likelihood of the model that estimand NAME is of, (1,),
    where the engine knows it from the fit.
    """
    out: dict[str, Array] = {}
    back = _back(called)
    for row in fit.effects.rows:
        for own in back.get(row.name, ()):
            out |= _named(own, row.at, row.draws, row.steps)
            if fit.draws.parts and fit.log_marginal_likelihood is not None:
                out[f"{own}{EVIDENCE}"] = np.array([fit.log_marginal_likelihood])
    return out


def _back(called: Mapping[str, str]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for own, here in called.items():
        out.setdefault(here, []).append(own)
    return out


def _named(own: str, at: str, draws: Array, paths: Paths) -> dict[str, Array]:
    """Draws of a row by the claim's name for it, and of the steps of an effect of one path."""
    out = {f"{own}[{at}]" if at else own: np.asarray(draws).reshape(-1)}
    if len(paths) == 1:
        for k, step in enumerate(paths[0], 1):
            out[f"{own}/{k}"] = np.asarray(step.draws).reshape(-1)
    return out


def prior_answers(fit: Fit, called: Mapping[str, str], seed: int) -> dict[str, Array]:
    """Return draws of the same estimands under the prior."""
    rngs = [stream(seed, "prior", k) for k in range(PRIOR_DRAWS)]
    layout = fit.system.sampled.layout
    items = [e.response for e in layout.equations if e.measured]
    drawn = truths(layout, fit.priors, rngs, settled=items)
    context = Context(
        fit.system.layout, fit.system.responses, lambda name: drawn[name][None, :],
        fit.spec.estimands, fit.spec.source,
    )  # fmt: skip
    out: dict[str, Array] = {}
    for name, owns in _back(called).items():
        for row, paths in zip(evaluate(name, context), steps(name, context), strict=True):
            for own in owns:
                out |= _named(own, row.at, row.draws, paths)
    return out


def weights_at(fit: Fit, factor: float) -> tuple[Array, float] | None:
    """Return weights of the draws under priors whose sds are `factor` times as large.

    Importance weights, smoothed by PSIS (Vehtari, Simpson, Gelman, Yao & Gabry, 2024, *JMLR* 25).

    Returns:
        Shape (S,), adding up to 1, and by how much the log marginal likelihood is larger under
        those priors (the log of the mean ratio); None where their tail is too long to be trusted.
    """
    from arviz_stats.base.array import array_stats

    other = {k: _wider(p, factor) for k, p in fit.priors.items()}
    changed = replace_priors(fit.priors, other)
    ratio = log_prior(fit.system, changed, fit.draws) - log_prior(fit.system, fit.priors, fit.draws)
    log, k = array_stats.psislw(-ratio.reshape(-1), axis=-1)
    if float(np.max(k)) > HIGHEST_K:
        return None
    w = np.exp(np.asarray(log).reshape(-1) - np.max(log))
    top = float(ratio.max())
    return w / w.sum(), top + float(np.log(np.mean(np.exp(ratio - top))))


def replace_priors(_old: Priors, new: Mapping[str, Prior]) -> Priors:
    """Return priors by name."""
    return dict(new)


def _wider(p: Prior, factor: float) -> Prior:
    given = p.distribution.parameters
    if "sigma" not in given or p.held is not None:
        return p
    wider = dict(given) | {"sigma": given["sigma"] * factor}
    return replace(p, distribution=replace(p.distribution, parameters=wider))


def resampled(answers: Mapping[str, Array], weights: Array) -> dict[str, Array]:
    """Draw as many draws again, by their weights (systematic resampling)."""
    size = len(weights)
    places = (np.arange(size) + 0.5) / size
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), places), size - 1)
    return {k: v[chosen] if len(v) == size else v for k, v in answers.items()}


def sensitivity(
    compiled: Sequence[Compiled],
    used: Sequence[Sequence[tuple[Fit, Mapping[str, str]]]],
    terms: Terms,
    seed: int,
    beside: Sequence[Answers],
) -> Sensitivity:
    """Judge a proposition again: under the prior alone, other priors and other limits.

    Args:
        compiled: its claims.
        used: by claim, the fits of its models, with what they call the claim's estimands.
        terms: on which it is judged.
        seed: of the prior's draws.
        beside: by claim, what its rule finds besides draws; it stays that of the stated priors.
    """
    plain = [
        {**also, **{k: v for f, called in fits for k, v in answers_of(f, called).items()}}
        for fits, also in zip(used, beside, strict=True)
    ]

    def status(answers: Sequence[Mapping[str, Array]], on: Terms) -> str:
        return decide(_joined(compiled, answers, on))[0]

    limits = tuple(status(plain, replace(terms, smallest=terms.smallest * f)) for f in (0.5, 2.0))
    priors: list[str | None] = []
    for factor in (0.5, 2.0):
        found: list[Mapping[str, Array]] | None = []
        for fits, also in zip(used, beside, strict=True):
            mine = dict(also)
            for f, called in fits:
                found_weights = weights_at(f, factor)
                if found_weights is None:
                    found = None
                    break
                w, more = found_weights
                again = resampled(answers_of(f, called), w)
                mine |= {k: v + more if k.endswith(EVIDENCE) else v for k, v in again.items()}
            if found is None:
                break
            found.append(mine)
        priors.append(None if found is None else status(found, terms))
    return Sensitivity(
        _p_prior(compiled, used, terms, seed), (priors[0], priors[1]), (limits[0], limits[1])
    )


def _p_prior(
    compiled: Sequence[Compiled],
    used: Sequence[Sequence[tuple[Fit, Mapping[str, str]]]],
    terms: Terms,
    seed: int,
) -> float | None:
    try:
        answers = [
            {k: v for f, called in fits for k, v in prior_answers(f, called, seed).items()}
            for fits in used
        ]
    except AcmodelsError:
        return None
    rules = [c.at_prior or c.rule for c in compiled]
    found = [r(a, terms) for r, a in zip(rules, answers, strict=True)]
    return jointly(found, terms.probability).holds


def _joined(
    compiled: Sequence[Compiled], answers: Sequence[Mapping[str, Array]], terms: Terms
) -> Ruling:
    rulings = [c.rule(a, terms) for c, a in zip(compiled, answers, strict=True)]
    return jointly(rulings, terms.probability)
