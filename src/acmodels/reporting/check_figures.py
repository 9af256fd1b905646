"""Posterior predictive checks as figures with what they say."""

from collections.abc import Sequence

from acmodels.numbers import between, count, decimals, fixed
from acmodels.reporting import charts
from acmodels.reporting import words as w
from acmodels.reporting.checks import Check
from acmodels.reporting.pieces import Figure, Table


def check_figures(checks: Sequence[Check]) -> tuple[Figure, ...]:
    """A chart for each equation: observed beside replicated."""
    return tuple(_check_figure(c) for c in checks)


def _check_figure(c: Check) -> Figure:
    if c.density is None and not c.bins and not c.bars:
        why = f"Not drawn: {w.several(c.n, 'row')} are too few to show without showing rows."
        return Figure(c.response, "", why if c.n < 20 else "Not drawn: replicates are not finite.")
    rows = tuple(
        (s.name, *_statistic(s.observed, s.mean, s.lower, s.upper), "yes" if s.inside else "no")
        for s in c.statistics
    )
    heads = ("Summary", "Observed", "Replicated", "95\u202f% of replicates", "Inside?")
    table = Table(f"Summaries of {c.response}, observed and replicated", heads, rows)
    off = [s.name for s in c.statistics if not s.inside]
    thinned = (
        f" Drawn from {count(c.n)} of {count(c.of)} rows, chosen at random." if c.n < c.of else ""
    )
    if c.density is not None:
        verdict = (
            f"The observed {w.joined(off)} of {c.response} {'lies' if len(off) == 1 else 'lie'} "
            "outside what 95\u202f% of replicates have."
            if off
            else f"Replicated data have the mean, spread and skewness of the observed {c.response}."
        )
        chart = charts.density_chart(c.density, f"Density of {c.response}, observed and replicated")
        return Figure(c.response, chart, verdict + thinned, table)
    if c.bars:
        out = sum(not b.low <= b.observed <= b.high for b in c.bars)
        verdict = (
            f"Bars are the observed shares of {c.response}. {len(c.bars) - out} of "
            f"{len(c.bars)} lie where 95\u202f% of replicates do."
        )
        chart = charts.bar_chart(c.bars, f"Shares of {c.response}, observed and replicated")
        return Figure(c.response, chart, verdict + thinned, table)
    out = sum(not b.low <= b.observed <= b.high for b in c.bins)
    few = min(b.n for b in c.bins)
    verdict = (
        f"Rows are binned by what the predictors alone predict. In {len(c.bins) - out} of "
        f"{w.several(len(c.bins), 'bin')} (at least {few} rows each) the observed proportion lies "
        "where 95\u202f% of replicates do."
    )
    chart = charts.calibration_chart(
        c.bins, f"Observed against predicted proportions of {c.response}"
    )
    return Figure(c.response, chart, verdict + thinned, table)


def _statistic(observed: float, mean: float, lower: float, upper: float) -> tuple[str, str, str]:
    places = max(2, decimals(upper - lower)) if abs(mean) < 100 else decimals(upper - lower)
    return fixed(observed, places), fixed(mean, places), between(lower, upper, places)
