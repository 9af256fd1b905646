"""A paragraph for the methods section of a paper."""

import re
from collections.abc import Mapping
from typing import Any

from acmodels.engines import engine, engine_names, is_exact
from acmodels.numbers import THIN, count, fixed, stated
from acmodels.reporting.paper_folder import Written, interval_kind, rows_fitted
from acmodels.reporting.words import joined

_FAMILIES = {
    "gaussian": "normal",
    "student": "Student t",
    "bernoulli": "binary (Bernoulli)",
    "binomial": "binomial",
    "ordinal": "ordinal (cumulative)",
    "poisson": "Poisson",
    "negative_binomial": "negative binomial",
    "beta": "beta",
}
_SHAPES = {
    "Normal": "normal",
    "HalfNormal": "half-normal",
    "StudentT": "Student t",
    "HalfStudentT": "half-Student t",
    "HalfCauchy": "half-Cauchy",
    "LogNormal": "log-normal",
    "Exponential": "exponential",
}
_NUMBERS = {"mu": "mean", "sigma": "SD", "nu": "degrees of freedom", "lam": "rate"}
_KINDS = (
    (r"\* ~ \*", "regression coefficients"),
    (r"\* ~ 1", "intercepts"),
    (r"sd\(\*\)", "standard deviations of group effects"),
    (r"cor\(.*\*.*\)", "correlations of group effects"),
    (r"sigma\(\*\)", "residual standard deviations"),
    (r"\* =~ \*", "factor loadings"),
    (r"sd\((.+) ~ 1 \| (.+)\)", r"the standard deviation of the intercept of \1 across \2"),
    (r"sd\((.+) ~ (.+) \| (.+)\)", r"the standard deviation of the slope of \1 on \2 across \3"),
    (r"sigma\((.+)\)", r"the residual standard deviation of \1"),
    (r"(.+) =~ (.+)", r"the loading of \2 on \1"),
    (r"(.+) \| t(\d+)", r"threshold \2 of \1"),
    (r"(.+) ~ 1", r"the intercept of \1"),
    (r"(.+) ~ \*", r"the coefficients of \1"),
    (r"(.+) ~ ([^*]+)", r"the coefficient of \1 on \2"),
)
"""What a parameter's name or a pattern stands for; the first that matches."""


def methods_words(found: Written) -> str:
    """Write a paragraph for the methods section, with every version and seed in it.

    Args:
        found: from `read`.
    """
    parts = [*_model(found.run), _posterior(found), *_rule(found.run)]
    return " ".join(p for p in parts if p)


def _model(run: Mapping[str, Any]) -> list[str]:
    """Write the model in sentences: data, equations, missing values, priors."""
    equations: Mapping[str, Mapping[str, Any]] = run.get("equations", {})
    groups = [f"{g} ({_count(n)})" for g, n in run.get("groups", {}).items()]
    grouped = f", grouped by {joined(groups)}" if groups else ""
    rows = rows_fitted(run).replace(THIN, ",")
    kind = "multilevel model" if groups else "regression model"
    said = f"We fitted a Bayesian {kind} ({run['model']['name']}) to {rows}{grouped}."
    if not equations:
        return [said]
    formulas = [
        e["formula"] + (f" (one row for each {e['level']})" if e["level"] else "")
        for e in equations.values()
    ]
    which = "equation was" if len(formulas) == 1 else "equations were"
    return [
        said,
        f"In the notation of lme4, the {which} {'; '.join(formulas)}.",
        _families(equations),
        _missing(run.get("missing", [])),
        _priors(run.get("priors", {})),
    ]


def _families(equations: Mapping[str, Mapping[str, Any]]) -> str:
    by: dict[str, list[str]] = {}
    for y, e in equations.items():
        said = _FAMILIES.get(e["family"], str(e["family"]).replace("_", " "))
        link = "" if e["link"] in (None, "identity") else f" with a {e['link']} link"
        by.setdefault(said + link, []).append(y)
    clauses = [f"{joined(ys)} as {said}" for said, ys in by.items()]
    return f"We modeled {joined(clauses)}."


