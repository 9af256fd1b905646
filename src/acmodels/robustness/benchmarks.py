"""How strong measured covariates are, as confounders that had not been measured."""

from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.inference.fitting import Fit
from acmodels.robustness.confounder import block_of
from acmodels.system import EquationLayout
from acmodels.system.columns import design_matrix

if TYPE_CHECKING:
    import pandas as pd


def benchmarks(fit: Fit, mediator: str, outcome: str, unit: str | None) -> "pd.DataFrame":
    """Return how strong the measured covariates are, on the scale of the correlation.

    Partial R2 of a coefficient is t2 / (t2 + df), t its mean over its sd; a confounder as
    strong as the covariate explains f2 = R2 / (1 - R2) of what is left of each response, so the
    correlation it leaves is sqrt(f2_m f2_y) (Cinelli & Hazlett, 2020, section 4.4), at most 1, with
    the sign of the product of the two coefficients.
    """
    import pandas as pd

    layout = fit.system.layout
    m, y = layout.equation(mediator), layout.equation(outcome)
    theirs = {c.name: c for c in y.columns}
    out: list[dict[str, Any]] = []
    for c in m.columns:
        if not c.parts or c.name not in theirs or set(c.variables) & set(layout.responses):
            continue
        if unit is not None and not _constant(fit, m, c.name, unit):
            continue
        t = [_t(fit, e.coefficient(e_c)) for e, e_c in ((m, c), (y, theirs[c.name]))]
        df = [_df(fit, e, unit) for e in (m, y)]
        f = [abs(v) / np.sqrt(d) for v, d in zip(t, df, strict=True)]
        rho = float(np.sign(t[0] * t[1]) * min(1.0, f[0] * f[1]))
        share = [float(v**2 / (1 + v**2)) for v in f]
        out.append(
            {"covariate": c.name, "rho": rho, "r2_mediator": share[0], "r2_outcome": share[1]}
        )
    frame = pd.DataFrame(out, columns=["covariate", "rho", "r2_mediator", "r2_outcome"])
    return frame.iloc[np.argsort(-frame["rho"].abs().to_numpy(float), kind="stable")].reset_index(
        drop=True
    )


def _t(fit: Fit, name: str) -> float:
    x = fit.draws[name]
    return float(x.mean() / x.std(ddof=1))


def _df(fit: Fit, e: EquationLayout, unit: str | None) -> float:
    """Rows, or units of the grouping, less coefficients that are at that level."""
    if unit is None:
        return max(1.0, float(e.n - len(e.columns)))
    block = block_of(fit.system.layout, unit)
    at = sum(1 for c in e.columns if not c.parts or _constant(fit, e, c.name, unit))
    return max(1.0, float(len(block.levels) - at))


def _constant(fit: Fit, e: EquationLayout, column: str, unit: str) -> bool:
    """Return whether a column is one value a unit."""
    block = block_of(fit.system.layout, unit)
    code = block.index(e)
    k = [c.name for c in e.columns].index(column)
    x = design_matrix(fit.system.layout, e, fit.system.responses)[:, k]
    low = np.full(len(block.levels), np.inf)
    high = np.full(len(block.levels), -np.inf)
    np.minimum.at(low, code, x)
    np.maximum.at(high, code, x)
    seen = np.isfinite(low)
    return bool(np.all(high[seen] - low[seen] <= 1e-12 * (1 + np.abs(high[seen]))))
