"""Where effects and verdicts change along the strength of a confounder."""

from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.system.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


def tipping(table: "pd.DataFrame") -> "pd.DataFrame":
    """Find the correlations nearest to zero at which intervals or verdicts change."""
    import pandas as pd

    out: list[dict[str, Any]] = []
    for _, every in table.groupby(["estimand", "at"], sort=False):
        rows = every.loc[every["mean"].notna()]
        if not (rows["rho"] == 0).any():
            continue
        r = rows["rho"].to_numpy(float)
        low, high = rows["lower"].to_numpy(float), rows["upper"].to_numpy(float)
        now = int(np.flatnonzero(r == 0)[0])
        clear = (low > 0) | (high < 0)
        edge = low if (low[now] > 0 or (not clear[now] and rows["mean"].iloc[now] > 0)) else high
        status = rows["status"].to_numpy(str)
        out.append(
            {
                "estimand": rows["estimand"].iloc[0],
                "at": rows["at"].iloc[0],
                "rho": _nearest(r, clear != clear[now], now, edge),
                "verdict": status[now],
                "verdict_rho": _nearest(r, status != status[now], now, None),
            }
        )
    return pd.DataFrame(out, columns=["estimand", "at", "rho", "verdict", "verdict_rho"])


def _nearest(r: Array, changed: np.ndarray, now: int, edge: Array | None) -> float:
    """Correlation nearest to zero at which something changes.

    By a straight line where an end of an interval crosses zero between two that were looked at.
    """
    found: list[float] = []
    for step in (1, -1):
        k = now + step
        while 0 <= k < len(r) and not changed[k]:
            k += step
        if 0 <= k < len(r):
            before = k - step
            at = float(r[k])
            if edge is not None and edge[k] * edge[before] < 0:
                share = edge[before] / (edge[before] - edge[k])
                at = float(r[before] + share * (r[k] - r[before]))
            found.append(at)
    return min(found, key=abs) if found else float("nan")
