"""How well items measure, and how far raters agree: alpha, omega, ICC(1), ICC(2), rwg(j).

Sources: alpha, Cronbach (1951, Psychometrika 16); omega, McDonald (1999, Test theory) for one
factor; ICC(1) and ICC(2) from the one-way analysis of variance, Shrout and Fleiss (1979,
Psychological Bulletin 86) and, for unequal groups, the average size of Bliese (2000, in Klein and
Kozlowski); rwg(j), James, Demaree and Wolf (1984, Journal of Applied Psychology 69).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from acmodels.data.columns import label_codes, labels, numeric
from acmodels.data.scores import LEAST, answered, item_book
from acmodels.data.table import Finding, Study
from acmodels.errors import DataError, listing
from acmodels.numbers import decimal, table_html

type Array = NDArray[np.float64]

FEW_ITEMS = 3
LOW = 0.70
"""Alpha or omega below which a scale earns a warning (Nunnally 1978, for early research)."""


@dataclass(frozen=True)
class Scales:
    """The scales of a study.

    Attributes:
        table: one row a construct: `construct, target, items, persons, units, mean, sd, alpha,
            omega, icc1, icc2, raters, rwg, agreed, missing`; `rwg` is the median over units of two
            raters or more, `agreed` the share of those with rwg of at least .70, `missing` the
            share of items that persons left out; NaN where something cannot be stated.
        items: one row an item: `construct, item, label, mean, sd, missing, reverse, item_rest`.
        findings: warnings and notes.
    """

    table: pd.DataFrame
    items: pd.DataFrame
    findings: tuple[Finding, ...]

    def _repr_html_(self) -> str:
        return table_html(self.table)


def alpha(x: Array) -> float:
    """Cronbach's alpha of complete item scores, shape (persons, items); NaN for fewer than two.

    k / (k - 1) times 1 less the sum of item variances over the variance of the sum.
    """
    k = x.shape[1]
    if k < 2 or x.shape[0] < 3:
        return float("nan")
    total = x.sum(axis=1).var(ddof=1)
    return float(k / (k - 1) * (1 - x.var(axis=0, ddof=1).sum() / total)) if total else float("nan")


def omega(x: Array) -> float:
    """McDonald's omega of complete item scores, from the loadings of one factor.

    The factor is fitted to the covariances by maximum likelihood (Joreskog's concentrated
    criterion, by EM), and omega is the squared sum of loadings over itself and the sum of
    uniquenesses; NaN for fewer than three items, which do not determine a factor.
    """
    n, k = x.shape
    if k < 3 or n <= k:
        return float("nan")
    s = np.cov(x, rowvar=False)
    if not np.all(np.diag(s) > 0):
        return float("nan")
    psi = np.diag(s) / 2
    first = np.linalg.eigh(s)[1][:, -1]
    load = first * np.sqrt(np.diag(s)) * np.sign(first.sum() or 1.0) * 0.7
    for _ in range(2000):
        # EM for factor analysis (Rubin and Thayer 1982): the factor given the items
        weight = load / psi
        var = 1 / (1 + load @ weight)
        beta = var * weight
        sb = s @ beta
        moment = var + beta @ sb
        new = sb / moment
        left = np.maximum(np.diag(s) - new * sb, 1e-8 * np.diag(s))
        done = max(np.abs(new - load).max(), np.abs(left - psi).max()) < 1e-10
        load, psi = new, left
        if done:
            break
    common = load.sum() ** 2
    return float(common / (common + psi.sum()))


def intraclass(score: Array, unit: NDArray[np.intp]) -> tuple[float, float, float]:
    """ICC(1), ICC(2) and the average number of raters, from a one-way analysis of variance.

    ICC(1) = (MSB - MSW) / (MSB + (k - 1) MSW), ICC(2) = (MSB - MSW) / MSB, with k the average size
    (N - sum n^2 / N) / (units - 1). NaN where no unit has two raters.
    """
    count = np.bincount(unit).astype(np.float64)
    count = count[count > 0]
    _, place = np.unique(unit, return_inverse=True)
    groups, n = len(count), len(score)
    if groups < 2 or n <= groups:
        return float("nan"), float("nan"), n / groups if groups else float("nan")
    mean = np.bincount(place, score) / count
    between = float((count * (mean - score.mean()) ** 2).sum() / (groups - 1))
    within = float(((score - mean[place]) ** 2).sum() / (n - groups))
    k = float((n - (count**2).sum() / n) / (groups - 1))
    bottom = between + (k - 1) * within
    one = (between - within) / bottom if bottom else float("nan")
    two = (between - within) / between if between else float("nan")
    return one, two, n / groups


def rwg(x: Array, points: float) -> float:
    """Agreement of raters of one unit, shape (raters, items), against a uniform null.

    J (1 - v / e) / (J (1 - v / e) + v / e), with v the mean of item variances and e = (A^2 - 1) /
    12 for A points; 0 where raters differ more than at random, NaN for fewer than two raters.
    """
    found = agreement(x, np.zeros(len(x), dtype=np.intp), points)
    return float(found[0]) if len(found) else float("nan")


def agreement(x: Array, unit: NDArray[np.intp], points: float) -> Array:
    """`rwg` of each unit with two raters or more; x has shape (raters of all units, items)."""
    if not len(x):
        return np.zeros(0)
    _, place, count = np.unique(unit, return_inverse=True, return_counts=True)
    several = count >= 2
    columns = range(x.shape[1])
    mean = np.stack([np.bincount(place, x[:, k]) for k in columns], axis=1) / count[:, None]
    square = np.stack(
        [np.bincount(place, (x[:, k] - mean[place, k]) ** 2) for k in columns], axis=1
    )
    ratio = (square[several] / (count[several, None] - 1)).mean(axis=1) / ((points**2 - 1) / 12)
    good = len(columns) * np.clip(1 - ratio, 0, None)
    return np.where(ratio >= 1, 0.0, good / (good + ratio))


def scales(study: Study) -> Scales:
    """Describe the scales of a study of several tables.

    Items worded the other way are turned first. Alpha, omega and agreement are of answers to one
    unit by one person, complete ones only; ICCs are of persons' scores.

    Args:
        study: with tables `responses` and `items`.

    Raises:
        DataError: it has none.
    """
    long = answered(study.tables)
    if long is None:
        raise DataError(
            f"{study.name}: has no tables 'responses' and 'items' with construct_id, so there "
            "are no scales to describe"
        )
    word = _labels(study.tables)
    asked = _asked(study.tables)
    parts = _parts(study.tables)
    rows: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    findings: list[Finding] = []
    unused: list[tuple[int, str]] = []
    for construct, mine in item_book(study.tables).groupby("construct_id", sort=False):
        name = str(construct)
        those = long[long["item_id"].isin(mine["item_id"])]
        if those.empty:
            findings.append(Finding("warning", f"{name}: no item of it was answered"))
            continue
        wide = those.pivot_table(
            index=["target_type", "target_id", "wave_id", "person_id"], columns="item_id",
            values="value", observed=True, sort=False,
        ).reindex(columns=list(mine["item_id"]))  # fmt: skip
        rows.append(_construct(name, mine, wide))
        findings += [] if name in parts else _said(rows[-1])
        for k in range(len(mine)):
            items.append(_item(name, mine.iloc[k], wide.to_numpy(np.float64), k, word))
            findings += _against(items[-1])
            unused += _categories(asked, items[-1]["item"], mine.iloc[k], findings)
    for answer in dict.fromkeys(a for a, _ in unused):
        of = list(dict.fromkeys(i for a, i in unused if a == answer))
        findings.append(Finding("note", f"items: nobody chose {answer} of {listing(of)}"))
    return Scales(pd.DataFrame(rows), pd.DataFrame(items), tuple(dict.fromkeys(findings)))


def _construct(name: str, mine: Any, wide: Any) -> dict[str, Any]:
    """A construct's row; `wide` has a row a person and unit rated, and a column an item."""
    x = wide.to_numpy(np.float64)
    complete = ~np.isnan(x).any(axis=1)
    enough = (~np.isnan(x)).sum(axis=1) >= LEAST * x.shape[1]
    unit = pd.factorize(wide.index.droplevel("person_id"))[0].astype(np.intp)
    score = np.nanmean(x[enough], axis=1)
    target = str(wide.index.get_level_values("target_type")[0])
    one, two, raters = intraclass(score, unit[enough])
    points = float((mine["max"] - mine["min"] + 1).iloc[0])
    others = target != "self"
    agree = np.zeros(0)
    if others and np.isfinite(points):
        agree = agreement(x[complete], unit[complete], points)
    return {
        "construct": name,
        "target": target,
        "items": len(mine),
        "persons": wide.index.get_level_values("person_id").nunique(),
        "units": len(np.unique(unit)),
        "mean": _mean(score),
        "sd": _sd(score),
        "alpha": alpha(x[complete]),
        "omega": omega(x[complete]),
        "icc1": one if others else float("nan"),
        "icc2": two if others else float("nan"),
        "raters": raters,
        "rwg": float(np.median(agree)) if len(agree) else float("nan"),
        "agreed": float((agree >= LOW).mean()) if len(agree) else float("nan"),
        "missing": float(np.isnan(x).mean()),
    }


