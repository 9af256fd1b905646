"""Scores of constructs from answers to their items."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from acmodels.data.columns import label_codes, labels, numeric
from acmodels.data.table import Study

AGGREGATES = ("mean", "max", "min", "sum")
"""How raters' scores become a unit's, as `aggregate` of `constructs` states; `latent_mean` is the
mean until constructs are latent, and `coverage` the mean over items of the highest answer."""

LEAST = 0.5
"""Share of a construct's items that a person must have answered for a score."""

WHO = ["target_type", "target_id", "wave_id", "construct_id", "person_id"]


def item_book(tables: Mapping[str, Study]) -> pd.DataFrame:
    """Items with their constructs: one row an item and construct.

    An item belongs to its construct and to whatever that is a part of (`parent_id` of
    `constructs`), so that a construct is scored on the items of its facets too.

    Returns:
        `item_id`, `construct_id`, `min`, `max`, `reverse`, and `of`, the construct's number of
        items.
    """
    items = tables["items"]
    book: Any = pd.DataFrame({c: labels(items, c) for c in ("item_id", "construct_id")})
    for c in ("min", "max"):
        book[c] = numeric(items, c) if c in items.names else float("nan")
    reverse = numeric(items, "reverse") if "reverse" in items.names else 0.0
    book["reverse"] = pd.Series(reverse, index=book.index).fillna(0.0) > 0
    constructs = tables.get("constructs")
    parent: dict[str, str] = {}
    if constructs is not None and {"construct_id", "parent_id"} <= set(constructs.names):
        pairs = zip(
            labels(constructs, "construct_id"), labels(constructs, "parent_id"), strict=True
        )
        parent = {c: p for c, p in pairs if c is not None and p is not None}
    levels = [book]
    for _ in range(len(parent)):
        above = levels[-1].copy()
        above["construct_id"] = [parent.get(c) for c in above["construct_id"]]
        above = above[above["construct_id"].notna()]
        if above.empty:
            break
        levels.append(above)
    whole: Any = pd.concat(levels, ignore_index=True).drop_duplicates(["item_id", "construct_id"])
    whole["of"] = whole.groupby("construct_id")["item_id"].transform("nunique")
    return whole.reset_index(drop=True)


def answered(tables: Mapping[str, Study]) -> Any:
    """Answers with their items turned where worded the other way (min + max - value).

    Returns:
        `person_id`, `item_id`, `target_type`, `target_id`, `wave_id` (categoricals) and `value`,
        one row an answer that is there; None where the study has no answers that can be scored.
    """
    if not {"responses", "items"} <= set(tables):
        return None
    answers, items = tables["responses"], tables["items"]
    needed = {"person_id", "item_id", "target_type", "target_id", "value"}
    if not needed <= set(answers.names) or not {"item_id", "construct_id"} <= set(items.names):
        return None
    long: Any = pd.DataFrame(
        {
            c: _categories(answers, c)
            for c in ("person_id", "item_id", "target_type", "target_id", "wave_id")
            if c in answers.names
        }
    )
    if "wave_id" not in long:
        long["wave_id"] = pd.Categorical(["1"]).take([0] * len(long))
    book = item_book(tables).drop_duplicates("item_id").set_index("item_id")
    item = long["item_id"].cat.categories
    side = book.reindex(item)
    codes = long["item_id"].cat.codes.to_numpy()
    value = numeric(answers, "value")
    turned = side["reverse"].fillna(value=False).to_numpy(bool)[codes]
    ends = (side["min"] + side["max"]).to_numpy(float)[codes]
    value[turned] = ends[turned] - value[turned]
    long["value"] = value
    known = side["construct_id"].notna().to_numpy()[codes] & (codes >= 0)
    return long[known & long["value"].notna().to_numpy()]


def _categories(study: Study, column: str) -> pd.Categorical:
    codes, words = label_codes(study, column)
    return pd.Categorical.from_codes(codes, categories=pd.Index(words, dtype=object))


def _by_person(tables: Mapping[str, Study]) -> Any:
    """The score of each construct by person and target: the mean of the items answered."""
    long = answered(tables)
    if long is None:
        return None
    book = item_book(tables)
    parts: list[Any] = []
    for construct, mine in book.groupby("construct_id", sort=False):
        rows = long[long["item_id"].isin(mine["item_id"])]
        keys = [c for c in WHO if c != "construct_id"]
        found = rows.groupby(keys, sort=False, observed=True)["value"].agg(["mean", "size"])
        enough = found["size"] >= LEAST * int(mine["of"].iloc[0])
        score = found.loc[enough, "mean"].rename("score").reset_index()
        score["construct_id"] = construct
        parts.append(score)
    if not parts:
        return None
    for part in parts:
        for c in WHO:
            part[c] = part[c].astype(object)
    return pd.concat(parts, ignore_index=True)


