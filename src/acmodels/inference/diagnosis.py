"""Whether a posterior can be used, and why not, in plain words."""

import numpy as np

from acmodels.errors import listing
from acmodels.estimands import kind
from acmodels.inference.judging import EffectRow
from acmodels.numbers import decimal, share
from acmodels.posterior import Array, Diagnostics, Posterior, effective

R_HAT = 1.01
"""R-hat of a fit that is read for itself, at most (Vehtari, Gelman, Simpson, Carpenter & Bürkner,
2021)."""
ESS = 400
DIVERGENT = 0.001


def diagnose(
    posterior: Posterior,
    rows: tuple[EffectRow, ...],
    least_ess: int = ESS,
    notes: tuple[str, ...] = (),
) -> Diagnostics:
    """Apply the contract's rule to structural parameters and estimands.

    Args:
        posterior: from an engine.
        rows: the estimands.
        least_ess: bulk and tail effective sample size asked for.
        notes: what else is worth saying and does not make the result unusable.
    """
    known = [r for r in rows if kind(r.kind).continuous and not r.withheld]
    stacked = np.concatenate([posterior.values, *(r.draws[..., None] for r in known)], axis=2)
    names = [*posterior.names, *(r.name for r in known)]
    table = effective(stacked, posterior)
    r_hat, bulk, tail = (
        _worst(table[c], up=c == "r_hat") for c in ("r_hat", "ess_bulk", "ess_tail")
    )
    most = most_r_hat(least_ess, posterior.values.shape[0])
    messages: list[str] = []
    if not np.isfinite(stacked).all():
        messages.append("Some draws are not finite numbers.")
    if r_hat is not None and r_hat > most:
        worst = names[int(np.nanargmax(table["r_hat"]))]
        messages.append(
            f"The chains disagree about {worst}: R-hat is {decimal(r_hat, 3)}, above "
            f"{decimal(most, 2)}; draw more (--draws) or simplify the model."
        )
    low = min(v for v in (bulk, tail, np.inf) if v is not None)
    if low < least_ess:
        which = "ess_bulk" if low == bulk else "ess_tail"
        worst = names[int(np.nanargmin(table[which]))]
        messages.append(
            f"Too few effective draws of {worst}: {decimal(low, 0)}, below {least_ess}; draw more "
            "(--draws)."
        )
    divergences, diverged = _divergences(posterior)
    k, untrusted = _weights(posterior)
    messages += [*diverged, *untrusted]
    usable = not messages
    messages += [*notes, *_notes(posterior)]
    return Diagnostics(posterior.engine, r_hat, bulk, tail, divergences, k, usable, tuple(messages))


def _divergences(posterior: Posterior) -> tuple[int, list[str]]:
    """Count steps that diverged, and say so where they are too many."""
    diverging = posterior.stats.get("diverging")
    divergences = 0 if diverging is None else int(diverging.sum())
    total = posterior.values.shape[0] * posterior.values.shape[1]
    if divergences <= DIVERGENT * total:
        return divergences, []
    said = (
        f"{divergences} of {total} steps diverged, above {share(DIVERGENT, 1)}: part of the "
        "posterior may not have been reached; state tighter priors on the group sds or "
        "simplify."
    )
    return divergences, [said]


def _weights(posterior: Posterior) -> tuple[float | None, list[str]]:
    """Return the largest Pareto k, and say which weights cannot be trusted."""
    weighted = [
        (p.names, p.pareto_k, p.threshold)
        for p in posterior.parts
        if p.pareto_k is not None and p.threshold is not None
    ]
    said = [
        f"The importance weights for {listing(of, 3)} are not reliable: Pareto k is "
        f"{decimal(k, 2)}, not below {decimal(most, 2)}; use --engine nuts."
        for of, k, most in weighted
        if not k < most
    ]
    return max((k for _, k, _ in weighted), default=None), said


def most_r_hat(least_ess: int, chains: int) -> float:
    """Return the R-hat that goes with an effective sample size, at most.

    Where chains agree, the means of their halves differ by no more than sampling: of 2 M halves
    with ESS / (2 M) effective draws each, the squared R-hat is about 1 + 2 M / ESS. For four chains
    that is 1.01 with the 400 of a fit that is read for itself, for which the bound is 1.01 whatever
    the number of chains, and 1.04 with the 100 of a fit inside a loop.

    Args:
        least_ess: effective draws asked for.
        chains: how many there are, M.
    """
    if least_ess >= ESS:
        return R_HAT
    return max(R_HAT, float(np.sqrt(1 + 2 * chains / least_ess)))


def _notes(posterior: Posterior) -> list[str]:
    """Return what is worth saying and does not make the result unusable."""
    out: list[str] = []
    energy = posterior.stats.get("energy")
    if energy is not None:
        bfmi = np.mean(np.diff(energy, axis=1) ** 2, axis=1) / np.var(energy, axis=1)
        if np.min(bfmi) < 0.3:
            out.append(
                f"The sampler moved slowly between energy levels (BFMI {decimal(np.min(bfmi), 2)}, "
                "below 0.3); "
                "tails may be short (Betancourt, 2016)."
            )
    out += [
        f"Importance sampling of {listing(p.names, 3)} took {p.rounds} rounds."
        for p in posterior.parts
        if p.method == "importance" and p.rounds > 2
    ]
    out += [
        f"{listing(p.names, 3)} were drawn by Metropolis steps, since importance weights were "
        "not reliable."
        for p in posterior.parts
        if p.method == "metropolis"
    ]
    if posterior.values.shape[0] == 1 and posterior.chained:
        out.append("One chain only: R-hat cannot be computed, so agreement was not checked.")
    return out


def _worst(values: Array, *, up: bool) -> float | None:
    if not np.isfinite(values).any():
        return None
    return float(np.nanmax(values) if up else np.nanmin(values))
