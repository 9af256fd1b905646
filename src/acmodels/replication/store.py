"""Finished replicates, kept in one SQLite file as soon as they are there.

One process writes; the lock on it is the operating system's, so that it dies with the process.
Numbers are little-endian doubles in the order of `quantities` and `columns` in the table `meta`.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acmodels.errors import InputError
from acmodels.folder import unwritable
from acmodels.replication.job import Outcome
from acmodels.system.arrays import Array

SCHEMA = 1
FILE = "runs.sqlite"

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE replicates (
    cell INTEGER NOT NULL,
    replicate INTEGER NOT NULL,
    reason TEXT NOT NULL,
    numbers BLOB NOT NULL,
    PRIMARY KEY (cell, replicate)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Store:
    """An open store; close it with `close`.

    Attributes:
        path: of the file.
        connection: to it.
        lock: an open file that holds the lock.
    """

    path: Path
    connection: sqlite3.Connection
    lock: int

    def done(self) -> dict[int, set[int]]:
        """Replicates that are there, by cell."""
        out: dict[int, set[int]] = {}
        for cell, replicate in self._ask("SELECT cell, replicate FROM replicates"):
            out.setdefault(cell, set()).add(replicate)
        return out

    def add(self, cell: int, outcome: Outcome) -> None:
        """Keep a block; `commit` makes it durable."""
        rows = [
            (cell, r, reason, np.asarray(numbers, dtype="<f8").tobytes())
            for r, reason, numbers in zip(
                outcome.replicates, outcome.reasons, outcome.numbers, strict=True
            )
        ]
        with _plainly(self.path):
            self.connection.executemany(
                "INSERT OR REPLACE INTO replicates VALUES (?, ?, ?, ?)", rows
            )

    def commit(self) -> None:
        """Put on disk what was added."""
        with _plainly(self.path):
            self.connection.commit()

    def meta(self) -> dict[str, Any]:
        """What the store says about its job."""
        return {k: json.loads(v) for k, v in self._ask("SELECT key, value FROM meta")}

    def tell(self, facts: Mapping[str, Any]) -> None:
        """Add to what the store says about its job."""
        with _plainly(self.path):
            self.connection.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                [(k, json.dumps(v)) for k, v in facts.items()],
            )
            self.connection.commit()

    def read(self, cell: int, replications: int, shape: tuple[int, int]) -> Outcome:
        """The first replicates of a cell that are there, in order.

        Args:
            cell: which.
            replications: replicates from this number on are left out.
            shape: quantities and columns.
        """
        found = self._ask(
            "SELECT replicate, reason, numbers FROM replicates "
            "WHERE cell = ? AND replicate < ? ORDER BY replicate",
            (cell, replications),
        )
        numbers = np.zeros((len(found), *shape))
        for n, (_, _, blob) in enumerate(found):
            numbers[n] = np.frombuffer(blob, dtype="<f8").reshape(shape)
        return Outcome(tuple(f[0] for f in found), tuple(f[1] for f in found), numbers)

    def close(self) -> None:
        """Close the file and let go of the lock."""
        self.connection.close()
        os.close(self.lock)

    def _ask(self, sql: str, values: Iterable[Any] = ()) -> list[Any]:
        with _plainly(self.path):
            return self.connection.execute(sql, tuple(values)).fetchall()


def open_store(folder: Path, key: str, kind: str) -> Store:
    """Open the store of a job in a folder, or make it.

    Args:
        folder: that holds, or will hold, `runs.sqlite`.
        key: of the job, from `job_key`.
        kind: of the job, for messages.

    Raises:
        InputError: another process runs on it, it belongs to another job or another version of
            its format, it is no store at all, or it cannot be written. Nothing of it is changed.
    """
    path = folder / FILE
    lock = _lock(folder)
    try:
        with _plainly(path):
            if not path.exists():
                _create(path, {"schema": SCHEMA, "job": key, "kind": kind})
            connection = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
            try:
                _check(connection, path, key)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                connection.close()
                raise
        return Store(path, connection, lock)
    except BaseException:
        os.close(lock)
        raise


def _create(path: Path, facts: Mapping[str, Any]) -> None:
    """Make a store beside its place, then move it there: a kill leaves none or a whole one."""
    aside = path.with_name(f"{path.name}.new")
    aside.unlink(missing_ok=True)
    connection = sqlite3.connect(aside)
    try:
        connection.executescript(_TABLES)
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in facts.items()]
        )
        connection.commit()
    finally:
        connection.close()
    aside.replace(path)


def _lock(folder: Path) -> int:
    path = folder / f"{FILE}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise InputError(
            f"{folder}: another process is running on this store; wait for it, stop it, or name "
            "another --out"
        ) from None
    return lock


def _check(connection: sqlite3.Connection, path: Path, key: str) -> None:
    tables = {r[0] for r in connection.execute("SELECT name FROM sqlite_master")}
    if not {"meta", "replicates"} <= tables:
        raise InputError(
            f"{path}: is a database, but not a store of this package; name another --out"
        )
    facts = {k: json.loads(v) for k, v in connection.execute("SELECT key, value FROM meta")}
    if facts.get("schema") != SCHEMA:
        raise InputError(
            f"{path}: was written in format {facts.get('schema')}, this version writes {SCHEMA}; "
            "nothing was changed: name another --out, or finish it with the version that began it"
        )
    if facts.get("job") != key:
        raise InputError(
            f"{path}: holds the replicates of another run ({facts.get('kind')}): its model, "
            "design, seed, options or version differ; nothing was changed: name another --out, or "
            "remove the folder"
        )


class _plainly:  # noqa: N801
    """Turn what SQLite says into a sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.DatabaseError):
            said = str(error)
            if "not a database" in said or "malformed" in said:
                raise InputError(
                    f"{self.path}: is damaged and cannot be read ({said}); nothing was changed: "
                    "name another --out, or remove the file to start over"
                ) from None
            full = "; free some space and run it again to continue" if "full" in said else ""
            raise InputError(f"{self.path}: cannot be used: {said}{full}") from None


def numbers_of(outcome: Outcome) -> Array:
    """Numbers of the replicates whose fits can be used, (n, quantities, columns)."""
    return outcome.numbers[np.array([not r for r in outcome.reasons], dtype=bool)]
