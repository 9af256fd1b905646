"""What a file's bytes are: text or not, in which encoding, with which delimiter."""

import contextlib
import csv
import io
import itertools
import re

from acmodels.errors import DataError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

_SIGNATURES = (
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip-compressed file"),
    (b"BZh", "a bzip2-compressed file"),
    (b"\xfd7zXZ\x00", "an xz-compressed file"),
    (b"\x28\xb5\x2f\xfd", "a zstd-compressed file"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel (.xls) file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"%PDF-", "a PDF"),
    (b"$FL2", "an SPSS (.sav) file"),
    (b"$FL3", "an SPSS (.zsav) file"),
    (b"<stata_dta>", "a Stata (.dta) file"),
    (b"ARROW1", "an Arrow (feather) file"),
    (b"\x89PNG", "a picture"),
    (b"RDX", "an R workspace"),
    (b"RDA", "an R workspace"),
)
_PICKLE = re.compile(
    rb"\x80[\x02-\x05]|\([dl]p\d+\r?\n|c[\w.]+\r?\n[\w.]+\r?\n(?:[pq]\S*\r?\n)?[(\]})]"
)
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype\s+html|html\b)", re.IGNORECASE)
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x19\x1b-\x1f\x7f]")
_NUMBER = re.compile(r"\s*[+-]?[0-9]*[.,]?[0-9]+(?:[eE][+-]?[0-9]+)?\s*")
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?')


def looks_like(raw: bytes) -> str | None:
    """Say what a file is from its first bytes, where that is no text; never opens it."""
    if raw.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        excel = b"xl/" in raw or b"[Content_Types].xml" in raw
        return "an Excel (.xlsx) file" if excel else "a zip archive"
    for signature, what in _SIGNATURES:
        if raw.startswith(signature):
            return what
    if _PICKLE.match(raw):
        return "a Python pickle, which is never opened"
    return "a web page" if _WEB_PAGE.match(raw) else None


def decoded(raw: bytes, where: str) -> tuple[bytes, str]:
    """Find the encoding of a text file.

    Args:
        raw: the file.
        where: what messages call it.

    Returns:
        The bytes to decode (without a UTF-8 byte order mark), and the encoding:
        `utf-8`, `utf-16`, `utf-32`, `cp1252` or `latin-1`.

    Raises:
        DataError: this is no text.
    """
    what = looks_like(raw)
    if what is not None:
        raise _no_text(where, what)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        wide = raw.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"))
        encoding = "utf-32" if wide else "utf-16"
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            msg = f"{where}: starts as {encoding.upper()} text but goes wrong; save it as UTF-8"
            raise DataError(msg) from None
        if "\0" in text:
            raise _no_text(where, "binary data")
        return raw, encoding
    if b"\0" in raw:
        raise _no_text(where, "binary data (or UTF-16 without a byte order mark)")
    body = raw.removeprefix(b"\xef\xbb\xbf").rstrip(b"\x1a")
    for encoding in ("utf-8", "cp1252", "latin-1"):
        try:
            if not body.isascii():
                body.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding != "utf-8" and _CONTROLS.search(body):
            raise _no_text(where, "binary data")
        return body, encoding
    raise _no_text(where, "binary data")  # pragma: no cover - Latin-1 decodes anything


def delimiter_of(sample: str) -> tuple[str, int]:
    """Find the delimiter from the header and the first lines, honoring quotes.

    Args:
        sample: the start of the text, in whole lines.

    Returns:
        The delimiter, and how many lines precede the header (an Excel `sep=;` line).
    """
    first = sample.split("\n", 1)[0].strip("\r")
    said = _SEPARATOR_LINE.fullmatch(first)
    if said:
        return said[1], 1
    best: tuple[float, float] | None = None
    delimiter = ","
    for candidate in DELIMITERS:
        records = _first_records(sample, candidate)
        if not records or len(records[0]) < 2:
            continue
        width, rest = len(records[0]), records[1:]
        agree = sum(len(record) == width for record in rest) / max(len(rest), 1)
        cells = [cell for record in rest for cell in record]
        numbers = sum(bool(_NUMBER.fullmatch(cell)) for cell in cells) / max(len(cells), 1)
        if best is None or (agree, numbers) > best:
            best, delimiter = (agree, numbers), candidate
    return delimiter, 0


def _first_records(sample: str, delimiter: str) -> list[list[str]]:
    """Split the first lines of a sample, as far as they can be split."""
    records: list[list[str]] = []
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    # a guess at the delimiter rests on what precedes an error; reading the whole file reports it
    with contextlib.suppress(csv.Error):
        records.extend(r for r in itertools.islice(reader, 200) if "".join(r).strip())
    return records


def _no_text(where: str, what: str) -> DataError:
    return DataError(f"{where}: looks like {what}, not a text table; export it as .csv (UTF-8)")
