"""Bayes factors between two models of the same responses."""

from dataclasses import dataclass, replace

import numpy as np

from acmodels.display import facts
from acmodels.engines import Sampling, with_marginal_likelihood
from acmodels.errors import InputError, listing
from acmodels.inference.fitting import Fit
from acmodels.inference.refitting import again
from acmodels.numbers import decimal, stated
from acmodels.posterior import Array
from acmodels.priors import Prior, Priors
from acmodels.rng import child_seed
from acmodels.spec.distribution import stretched
from acmodels.system import parameters
from acmodels.system.missing import observed

CHAINS = 4
"""Chains of a refit at half or double a prior's sd, by an engine that runs chains."""


@dataclass(frozen=True)
class BayesFactor:
    """How much better one model predicted the data than another, on the log scale.

    A Bayes factor depends on the width of the priors of what the models do not share, so it is
    given at half and double their standard deviation too (Kass & Raftery, 1995, section 5).

    Attributes:
        models: names; the factor is the first's marginal likelihood over the second's.
        log: natural logarithm of the factor.
        mcse: its Monte Carlo standard error.
        differ: the coefficients that the models do not share, or with other priors.
        log_half, log_double: with half and double the prior sd of `differ`.
    """

    models: tuple[str, str]
    log: float
    mcse: float
    differ: tuple[str, ...]
    log_half: float
    log_double: float

    @property
    def factor(self) -> float:
        """The Bayes factor itself."""
        return float(np.exp(self.log))

    def _repr_html_(self) -> str:
        return facts(
            f"{self.models[0]} against {self.models[1]}",
            {
                "Log Bayes factor": (
                    f"{decimal(self.log, 2)} (Monte Carlo error {decimal(self.mcse, 2)})"
                ),
                "At half the prior sd": decimal(self.log_half, 2),
                "At double the prior sd": decimal(self.log_double, 2),
                "They differ in": self.differ or "nothing",
            },
        )


def bayes_factor(first: Fit, second: Fit) -> BayesFactor:
    """Compare two fits of the same responses by their marginal likelihoods.

    The exact engine (`collapsed`) knows the marginal likelihood of a gaussian model. The compiled
    sampler (`hmc`) works out that of any model it fits by bridge sampling, the first time it is
    asked for, which takes about as long as the fit.

    Args:
        first: from `fit`, by an engine that gives the marginal likelihood.
        second: likewise.

    Raises:
        InputError: the fits are of different data or by an engine that gives no marginal
            likelihood; a parameter that the models do not share has a default prior; or a marginal
            likelihood cannot be trusted, and why.

    Examples:
        >>> import acmodels as ac
        >>> design = ac.load_design("interaction_conditions")
        >>> data = ac.simulate(design, seed=1).study
        >>> fit = ac.fit(design.model, data)
        >>> ac.bayes_factor(fit, fit).log
        0.0
    """
    for f in (first, second):
        if not f.draws.marginal_likelihoods:
            engines = listing([f'engine="{n}"' for n in with_marginal_likelihood()])
            raise InputError(
                f"{f.spec.source} was fitted by {f.draws.engine}, which does not give the marginal "
                f"likelihood; fit both models with one of {engines}"
            )
    _same_data(first, second)
    own, other = _differing(first, second), _differing(second, first)
    defaults = [
        f"{f.spec.source}: {n}"
        for f, names in ((first, own), (second, other))
        for n in names
        if f.priors[n].stated is None
    ]
    if defaults:
        raise InputError(
            "a Bayes factor depends on the priors of the parameters that the models do not "
            "share; state those of "
            f"{listing(defaults)} under [priors]"
        )
    changed = [
        [n for n in names if _is_coefficient(f, n)] for f, names in ((first, own), (second, other))
    ]
    log, mcse = _log_ratio(first, second, changed, 1.0)
    return BayesFactor(
        models=(first.spec.name, second.spec.name),
        log=log,
        mcse=mcse,
        differ=tuple(dict.fromkeys(n for names in changed for n in names)),
        log_half=_log_ratio(first, second, changed, 0.5)[0],
        log_double=_log_ratio(first, second, changed, 2.0)[0],
    )


def _same_data(first: Fit, second: Fit) -> None:
    one, two = _values(first), _values(second)
    own, other = set(first.system.responses), set(second.system.responses)
    if own != other:
        raise InputError(
            f"the models explain different responses ({listing(sorted(own))}; "
            f"{listing(sorted(other))}), so their marginal likelihoods cannot be compared"
        )
    alone = sorted(set(one) ^ set(two))
    if alone:
        raise InputError(
            f"one of the models has missing values of {listing(alone)} modeled and the other has "
            "not, so their marginal likelihoods are of different data; fit both to complete rows"
        )
    unlike = [r for r in one if not np.array_equal(one[r], two[r])]
    if unlike:
        raise InputError(
            f"the fits hold different values of {listing(unlike)}; fit both models to the same rows"
        )


def _values(f: Fit) -> dict[str, Array]:
    """Observed values of all responses and of predictors that are modeled, in order."""
    joint = f.system.sampled
    return {
        e.response: np.sort(joint.responses[e.response][observed(joint.layout, e)])
        for e in joint.layout.equations
        if not e.construct
    }


def _differing(f: Fit, other: Fit) -> list[str]:
    """Coefficients and sds of one model that the other lacks or gives another prior."""
    return [
        n
        for n, p in f.priors.items()
        if p.distribution.name not in ("LKJ", "Constant")
        and (n not in other.priors or other.priors[n].distribution != p.distribution)
    ]


def _is_coefficient(f: Fit, name: str) -> bool:
    return any(p.name == name and p.kind == "coefficient" for p in parameters(f.system.layout))


def _log_ratio(
    first: Fit, second: Fit, changed: list[list[str]], factor: float
) -> tuple[float, float]:
    """Log Bayes factor with the prior sds of some coefficients multiplied, and its error."""
    total, variance = 0.0, 0.0
    for f, names, sign in ((first, changed[0], 1.0), (second, changed[1], -1.0)):
        posterior = f.draws
        if factor != 1.0 and names:
            ready = again(f, priors=_widened(f.priors, names, factor))
            seed = child_seed(f.seed, "bayes factor")
            few = Sampling(draws=100, chains=1 if ready.choice.engine.exact else CHAINS)
            posterior = ready.prepared.sample(f.system.sampled.responses, seed, few)
        for p in posterior.marginal_likelihoods:
            if p.log is None:
                at = "" if factor == 1.0 else f" at {stated(factor)} times the prior sd"
                raise InputError(f"{f.spec.source} has no marginal likelihood{at}: {p.reason}")
            total += sign * p.log
            variance += p.mcse**2
    return total, float(np.sqrt(variance))


def _widened(priors: Priors, names: list[str], factor: float) -> Priors:
    out: dict[str, Prior] = dict(priors)
    for n in names:
        wider = stretched(priors[n].distribution, factor)
        if wider is not None:
            out[n] = replace(priors[n], distribution=wider)
    return out