def _item(
    construct: str, row: Any, x: Array, k: int, word: Mapping[str, str]
) -> dict[str, Any]:  # fmt: skip
    """An item's row; the item-rest correlation is of persons who answered all items."""
    whole = x[~np.isnan(x).any(axis=1)]
    rest = whole.sum(axis=1) - whole[:, k]
    apart = x.shape[1] > 1 and len(whole) > 2 and whole[:, k].std() > 0 and rest.std() > 0
    item = str(row["item_id"])
    return {
        "construct": construct,
        "item": item,
        "label": word.get(item, ""),
        "mean": _mean(x[:, k]),
        "sd": _sd(x[:, k]),
        "missing": float(np.isnan(x[:, k]).mean()),
        "reverse": bool(row["reverse"]),
        "item_rest": float(np.corrcoef(whole[:, k], rest)[0, 1]) if apart else float("nan"),
    }


def _against(item: Mapping[str, Any]) -> list[Finding]:
    """Return whether an item goes against the others of its construct."""
    if not item["item_rest"] < 0:
        return []
    fix = "was it reversed by mistake" if item["reverse"] else "is it a reversed item"
    said = (
        f"items: '{item['item']}' goes against the other items of '{item['construct']}' (item-rest "
        f"correlation {decimal(item['item_rest'], 2)}); {fix}? See 'reverse'"
    )
    return [Finding("warning", said, "item_id")]


