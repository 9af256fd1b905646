"""Parquet files, without surprises from a pandas index."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet as pq

from acmodels.data.delimited import TEXT
from acmodels.data.sniffing import looks_like
from acmodels.data.table import Finding, checked_names
from acmodels.errors import DataError

_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)
_UNNAMED_INDEX = re.compile(r"__index_level_[0-9]+__")
_NULLABLE: dict[pa.DataType, Any] = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
}


def read_parquet(raw: bytes, where: str) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Read a Parquet file.

    A named pandas index comes back as a column, an unnamed one is left out.

    Args:
        raw: the file.
        where: what messages call it.

    Returns:
        The table and what was noticed.

    Raises:
        DataError: not a Parquet file, damaged, no rows, or unusable column names.
    """
    if not raw:
        msg = f"{where}: is empty; write the table again"
        raise DataError(msg)
    if not raw.startswith(b"PAR1"):
        what = looks_like(raw) or "something else"
        msg = f"{where}: is not a Parquet file (it looks like {what}); write it again as .parquet"
        raise DataError(msg)
    try:
        table = pq.ParquetFile(pa.BufferReader(raw)).read()
        table.validate(full=True)
        kept = [
            place
            for place, name in enumerate(table.column_names)
            if not _UNNAMED_INDEX.fullmatch(name)
        ]
        names, findings = checked_names([table.column_names[place] for place in kept], where)
        columns = [_series(table.column(place)) for place in kept]
    except _UNREADABLE as problem:
        msg = f"{where}: cannot be read as Parquet, it seems damaged; write the table again"
        raise DataError(msg) from problem
    if not names or not table.num_rows:
        msg = f"{where}: has no rows of data; add the rows and read it again"
        raise DataError(msg)
    return pd.DataFrame(dict(zip(names, columns, strict=True))), findings


def _series(column: pa.ChunkedArray) -> pd.Series:
    """Turn an Arrow column into a pandas one that loses nothing."""
    held = column.type
    if pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held):
        text = column.cast(pa.large_string())
        return pd.Series(TEXT.__from_arrow__(text))
    if held in _NULLABLE and column.null_count:
        return pd.Series(_NULLABLE[held].__from_arrow__(column))
    if held in _NULLABLE or pa.types.is_floating(held):
        return pd.Series(np.array(column.to_numpy()))
    if pa.types.is_dictionary(held) and pa.types.is_string(held.value_type):
        return column.to_pandas()
    return pd.Series(pd.arrays.ArrowExtensionArray(column))
