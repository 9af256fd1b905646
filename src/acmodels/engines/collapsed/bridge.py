"""Marginal likelihoods by bridge sampling, where importance weights cannot be trusted.

Meng & Wong (1996, *Statistica Sinica* 6, 831-860), with the optimal bridge: it needs draws of the
posterior and of a proposal, and neither's tails decide, as one alone's would.
"""

import numpy as np

from acmodels.system.arrays import Array

BATCHES = 10
"""Parts of the draws whose results give the Monte Carlo error."""
ROUNDS, NEAR = 200, 1e-8


def bridge(posterior: Array, proposal: Array) -> tuple[float, float]:
    """Return the log of a density's integral, and its Monte Carlo standard error.

    Args:
        posterior: log density less that of the proposal, at draws of the posterior, (n,).
        proposal: likewise at draws of the proposal, (m,); -inf where the density is 0.
    """
    whole = _log(posterior, proposal)
    parts = [_log(posterior[k::BATCHES], proposal[k::BATCHES]) for k in range(BATCHES)]
    return whole, float(np.std(parts, ddof=1) / np.sqrt(BATCHES))


def _log(posterior: Array, proposal: Array) -> float:
    top = float(np.median(posterior))
    own, other = np.exp(posterior - top), np.exp(proposal - top)
    s = len(own) / (len(own) + len(other))
    r = 1.0
    for _ in range(ROUNDS):
        above = np.mean(other / (s * other + (1 - s) * r))
        new = float(above / np.mean(1 / (s * own + (1 - s) * r)))
        if abs(np.log(new / r)) < NEAR:
            break
        r = new
    return top + float(np.log(r))