def _mean(x: Array) -> float:
    held = x[~np.isnan(x)]
    return float(held.mean()) if len(held) else float("nan")


def _sd(x: Array) -> float:
    held = x[~np.isnan(x)]
    return float(held.std(ddof=1)) if len(held) > 1 else float("nan")


def _said(row: Mapping[str, Any]) -> list[Finding]:
    out: list[Finding] = []
    name = row["construct"]
    if row["items"] < FEW_ITEMS:
        out.append(
            Finding("warning", f"{name}: {row['items']} items; with fewer than three, "
                "reliability is hard to assess")
        )  # fmt: skip
    low = [f"{what} {decimal(row[what], 2)}" for what in ("alpha", "omega") if row[what] < LOW]
    if low and row["items"] >= FEW_ITEMS:
        out.append(Finding("warning", f"{name}: {' and '.join(low)}; its items correlate weakly"))
    if row["target"] != "self" and row["icc1"] < 0.05:
        out.append(
            Finding(
                "warning",
                f"{name}: ICC(1) is {decimal(row['icc1'], 2)}: raters of one {row['target']} "
                "hardly agree more than raters of different ones, so the mean over raters is not "
                "reliable",
            )
        )
    return out


def _parts(tables: Mapping[str, Study]) -> set[str]:
    """Constructs that are facets of another, which are not expected to stand alone."""
    constructs = tables.get("constructs")
    if constructs is None or not {"construct_id", "parent_id"} <= set(constructs.names):
        return set()
    pairs = zip(labels(constructs, "construct_id"), labels(constructs, "parent_id"), strict=True)
    return {str(c) for c, p in pairs if p is not None}


def _labels(tables: Mapping[str, Study]) -> dict[str, str]:
    items = tables["items"]
    if "label" not in items.names:
        return {}
    pairs = zip(labels(items, "item_id"), labels(items, "label"), strict=True)
    return {str(i): str(w) for i, w in pairs if i is not None and w is not None}


def _asked(tables: Mapping[str, Study]) -> dict[str, Array]:
    """The answers to each item as they were given."""
    r = tables["responses"]
    codes, words = label_codes(r, "item_id")
    value = numeric(r, "value")
    return {w: value[(codes == k) & ~np.isnan(value)] for k, w in enumerate(words)}


def _categories(
    asked: Mapping[str, Array], item: str, row: Any, findings: list[Finding]
) -> list[tuple[int, str]]:
    """Answers to an item that nobody gave; a warning where everybody gave the same."""
    value = asked.get(item, np.zeros(0))
    if not len(value) or not np.isfinite(row["min"]) or not np.isfinite(row["max"]):
        return []
    used = set(np.unique(value))
    if len(used) == 1:
        said = f"items: '{item}': everybody chose {next(iter(used)):g}; it carries no information"
        findings.append(Finding("warning", said, "item_id"))
        return []
    low, high = int(row["min"]), int(row["max"])
    return (
        [(k, item) for k in range(low, high + 1) if float(k) not in used] if high - low < 12 else []
    )
