"""What statsmodels has beside an equation: one function a family, arrays in, estimates out.

Design matrices are the package's own; no formula reaches statsmodels. To give a family a
counterpart, write a function of an `Alone` and enter it in `COUNTERPARTS`.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from acmodels.effects.maximum_likelihood.alone import (
    NOT_CONVERGED,
    Alone,
    Found,
    NoCounterpartError,
)
from acmodels.effects.maximum_likelihood.mixed import mixed
from acmodels.spec import parameters as named


def estimate(family: str, alone: Alone) -> Found:
    """Fit an equation by maximum likelihood, quietly.

    Args:
        family: the equation's family.
        alone: the equation.

    Raises:
        NoCounterpartError: statsmodels has nothing beside it, or failed.
    """
    if family not in COUNTERPARTS:
        raise NoCounterpartError(f"statsmodels has none for the family {family}")
    if alone.varying and family != "gaussian":
        raise NoCounterpartError(
            f"statsmodels has no maximum likelihood for group effects in the family {family}"
        )
    if alone.weights is not None and (alone.varying or family != "gaussian"):
        raise NoCounterpartError("statsmodels has none for a weighted likelihood of this kind")
    if not alone.names:
        raise NoCounterpartError("the equation has no coefficients")
    from threadpoolctl import threadpool_limits

    # MixedLM works on small dense matrices, where threads cost ten times what they save
    with (
        warnings.catch_warnings(record=True) as heard,
        np.errstate(all="ignore"),
        threadpool_limits(1),
    ):
        warnings.simplefilter("always")
        try:
            found = COUNTERPARTS[family](alone)
        except (
            np.linalg.LinAlgError,
            ValueError,
            ArithmeticError,
            IndexError,
            RuntimeError,
        ) as error:
            raise NoCounterpartError(f"statsmodels failed ({type(error).__name__})") from None
    if any(w.category.__name__ == "PerfectSeparationWarning" for w in heard):
        found.words.append(SEPARATED)
    found.words = list(dict.fromkeys(found.words))
    return found


SEPARATED = "some fitted probabilities are 0 or 1 (separation): the ML estimate is not finite"


def _gaussian(a: Alone) -> Found:
    if a.varying:
        if a.se is not None:
            raise NoCounterpartError("MixedLM of statsmodels takes no known standard errors")
        return mixed(a)
    from statsmodels.regression.linear_model import OLS, WLS

    y = a.y - a.offset
    if a.weights is not None:
        result = WLS(y, a.X, weights=cast(Any, a.weights)).fit()
        found = _found("weighted least squares", a, result.params, result.cov_params())
        sigma = float(np.sqrt(result.scale))
        found.values[named.sigma(a.response)] = (sigma, sigma / float(np.sqrt(2 * result.df_resid)))
        return found
    if a.se is not None:
        result = WLS(y, a.X, weights=cast(Any, 1 / a.se**2)).fit(cov_type="fixed scale")
        return _found("weighted least squares", a, result.params, result.cov_params())
    result = OLS(y, a.X).fit()
    found = _found("least squares", a, result.params, result.cov_params())
    sigma = float(np.sqrt(result.scale))
    if result.df_resid < 1 or not sigma > 0:
        raise NoCounterpartError("no residual degree of freedom is left")
    found.values[named.sigma(a.response)] = (sigma, sigma / float(np.sqrt(2 * result.df_resid)))
    return found


def _binomial(a: Alone) -> Found:
    from statsmodels.genmod.families import Binomial, links
    from statsmodels.genmod.generalized_linear_model import GLM

    link = links.Logit() if a.link == "logit" else links.Probit()
    y = a.y if a.trials is None else np.column_stack([a.y, a.trials - a.y])
    result = GLM(y, a.X, family=Binomial(link=link), offset=a.offset).fit()
    found = _of_glm(f"binomial GLM, {a.link}", a, result)
    p = np.asarray(result.fittedvalues)
    if np.any((p < 1e-7) | (p > 1 - 1e-7)):
        found.words.append(SEPARATED)
    return found


def _poisson(a: Alone) -> Found:
    from statsmodels.genmod.families import Poisson
    from statsmodels.genmod.generalized_linear_model import GLM

    return _of_glm("Poisson GLM, log", a, GLM(a.y, a.X, family=Poisson(), offset=a.offset).fit())


def _negative_binomial(a: Alone) -> Found:
    """With variance mu + mu^2 / phi: statsmodels' alpha is 1 / phi."""
    from statsmodels.discrete.discrete_model import NegativeBinomial

    model = NegativeBinomial(a.y, a.X, loglike_method="nb2", offset=a.offset)
    result = model.fit(disp=0, maxiter=200)
    p = a.X.shape[1]
    found = _of_discrete("negative binomial (NB2)", a, result, p)
    alpha, se = float(result.params[p]), float(result.bse[p])
    name = named.of_family("phi", a.response)
    if alpha > 1e-4:
        found.values[name] = (1 / alpha, se / alpha**2)
    else:
        found.said[name] = "the ML estimate lies on the boundary (no overdispersion)"
    return found


