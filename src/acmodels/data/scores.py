"""Scores of constructs from answers to their items."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from acmodels.data.columns import labels, numeric
from acmodels.data.table import Study

LEAST = 0.5
"""Share of a construct's items that a person must have answered for a score."""


def construct_scores(
    tables: Mapping[str, Study],
) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Mean item scores of each construct by target, averaged over those who answered.

    Items with `reverse` are turned about the middle of their range (min + max - value). A person's
    score is the mean of the items answered, where at least half of the construct's items are; a
    target's score is the mean of its persons' scores.

    Yields:
        The ids that name a row (`district_id`, with `wave_id` where there are several waves), and a
        table of these and one column a construct, for each kind of target but persons themselves.
    """
    if not {"responses", "items"} <= set(tables):
        return
    answers, items = tables["responses"], tables["items"]
    needed = {"person_id", "item_id", "target_type", "target_id", "value"}
    if not needed <= set(answers.names) or "construct_id" not in items.names:
        return
    book: Any = pd.DataFrame({c: labels(items, c) for c in ("item_id", "construct_id")})
    for c in ("min", "max"):
        book[c] = numeric(items, c) if c in items.names else float("nan")
    book["reverse"] = numeric(items, "reverse") if "reverse" in items.names else 0.0
    count = book.groupby("construct_id")["item_id"].nunique().rename("of")
    book = book.join(count, on="construct_id")
    long: Any = pd.DataFrame(
        {c: labels(answers, c) for c in ("person_id", "item_id", "target_type", "target_id")}
    )
    long["wave_id"] = labels(answers, "wave_id") if "wave_id" in answers.names else "1"
    long["value"] = numeric(answers, "value")
    long = long.merge(book, on="item_id", how="inner").dropna(subset=["value"])
    turned = long["reverse"].fillna(0) > 0
    long.loc[turned, "value"] = long["min"] + long["max"] - long["value"]
    who = ["target_type", "target_id", "wave_id", "construct_id", "person_id"]
    person: Any = long.groupby(who, sort=False).agg(
        score=("value", "mean"), answered=("item_id", "nunique"), of=("of", "first")
    )
    person = person[person["answered"] >= LEAST * person["of"]].reset_index()
    score: Any = person.groupby(who[:4], sort=False)["score"].mean().reset_index()
    for unit, rows in score.groupby("target_type", sort=False):
        if unit == "self":
            continue
        keys = ["target_id"] if len(set(rows["wave_id"])) == 1 else ["target_id", "wave_id"]
        cells = rows.set_index([*keys, "construct_id"])["score"]
        wide = cells.unstack().reset_index()  # noqa: PD010
        wide.columns = pd.Index([str(c) for c in wide.columns])
        names = tuple(f"{unit}_id" if k == "target_id" else k for k in keys)
        yield names, wide.rename(columns={"target_id": f"{unit}_id"})