def _missing(treatments: list[Mapping[str, Any]]) -> str:
    modeled = [f"{t['column']} ({_count(t['units'])})" for t in treatments if t.get("units")]
    left = [
        f"{t['column']} ({_count(t['rows'])})"
        for t in treatments
        if not t.get("units") and t.get("rows")
    ]
    out = []
    if modeled:
        out.append(
            f"Missing values of {joined(modeled)} were estimated together with the parameters, "
            "assuming that they are missing at random."
        )
    if left:
        out.append(f"Rows without a value of {joined(left)} did not enter the equation of it.")
    return " ".join(out)


def _priors(priors: Mapping[str, Mapping[str, Any]]) -> str:
    default = "weakly informative default priors of acmodels, which are scaled to the data"
    if not priors:
        return f"All parameters had the {default}."
    by: dict[str, list[str]] = {}
    for name, given in priors.items():
        by.setdefault(_distribution(given), []).append(_parameters(name))
    said = [f"{dist} for {joined(names)}" for dist, names in by.items()]
    return f"Priors were {'; '.join(said)}. Any other parameters had the {default}."


def _parameters(name: str) -> str:
    """Say which parameters a name or a pattern of a prior is about."""
    for pattern, words in _KINDS:
        found = re.fullmatch(pattern, name)
        if found:
            return found.expand(words)
    return f"parameters “{name}”" if "*" in name else name


def _distribution(given: Mapping[str, Any]) -> str:
    dist = str(given.get("dist", ""))
    if dist == "Constant":
        return f"fixed at {_number(given.get('value'))}"
    numbers = [
        f"{_NUMBERS.get(k, k)} {_number(v)}"
        for k, v in given.items()
        if k != "dist" and not (dist.startswith("Half") and k == "mu")
    ]
    if dist.startswith("Half"):
        numbers = [n.replace("SD", "scale") for n in numbers]
    shape = _SHAPES.get(dist, dist)
    return f"{shape} ({', '.join(numbers)})" if numbers else shape


def _number(value: object) -> str:
    return stated(value) if isinstance(value, int | float) else str(value)


def _count(n: int | float | None) -> str:
    """Write a count with commas, as papers do."""
    return "not known" if n is None else count(n).replace(THIN, ",")


def _posterior(found: Written) -> str:
    """Say how the posterior was computed, and whether its diagnostics passed."""
    run, d = found.run, found.diagnostics
    v = run["versions"]
    if is_exact(run["engine"]):
        effects = " and group effects" if run.get("groups", True) else ""
        how = (
            f"coefficients{effects} were integrated out analytically, and "
            f"{_count(run['chains'] * run['draws'])} draws of the other parameters were taken by "
            "Pareto-smoothed importance sampling (Vehtari et al., 2024; largest Pareto k = "
            f"{fixed(d.get('pareto_k'), 2)})"
        )
    else:
        named = run["engine"] in engine_names() and not engine(run["engine"]).compiles
        sampler = (
            "Hamiltonian Monte Carlo (Shahbaba et al., 2014; the compiled sampler of acmodels)"
            if named
            else f"the No-U-Turn sampler (nutpie {v.get('nutpie')}, PyMC {v.get('pymc')})"
        )
        how = (
            f"{run['chains']} chains of {_count(run['draws'])} draws were sampled by {sampler}; "
            f"the largest R-hat was {fixed(d.get('max_r_hat'), 3)}, and "
            f"{_count(d.get('divergences'))} transitions diverged"
        )
    passed = (
        "All diagnostics passed."
        if d["usable"]
        else "A diagnostic failed, so the results cannot be used."
    )
    return (
        f"The posterior was computed with acmodels {v['acmodels']} (Python {v['python']}, seed "
        f"{run['seed']}): {how}. The smallest effective sample sizes were "
        f"{_count(d.get('min_ess_bulk'))} (bulk) and {_count(d.get('min_ess_tail'))} (tail). "
        f"{passed} We report posterior means with {interval_kind(found)}s."
    )


def _rule(run: Mapping[str, Any]) -> list[str]:
    """Say by what rule propositions were judged, where they share one."""
    given = list(run.get("propositions", {}).values())
    levels = {p.get("probability") for p in given}
    if not given or len(levels) != 1 or not isinstance(p := levels.pop(), int | float):
        return []
    small = (
        f" and the probability of a negligible effect was below {stated(1 - p)}"
        if any(q.get("rope") for q in given)
        else ""
    )
    said = "A proposition counted as supported if the posterior probability of the values that it"
    return [f"{said} claims was at least {stated(p)}{small}."]