def _ordinal(a: Alone) -> Found:
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    if len(set(np.diff(np.unique(a.y)))) > 1:
        raise NoCounterpartError("a category between the others has no row")
    model = OrderedModel(a.y, a.X, distr=a.link, offset=a.offset)
    result = model.fit(method="bfgs", disp=0, maxiter=500)
    p = a.X.shape[1]
    found = _of_discrete(f"ordered {a.link}", a, result, p)
    own = np.asarray(result.params[p:])
    cuts = np.asarray(model.transform_threshold_params(own))[1:-1]
    # the first cut is a parameter, each further one adds the exponential of the next
    jacobian = np.tril(np.tile(np.exp(own), (len(own), 1)))
    jacobian[:, 0] = 1.0
    covariance = jacobian @ np.asarray(result.cov_params())[p:, p:] @ jacobian.T
    for k, cut in enumerate(cuts):
        found.values[named.threshold(a.response, k + 1)] = (
            float(cut),
            float(np.sqrt(covariance[k, k])),
        )
    return found


def _beta(a: Alone) -> Found:
    from statsmodels.othermod.betareg import BetaModel

    if np.any(a.offset):
        raise NoCounterpartError("BetaModel of statsmodels takes no offset")
    result = BetaModel(a.y, a.X).fit(disp=False)
    p = a.X.shape[1]
    found = _of_discrete("beta regression, logit", a, result, p)
    phi = float(np.exp(result.params[p]))
    found.values[named.of_family("phi", a.response)] = (phi, phi * float(result.bse[p]))
    return found


def _of_glm(method: str, a: Alone, result: Any) -> Found:
    found = _found(method, a, result.params, result.cov_params())
    if not result.converged:
        found.words.append(NOT_CONVERGED)
    return found


def _of_discrete(method: str, a: Alone, result: Any, p: int) -> Found:
    covariance = np.asarray(result.cov_params())[:p, :p]
    found = _found(method, a, np.asarray(result.params)[:p], covariance)
    if not result.mle_retvals["converged"]:
        found.words.append(NOT_CONVERGED)
    return found


def _found(method: str, a: Alone, params: Any, covariance: Any) -> Found:
    covariance = np.asarray(covariance, dtype=np.float64)
    ses = np.sqrt(np.diag(covariance))
    values = {
        n: (float(b), float(s)) for n, b, s in zip(a.names, np.asarray(params), ses, strict=True)
    }
    return Found(method, values, covariance)


COUNTERPARTS: Mapping[str, Callable[[Alone], Found]] = {
    "gaussian": _gaussian,
    "bernoulli": _binomial,
    "binomial": _binomial,
    "poisson": _poisson,
    "negative_binomial": _negative_binomial,
    "ordinal": _ordinal,
    "beta": _beta,
}
"""By family."""