def scores(tables: Mapping[str, Study]) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Mean item scores of each construct, by target and by person.

    Items with `reverse` are turned about the middle of their range (min + max - value). A person's
    score is the mean of the items answered, where at least half of the construct's items are; a
    target's score is the mean of its persons' scores, or what `aggregate` states (`AGGREGATES`).

    Yields:
        The ids that name a row, and a table of these and one column a construct: for each kind of
        target by its id (`district_id`), for persons' scores of themselves by `person_id`, for
        their scores of others by both; with `wave_id` where there are several waves.
    """
    person = _by_person(tables)
    if person is None:
        return
    own = person["target_type"] == "self"
    score = _by_target(person[~own], tables)
    for rows, keys in (
        (score, ["target_id"]),
        (person[own], ["person_id"]),
        (person[~own], ["person_id", "target_id"]),
    ):
        yield from _wide(rows, keys)


def items_of(tables: Mapping[str, Study], construct: str) -> tuple[str, ...]:
    """List the items of a construct and of its facets, in the order of the table of items."""
    if "items" not in tables or not {"item_id", "construct_id"} <= set(tables["items"].names):
        return ()
    book = item_book(tables)
    mine = set(book.loc[book["construct_id"] == construct, "item_id"])
    return tuple(str(i) for i in dict.fromkeys(labels(tables["items"], "item_id")) if i in mine)


def item_answers(
    tables: Mapping[str, Study], items: Iterable[str]
) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Answers to some items, a column each; those worded the other way turned, as in `scores`.

    Yields:
        The ids that name a row, and a table of these and one column an item: for each kind of
        target by `person_id` and the target's id, for persons' answers on themselves by
        `person_id`; with `wave_id` where there are several waves.
    """
    long = answered(tables)
    if long is None:
        return
    some = long[long["item_id"].isin(list(items))].astype({c: object for c in WHO if c in long})
    some = some.astype({"item_id": object}).rename(
        columns={"item_id": "construct_id", "value": "score"}
    )
    some = some.drop_duplicates(WHO, keep="last")
    own = some["target_type"] == "self"
    yield from _wide(some[own], ["person_id"])
    yield from _wide(some[~own], ["person_id", "target_id"])


def _by_target(person: Any, tables: Mapping[str, Study]) -> Any:
    """The score of each construct by target, as the construct's `aggregate` states."""
    if person.empty:
        return person  # people answered on themselves only
    how = stated_aggregates(tables)
    rule = person["construct_id"].map(lambda c: how.get(c, "mean"))
    parts: list[Any] = []
    for name in AGGREGATES:
        mine = person[rule == name]
        if len(mine):
            parts.append(mine.groupby(WHO[:4], sort=False)["score"].agg(name).reset_index())
    covered = dict.fromkeys(person.loc[rule == "coverage", "construct_id"])
    if covered:
        long, book = answered(tables), item_book(tables)
        long = long[long["target_type"] != "self"]
        for construct in covered:
            wanted = book.loc[book["construct_id"] == construct, "item_id"]
            rows = long[long["item_id"].isin(wanted)]
            keys = [*WHO[:3], "item_id"]
            best = rows.groupby(keys, sort=False, observed=True)["value"].max().reset_index()
            made = best.groupby(WHO[:3], sort=False, observed=True)["value"].mean().reset_index()
            made = made.rename(columns={"value": "score"}).astype(dict.fromkeys(WHO[:3], object))
            parts.append(made.assign(construct_id=construct))
    # in the order in which persons' scores name them
    whole = pd.concat(parts, ignore_index=True)
    order = {c: k for k, c in enumerate(dict.fromkeys(person["construct_id"]))}
    return whole.sort_values("construct_id", key=lambda c: c.map(order), kind="stable")


def stated_aggregates(tables: Mapping[str, Study]) -> dict[str, str]:
    """By construct, how raters' scores become a unit's, where that is not their mean."""
    constructs = tables.get("constructs")
    if constructs is None or not {"construct_id", "aggregate"} <= set(constructs.names):
        return {}
    pairs = zip(labels(constructs, "construct_id"), labels(constructs, "aggregate"), strict=True)
    known = (*AGGREGATES, "coverage")
    return {str(c): str(a) for c, a in pairs if c is not None and a in known and a != "mean"}


def _wide(score: Any, keys: list[str]) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    for unit, rows in score.groupby("target_type", sort=False):
        by = keys if len(set(rows["wave_id"])) == 1 else [*keys, "wave_id"]
        wide = rows.pivot(index=by, columns="construct_id", values="score").reset_index()  # noqa: PD010
        wide.columns = pd.Index([str(c) for c in wide.columns])
        names = tuple(f"{unit}_id" if k == "target_id" else k for k in by)
        yield names, wide.rename(columns={"target_id": f"{unit}_id"})
