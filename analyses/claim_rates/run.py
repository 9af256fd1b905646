"""Error rates of verdicts by kind of claim and pattern of levels, on studies of plain NumPy.

python run.py [STUDIES] [--districts 60] [--classes effect,mediation] [--workers 1]

Every study has a seed of its own, so that the rates do not depend on the number of workers. Each
verdict goes to runs/studies.sqlite as soon as there is one: a run that was killed goes on, and a
run of more studies adds to those there are. The counts go to the package's framework/rates.csv.
After a change of the rules, `--again` throws away what is stored of the classes.
"""

import argparse
import logging
import sqlite3
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import lru_cache
from itertools import islice
from pathlib import Path

import comparisons
import conjunctions
import corners
import effects
import mediations
import moderations
import pandas as pd
import shapes
from study import Class

from acmodels import load_model, study
from acmodels.errors import AcmodelsError
from acmodels.framework.files import load_framework
from acmodels.framework.graph import Framework
from acmodels.inference.fitting import fit
from acmodels.theory.assessment import grouped
from acmodels.theory.compiler import compile_proposition
from acmodels.theory.rates import pattern
from acmodels.theory.ruling import decide, jointly
from acmodels.theory.sensitivity import answers_of

HERE = Path(__file__).parent
STORE = HERE / "runs" / "studies.sqlite"
RATES = HERE.parents[1] / "src" / "acmodels" / "framework" / "rates.csv"
SEED = 20261129
DRAWS = 250
"""Of each of four chains."""

CLASSES: tuple[Class, ...] = (
    *effects.CLASSES,
    *mediations.CLASSES,
    *moderations.CLASSES,
    *comparisons.CLASSES,
    *shapes.CLASSES,
    *moderations.THROUGH,
    *shapes.SURFACES,
    *comparisons.AGGREGATES,
    *corners.CLASSES,
    *conjunctions.CLASSES,
)
COLUMNS = (
    "kind", "class", "pattern", "world", "truth", "holds", "limit", "districts", "studies",
    "supported",
    "contradicted", "undecided", "other", "false", "seconds",
)  # fmt: skip
TABLE = """
create table if not exists studies (
    kind text, class text, world text, districts integer, number integer, status text, how text,
    seconds real, primary key (kind, class, world, districts, number)
)
"""

type Task = tuple[int, str, int, int]
"""Index of the class, world, districts, number of the study."""


@lru_cache(maxsize=len(CLASSES))
def theory(index: int) -> Framework:
    """Load the theory of a class."""
    with tempfile.TemporaryDirectory() as folder:
        CLASSES[index].write(Path(folder))
        return load_framework(Path(folder))


def drawn(task: Task) -> pd.DataFrame:
    """Draw the study of a task."""
    index, world, districts, number = task
    c = CLASSES[index]
    name = zlib.crc32(f"{c.kind}/{c.name}/{world}".encode())
    return c.study(world, [SEED, name, districts, number], districts)


def verdict(framework: Framework, table: pd.DataFrame) -> tuple[str, str]:
    """Judge the one proposition of a theory, as `assess` does, without what it says beside it.

    Its sensitivity to priors and limits takes half of the time, and no verdict hangs on it.

    Returns:
        The status, and how it is contradicted or why it is not testable.
    """
    compiled = {"H": compile_proposition(framework, framework.propositions["H"], study(table))}
    c = compiled["H"]
    if c.lacking:
        return "not_testable", "; ".join(c.lacking)
    answers: dict[int, dict[str, object]] = {}
    for g in grouped(compiled):
        try:
            found = fit(load_model(g.file.table()), g.study, seed=1, draws=DRAWS, cores=1)
        except AcmodelsError as error:
            return "not_testable", str(error)
        if not found.diagnostics.usable:
            return "unusable", found.diagnostics.messages[0]
        for (_, number, _), called in g.names.items():
            answers.setdefault(number, {}).update(answers_of(found, called))
    rulings = [x.rule(answers[k], c.terms) for k, x in enumerate(c.compiled)]
    return decide(jointly(rulings, c.terms.probability))


def judge(task: Task) -> tuple[Task, str, str, float]:
    """Draw a study and judge it."""
    logging.disable(logging.WARNING)
    started = time.perf_counter()
    status, how = verdict(theory(task[0]), drawn(task))
    return task, status, how, time.perf_counter() - started


def stored(store: sqlite3.Connection) -> set[tuple[str, str, str, int, int]]:
    """Return what was judged already."""
    return set(store.execute("select kind, class, world, districts, number from studies"))


def key(task: Task) -> tuple[str, str, str, int, int]:
    """Return what a study is stored under."""
    c = CLASSES[task[0]]
    return (c.kind, c.name, *task[1:])


