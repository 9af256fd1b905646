"""Answers to items beside the rows of units, each of them once.

A person who answers about a department and about three partnerships of it has three rows, one a
partnership. The answers on the department stand in one of them and are missing in the others, or
each would count three times.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from acmodels.data.table import TablePart

PERSON = "person_id"
_ROW = "\0row"


def with_answers(frame: pd.DataFrame, parts: Iterable[TablePart]) -> pd.DataFrame:
    """Return the rows of units once for each person who answers about what they belong to.

    Args:
        frame: rows of units, with the ids of the units that they belong to; no persons.
        parts: answers by `person_id` and the id of what they are about.

    Returns:
        A row for each person and row of units, with the columns of both. A unit that nobody
        answers about keeps one row, whose person is `nobody`.
    """
    about = [(p, [k for k in p.keys if k != PERSON]) for p in parts]
    about = [(p, keys) for p, keys in about if keys and set(keys) <= set(frame.columns)]
    about.sort(key=lambda a: -len(frame.loc[:, a[1]].drop_duplicates()))
    units: Any = frame.reset_index(drop=True)
    units[_ROW] = np.arange(len(units))
    pairs: Any = pd.DataFrame({PERSON: [], _ROW: []}).astype({PERSON: object, _ROW: np.int64})
    found: list[Any] = []
    for part, keys in about:
        placed = _placed(part.frame, keys, units, pairs)
        found.append(placed.drop(columns=keys))
        pairs = pd.concat([pairs, placed[[PERSON, _ROW]]]).drop_duplicates(ignore_index=True)
    alone = np.setdiff1d(units[_ROW], pairs[_ROW])
    nobody = pd.DataFrame({PERSON: "nobody", _ROW: alone})
    rows: Any = pd.concat([pairs, nobody]).sort_values([_ROW, PERSON], ignore_index=True)
    rows = rows.merge(units, how="left", on=_ROW, validate="many_to_one")
    for answers in found:
        rows = rows.merge(answers, how="left", on=[PERSON, _ROW], validate="one_to_one")
    return rows.drop(columns=_ROW)


def _placed(answers: Any, keys: Sequence[str], units: Any, pairs: Any) -> Any:
    """Give each person's answers about a unit one row: one that the person has, or the first."""
    first = units.drop_duplicates(list(keys))[[*keys, _ROW]]
    placed = answers.merge(first, how="inner", on=list(keys), validate="many_to_one")
    own = pairs.merge(units[[*keys, _ROW]], how="left", on=_ROW)
    own = own.drop_duplicates([PERSON, *keys]).rename(columns={_ROW: "\0own"})
    placed = placed.merge(own, how="left", on=[PERSON, *keys], validate="one_to_one")
    placed[_ROW] = placed["\0own"].fillna(placed[_ROW]).astype(np.int64)
    return placed.drop(columns="\0own")
