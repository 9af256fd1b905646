"""A paragraph for the methods section of a paper."""

from collections.abc import Mapping
from typing import Any

from acmodels.engines import is_exact
from acmodels.numbers import count, fixed, stated
from acmodels.reporting.paper_folder import Written, interval_kind, rows_fitted
from acmodels.reporting.words import several


def _model_words(run: Mapping[str, Any]) -> str:
    """Write the model in sentences: equations, groupings, missing values, priors."""
    equations: Mapping[str, Mapping[str, Any]] = run.get("equations", {})
    name = run["model"]["name"]
    if not equations:
        return f"The model is {name}. "
    kinds = "; ".join(
        f"{e['formula']} ({e['family']}, {e['link']} link"
        + (f", one row a {e['level']})" if e["level"] else ")")
        for e in equations.values()
    )
    many = "the equation" if len(equations) == 1 else f"{len(equations)} equations:"
    out = [f"The model {name} has {many} {kinds}."]
    groups = [f"{g} ({several(n, 'unit')})" for g, n in run.get("groups", {}).items()]
    if groups:
        out.append(f"Groupings were {', '.join(groups)}.")
    out += [f"{t['column']}: {t['how']}." for t in run.get("missing", [])]
    priors = [_prior(k, d) for k, d in run.get("priors", {}).items()]
    out.append(
        f"Priors were {'; '.join(priors)}; otherwise the defaults of acmodels, weakly informative "
        "and scaled to the data."
        if priors
        else "Priors were the defaults of acmodels, weakly informative and scaled to the data."
    )
    return " ".join(out) + " "


def _prior(name: str, given: Mapping[str, Any]) -> str:
    of = ", ".join(stated(v) if isinstance(v, int | float) else str(v)
                   for k, v in given.items() if k != "dist")  # fmt: skip
    return f"{name} {given.get('dist', '')}({of})"


def methods_words(found: Written) -> str:
    """A paragraph for the methods section, with every version and seed in it."""
    run, d = found.run, found.diagnostics
    v = run["versions"]
    exact = is_exact(run["engine"])
    if exact:
        how = (
            f"coefficients{' and group effects' if run.get('groups', True) else ''} were "
            "integrated out exactly and "
            f"{count(run['chains'] * run['draws'])} draws taken by Pareto-smoothed importance "
            "sampling of the remaining parameters (largest Pareto k "
            f"{fixed(d.get('pareto_k'), 2)})"
        )
    else:
        how = (
            f"{run['chains']} chains of {count(run['draws'])} draws were sampled with the "
            f"No-U-Turn sampler (nutpie {v.get('nutpie')}, PyMC {v.get('pymc')}); the largest "
            f"R-hat was {fixed(d.get('max_r_hat'), 3)} and {d.get('divergences')} transitions "
            "diverged"
        )
    return (
        f"{_model_words(run)}It was fitted to {rows_fitted(run)} with acmodels {v['acmodels']} "
        f"(Python {v['python']}, seed {run['seed']}): {how}. The smallest effective sample sizes "
        f"were {count(d.get('min_ess_bulk'))} (bulk) and {count(d.get('min_ess_tail'))} (tail). "
        f"Intervals are {interval_kind(found)}s. "
        + ("All diagnostics held." if d["usable"] else "A diagnostic failed: not usable.")
    )
