"""A fit beside maximum likelihood: the same equations, one at a time, by statsmodels.

Where the data speak and priors are weak, the two agree; where they part by more than a quarter
of a standard error the table says why, as far as it can be told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acmodels.effects.maximum_likelihood.alone import Alone, Found, NoCounterpartError, Varying
from acmodels.effects.maximum_likelihood.counterparts import estimate
from acmodels.errors import listing
from acmodels.estimands import Scope, kind
from acmodels.numbers import decimal, number, signed
from acmodels.priors import held_values
from acmodels.spec import parameters as named
from acmodels.system import Parameter, parameters
from acmodels.system.columns import design_matrix, group_column
from acmodels.system.missing import subset, whole_rows
from acmodels.system.terms import group_terms, slopes, terms

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.inference.fitting import Fit
    from acmodels.system import EquationLayout

__all__ = ["COLUMNS", "FAR", "maximum_likelihood"]

COLUMNS = (
    "name", "posterior_mean", "posterior_sd", "ml_estimate", "ml_se", "distance", "note",
)  # fmt: skip

FAR = 0.25
"""Distance, in ML standard errors, from which a reason is given."""


def maximum_likelihood(fit: "Fit") -> "pd.DataFrame":
    """Fit every equation by maximum likelihood too, and set the estimates side by side.

    Least squares, weighted least squares (`se`), binomial GLM or REML (MixedLM), by statsmodels,
    with the design matrices of the fit. Mediators are predictors as observed. Where an equation,
    or a parameter, has no counterpart in statsmodels, the row says so. An `indirect` estimand that
    is the product of two coefficients of equations without groups gets the product of the two ML
    estimates, with its standard error by the delta method (Sobel, 1982).

    Args:
        fit: from `fit`.

    Returns:
        A row a structural parameter, in the order of `estimates`, with the columns `name,
        posterior_mean, posterior_sd, ml_estimate, ml_se, distance, note`. `distance` is
        (posterior mean - ML) / ML standard error; it is missing where the estimate lies on the
        boundary or has no counterpart. `note` names the method and, from a distance of 0.25
        on, why the two part.
    """
    import pandas as pd

    found: dict[str, Found] = {}
    refused: dict[str, str] = {}
    fewer: dict[str, str] = {}
    for e in fit.system.layout.equations:
        if e.monotonic:
            refused[e.response] = (
                "the steps of mo() have one sign, which maximum likelihood cannot impose here"
            )
            continue
        values = held_values(fit.priors)
        known = [p for p in parameters(fit.system.layout) if p.name in values]
        held = [p.name for p in known if e.response in _owners(fit, p)]
        if held:
            refused[e.response] = (
                f"{listing(held, 3)} is held at a value, which maximum likelihood cannot impose "
                "here"
            )
            continue
        keep = whole_rows(fit.system.sampled.layout, e)
        try:
            one = estimate(e.family, _alone(fit, e, keep))
        except NoCounterpartError as error:
            refused[e.response] = str(error)
            continue
        if not keep.all():
            one.words.append(f"on the {int(keep.sum())} of {e.n} rows that lack nothing")
            fewer[e.response] = _several_rows(int((~keep).sum()))
        found[e.response] = one
    rows = [_row(fit, p, found, refused, fewer) for p in parameters(fit.system.layout)]
    rows += _products(fit, found)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _alone(fit: "Fit", full: "EquationLayout", keep: np.ndarray) -> Alone:
    """An equation on the rows that it has a counterpart on."""
    layout, responses = fit.system.layout, fit.system.responses
    e = subset(full, keep)
    varying: list[Varying] = []
    for block, mine in group_terms(layout, e.response):
        place = {t.effect[1]: at for at, t in enumerate(mine) if t.effect is not None}
        Z = np.column_stack([group_column(layout, e, t.column, responses) for t in mine])
        # an equation of a higher level need not have every level of the data
        code = np.unique(block.index(e), return_inverse=True)[1].astype(np.int64)
        varying.append(
            Varying(
                block.group,
                code,
                Z,
                tuple(t.parameter for t in mine),
                tuple(
                    (place[i], place[j], name)
                    for i, j, name in block.correlations()
                    if i in place and j in place
                ),
            )
        )
    return Alone(
        response=e.response,
        link=e.link,
        y=responses[e.response][keep],
        X=design_matrix(layout, e, responses),
        offset=e.offset,
        names=tuple(e.coefficient(c) for c in e.columns),
        trials=e.trials,
        se=e.se,
        weights=e.weights,
        varying=tuple(varying),
    )


def _row(
    fit: "Fit",
    p: Parameter,
    found: Mapping[str, Found],
    refused: Mapping[str, str],
    fewer: Mapping[str, str],
) -> dict[str, object]:
    own = [r for r in _owners(fit, p) if r in found or r in refused]
    draws = fit.draws[p.name]
    row: dict[str, object] = {
        "name": p.name,
        "posterior_mean": float(draws.mean()),
        "posterior_sd": float(draws.std(ddof=1)),
        "ml_estimate": np.nan,
        "ml_se": np.nan,
        "distance": np.nan,
        "note": "",
    }
    if len(own) > 1:
        row["note"] = "no counterpart: statsmodels fits one equation at a time"
        return row
    response = own[0]
    if response in refused:
        row["note"] = f"no counterpart: {refused[response]}"
        return row
    f = found[response]
    words = [f.method, *f.words, *([f.said[p.name]] if p.name in f.said else [])]
    if p.name not in f.values:
        if p.name not in f.said:
            words = [f"no counterpart in statsmodels ({f.method})"]
        row["note"] = "; ".join(words)
        return row
    value, se = f.values[p.name]
    row["ml_estimate"], row["ml_se"] = value, se
    if np.isfinite(se) and se > 0:
        distance = (float(draws.mean()) - value) / se
        row["distance"] = distance
        if abs(distance) > FAR:
            if response in fewer:
                reasons = list(_other_rows(fit, p, response, f, distance, fewer[response]))
            else:
                reasons = list(_reasons(fit, p, response, f, distance))
            if not reasons and not f.words:
                reasons = ["for a reason not detected here; check the data and the fit"]
            words.append(f"apart by {decimal(abs(distance), 2)} se" + (": " if reasons else ""))
            words[-1] += "; ".join(reasons)
    row["note"] = "; ".join(words)
    return row


def _owners(fit: "Fit", p: Parameter) -> list[str]:
    """Equations that a parameter belongs to."""
    layout = fit.system.layout
    if p.residual:
        return [layout.equations[i].response for i in layout.residual[p.owner]]
    if p.kind == "sd":
        return [r for r in layout.responses if p.name in {t.parameter for t in terms(layout, r)}]
    if p.kind == "cor":
        block = layout.blocks[p.owner]
        pair = next((i, j) for i, j, name in block.correlations() if name == p.name)
        return list(dict.fromkeys(block.members[k].response for k in pair))
    return [layout.equations[p.owner].response]


def _several_rows(n: int) -> str:
    """Rows that ML leaves out, in words."""
    return "1 row" if n == 1 else f"{n} rows"


def _other_rows(
    fit: "Fit", p: Parameter, response: str, f: Found, distance: float, fewer: str
) -> Iterator[str]:
    """Say why the two differ where they use different rows; other reasons are not known.

    Only what is worked out on the rows that ML has is said besides: the pull of the priors.
    """
    yield (
        f"the two use different rows: the model includes {fewer} with missing values, which "
        'it models, and ML leaves them out; fit with missing = "drop" to compare on the same rows'
    )
    if p.kind == "coefficient":
        yield from _pulled(fit, p, response, f, distance)
    if fit.system.layout.equation(response).first is not None:
        yield "residuals of first waves have an sd of their own in the model, and none in ML"
    if not fit.diagnostics.usable:
        yield "a diagnostic of the posterior failed"


def _pulled(fit: "Fit", p: Parameter, response: str, f: Found, distance: float) -> Iterator[str]:
    """Return whether the priors account for a good part of a distance."""
    se = f.values[p.name][1]
    prior = fit.priors.get(p.name)
    pull = _pull(fit, response, f).get(p.name, 0.0) / se
    if pull * distance > 0 and abs(pull) > 0.4 * abs(distance):
        sd = prior.distribution.parameters.get("sigma") if prior is not None else None
        own = f"; its own prior has an sd of {number(sd / se, 2)} ML se" if sd else ""
        yield f"the priors shift it (alone, by {signed(pull, 2)} se{own})"


def _reasons(fit: "Fit", p: Parameter, response: str, f: Found, distance: float) -> Iterator[str]:
    """Return why a posterior mean and an ML estimate part, as far as the fit tells."""
    value, se = f.values[p.name]
    prior = fit.priors.get(p.name)
    draws = fit.draws[p.name]
    if p.kind == "coefficient":
        yield from _pulled(fit, p, response, f, distance)
    elif p.kind == "sd":
        block = fit.system.layout.blocks[p.owner]
        groups = len(np.unique(block.index(fit.system.layout.equation(response))))
        if groups < 50 and distance > 0:
            yield (
                f"{groups} groups: the posterior of an sd is skewed, and its mean lies above its "
                "mode"
            )
        elif value < 4 * se:
            yield "it lies within 4 se of zero, where the posterior of an sd is not normal"
        scale = None if prior is None else prior.distribution.parameters.get("sigma")
        if scale and scale < 2 * (value + se):
            yield f"the prior {prior.distribution if prior else ''} is narrow beside the estimate"
    elif p.kind == "cor":
        yield "the prior of the correlation matrix draws it toward 0 where groups are few"
    elif p.kind == "sigma":
        yield "the posterior of a residual sd is skewed, the more so where group effects are many"
    skew = abs(float(draws.mean() - np.median(draws))) > 0.1 * se
    if skew and p.kind not in ("sd", "sigma"):
        yield "the posterior is skewed, so that its mean is not its mode"
    if f.method.startswith("REML") and p.kind == "coefficient":
        yield "the posterior averages over the group sds, which REML holds at their estimates"
    yield from _jointly(fit, response)
    latent = _latent(fit, response)
    if latent:
        yield f"ML takes observed unit means in {listing(latent, 3)}, the model latent ones"
    if not fit.diagnostics.usable:
        yield "a diagnostic of the posterior failed"


def _jointly(fit: "Fit", response: str) -> Iterator[str]:
    layout = fit.system.layout
    others: list[str] = []
    for block, _ in group_terms(layout, response):
        others += [m.response for m in block.members]
    for block in layout.residual:
        names = [layout.equations[i].response for i in block]
        others += names if response in names else []
    others = [o for o in dict.fromkeys(others) if o != response]
    if others:
        yield f"the model estimates it jointly with the equations of {listing(others, 4)}"


def _latent(fit: "Fit", response: str) -> list[str]:
    """Deviations and means in an equation that the model takes of latent means."""
    found = (t.latent for t in slopes(fit.system.layout, response) if t.latent is not None)
    return list(dict.fromkeys(f.key for f in found))


def _pull(fit: "Fit", response: str, f: Found) -> dict[str, float]:
    """Say how far normal priors alone move the coefficients of an equation from their ML estimates.

    The mean of the normal that is the product of the priors and of the likelihood's normal
    approximation, minus the ML estimates.
    """
    names = [t.parameter for t in slopes(fit.system.layout, response)]
    b = np.array([f.values[n][0] for n in names])
    P, h = np.zeros((len(b), len(b))), np.zeros(len(b))
    for k, n in enumerate(names):
        prior = fit.priors[n]
        if prior.distribution.name != "Normal":
            continue
        on = np.eye(len(b))[k]
        centre = float(prior.distribution.parameters["mu"]) - prior.constant
        if prior.on:
            weights = dict(prior.on)
            on = np.array([weights.get(other, 0.0) for other in names])
        weight = 1 / float(prior.distribution.parameters["sigma"]) ** 2
        P += weight * np.outer(on, on)
        h += weight * centre * on
    try:
        precision = np.linalg.inv(f.covariance)
        moved = np.linalg.solve(precision + P, precision @ b + h) - b
    except np.linalg.LinAlgError:
        return {}
    return dict(zip(names, moved.tolist(), strict=True))


@dataclass(frozen=True)
class _Leg:
    name: str
    value: float
    se: float


def _products(fit: "Fit", found: Mapping[str, Found]) -> list[dict[str, object]]:
    """Indirect effects that are a product of two coefficients, by the delta method."""
    system, spec = fit.system, fit.spec
    plain = {r: f for r, f in found.items() if not group_terms(system.layout, r)}
    scope = Scope(system.layout, spec.estimands, spec.source, system.responses)
    rows: list[dict[str, object]] = []
    for effect in fit.effects.rows:
        names = kind(effect.kind).product(scope.question(effect.name))
        legs = None if names is None or effect.at else _legs(names, fit, plain)
        if legs is None:
            continue
        a, b = legs
        value = a.value * b.value
        se = float(np.sqrt(a.value**2 * b.se**2 + b.value**2 * a.se**2))
        mean = float(effect.draws.mean())
        distance = (mean - value) / se if se > 0 else np.nan
        note = f"delta method (Sobel): {a.name} times {b.name}, from the two ML fits"
        if abs(distance) > FAR:
            note += f"; apart by {decimal(abs(distance), 2)} se, as its two coefficients are"
        row = (effect.name, mean, float(effect.draws.std(ddof=1)), value, se, distance, note)
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    return rows


def _legs(
    names: tuple[str, str], fit: "Fit", plain: Mapping[str, Found]
) -> tuple[_Leg, _Leg] | None:
    """The two coefficients of a product, where each is of an equation that ML fitted alone."""
    mediators = [e.response for e in fit.system.layout.equations]
    values = {n: v for f in plain.values() for n, v in f.values.items()}
    itself = any(named.coefficient(y, m) == names[1] for y in mediators for m in mediators)
    if not itself or not all(n in values for n in names):
        return None
    return _Leg(names[0], *values[names[0]]), _Leg(names[1], *values[names[1]])