def results(tasks: Sequence[Task], workers: int) -> Iterator[tuple[Task, str, str, float]]:
    """Judge studies, one after another or several at once."""
    if workers == 1:
        yield from map(judge, tasks)
        return
    left = iter(tasks)
    with ProcessPoolExecutor(workers) as pool:
        running: set[Future[tuple[Task, str, str, float]]] = set()
        running |= {pool.submit(judge, t) for t in islice(left, 2 * workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(judge, t) for t in islice(left, len(done))}
            for d in done:
                yield d.result()


def rates(store: sqlite3.Connection) -> pd.DataFrame:
    """Count the verdicts of every class, world and size, in the order of the registry."""
    every = pd.read_sql_query("select * from studies", store)
    rows: list[tuple[object, ...]] = []
    for index, c in enumerate(CLASSES):
        levels = pattern(theory(index), theory(index).propositions["H"].claims[0])
        for name, w in c.worlds.items():
            mine = every[
                (every["kind"] == c.kind) & (every["class"] == c.name) & (every["world"] == name)
            ]
            for districts, of in mine.groupby("districts"):
                many = [int((of["status"] == s).sum())
                        for s in ("supported", "contradicted", "undecided")]  # fmt: skip
                rows.append(
                    (
                        c.kind, c.name, levels, name, w.truth, w.holds, w.limit, districts,
                        len(of), *many, len(of) - sum(many),
                        many[1] if w.holds else many[0], round(float(of["seconds"].median()), 2),
                    )
                )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write(store: sqlite3.Connection) -> None:
    """Write the table that the package ships, with the rows it has of what is not in the store."""
    new = rates(store)
    key = ["kind", "class", "world", "districts"]
    if RATES.exists():
        old = pd.read_csv(RATES)
        kept = ~old.set_index(key).index.isin(new.set_index(key).index)
        new = pd.concat([old[kept], new]) if len(new) else old
        order = {(c.kind, c.name, w): k for k, (c, w) in enumerate(
            (c, w) for c in CLASSES for w in c.worlds)}  # fmt: skip
        place = [
            order.get(x, -1) for x in zip(new["kind"], new["class"], new["world"], strict=True)
        ]
        new = new.assign(place=place).sort_values(["place", "districts"])
        new = new[new["place"] >= 0].drop(columns="place")
    new.to_csv(RATES, index=False, lineterminator="\n")


def chosen(words: str) -> list[int]:
    """Return the classes of the kinds named, or of `kind: pattern`, in the order given.

    Raises:
        SystemExit: a name fits none.
    """
    if not words:
        return list(range(len(CLASSES)))
    out: list[int] = []
    for w in words.split(","):
        hits = [
            k for k, c in enumerate(CLASSES)
            if w.strip() in (c.kind, f"{c.kind}: {c.name}", c.name)
        ]  # fmt: skip
        if not hits:
            kinds = ", ".join(dict.fromkeys(c.kind for c in CLASSES))
            raise SystemExit(f"--classes: no class '{w.strip()}' (kinds: {kinds}; or a pattern)")
        out += [k for k in hits if k not in out]
    return out


def left(seconds: float) -> str:
    """Say how long something takes."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def main() -> None:
    """Judge what is not stored yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="?", type=int, default=200, help="of each world")
    parser.add_argument("--districts", default="60", help="sizes, as 30,60,120")
    parser.add_argument("--classes", default="", help="kinds or patterns, as effect,mediation")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="throw away what is stored of these")
    asked = parser.parse_args()
    of = chosen(asked.classes)
    STORE.parent.mkdir(exist_ok=True)
    with sqlite3.connect(STORE, isolation_level=None) as store:
        store.execute(TABLE)
        if asked.again:
            for k in of:
                store.execute("delete from studies where kind = ? and class = ?",
                              (CLASSES[k].kind, CLASSES[k].name))  # fmt: skip
        tasks = [
            (k, world, int(d), n)
            for d in asked.districts.split(",")
            for k in of
            for world in CLASSES[k].worlds
            for n in range(asked.studies)
        ]
        before = stored(store)
        tasks = [t for t in tasks if key(t) not in before]
        print(f"{len(tasks)} studies to judge, {len(before)} stored", flush=True)
        started = time.perf_counter()
        place: object = None
        for done, (task, status, how, seconds) in enumerate(results(tasks, asked.workers), 1):
            store.execute("insert or replace into studies values (?, ?, ?, ?, ?, ?, ?, ?)",
                          (*key(task), status, how, seconds))  # fmt: skip
            each = (time.perf_counter() - started) / done
            if task[:3] != place or done == len(tasks):
                place = task[:3]
                write(store)
                print(f"{done} of {len(tasks)}: {', '.join(map(str, key(task)[:4]))}; "
                      f"{left(each * (len(tasks) - done))} left", flush=True)  # fmt: skip
        write(store)


if __name__ == "__main__":
    main()
