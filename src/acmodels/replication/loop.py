"""The loop: blocks to workers, outcomes to the store, in an order that changes no number."""

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

from acmodels.engines import engine, engine_names
from acmodels.errors import EngineError
from acmodels.replication.block import run_block
from acmodels.replication.job import Job, Outcome, job_key
from acmodels.replication.ready import Ready, ready_for
from acmodels.replication.store import Store

DURABLE = 0.5
"""Seconds after which a finished replicate is on disk."""

type Progress = Callable[[str, int, int], None]
type Stop = Callable[[int, Outcome], bool]
"""Whether a cell has enough, given its number and its replicates so far, whole batches of them."""


@dataclass(frozen=True)
class Result:
    """A job that is done.

    Attributes:
        job: as asked for.
        ready: its cells, resolved.
        outcomes: by cell, in replicate order.
        seconds: wall time of this run.
        fitted: replicates that this run fitted; the rest were there.
    """

    job: Job
    ready: tuple[Ready, ...]
    outcomes: tuple[Outcome, ...]
    seconds: float
    fitted: int


def run(
    job: Job,
    store: Store,
    replications: int,
    *,
    workers: int,
    progress: Progress,
    executor: Executor | None = None,
    enough: Stop | None = None,
    batch: int = 0,
) -> Result:
    """Run what is missing of a job.

    Args:
        job: what to run.
        store: of this job; holds what was done before.
        replications: of each cell.
        workers: threads or processes; change the time and nothing else.
        progress: called as replicates finish.
        executor: runs the blocks, instead of workers of this machine.
        enough: asked after each `batch` replicates of a cell, in their order, whether to stop.
        batch: replicates between such questions.

    Raises:
        AcmodelsError: a cell's design or engine cannot be made ready.
        KeyboardInterrupt: as it comes; what was finished is in the store.
    """
    started = time.perf_counter()
    key = job_key(job)
    ready = tuple(ready_for(job, key, c) for c in range(len(job.cells)))
    store.tell(
        {
            "quantities": [list(r.quantities) for r in ready],
            "columns": list(job.measure.columns),
            "engines": [r.engine for r in ready],
        }
    )
    steps = _stages(replications, batch if enough is not None else 0)
    shapes = [(len(r.quantities), len(job.measure.columns)) for r in ready]
    open_cells = set(range(len(job.cells)))
    total = replications * len(job.cells)
    fitted = 0
    with _workers(ready, workers, executor, store.lock) as pool:
        for upto in steps:
            fitted += _until(
                job, key, ready, store, pool, (upto, total), open_cells, progress, workers
            )
            if enough is not None:
                open_cells -= {
                    c for c in sorted(open_cells) if enough(c, store.read(c, upto, shapes[c]))
                }
                total = sum(
                    replications if c in open_cells else len(store.done().get(c, ()))
                    for c in range(len(ready))
                )
            if not open_cells:
                break
    outcomes = tuple(store.read(c, replications, shape) for c, shape in enumerate(shapes))
    return Result(job, ready, outcomes, time.perf_counter() - started, fitted)


def _stages(replications: int, batch: int) -> list[int]:
    if not batch:
        return [replications]
    return [*range(batch, replications, batch), replications]


def _until(
    job: Job,
    key: str,
    ready: Sequence[Ready],
    store: Store,
    pool: Executor,
    goal: tuple[int, int],
    open_cells: set[int],
    progress: Progress,
    workers: int,
) -> int:
    """Bring the open cells to so many replicates; returns how many were fitted."""
    upto, total = goal
    done = store.done()
    tasks = list(_missing(ready, done, upto, open_cells))
    count = sum(len([r for r in d if r < upto]) for d in done.values())
    fitted = 0
    waiting: dict[Future[Outcome], int] = {}
    last = time.monotonic()
    progress("fitting", min(count, total), total)
    try:
        while tasks or waiting:
            while tasks and len(waiting) < workers + 2:
                cell, block = tasks.pop(0)
                waiting[pool.submit(run_block, job, key, cell, block)] = cell
            finished, _ = wait(waiting, timeout=DURABLE, return_when=FIRST_COMPLETED)
            for f in finished:
                cell = waiting.pop(f)
                outcome = f.result()
                store.add(cell, outcome)
                fitted += len(outcome.replicates)
                count += len([r for r in outcome.replicates if r < upto])
            if time.monotonic() - last > DURABLE:
                store.commit()
                last = time.monotonic()
            progress("fitting", min(count, total), total)
    except BrokenProcessPool:
        raise EngineError(
            "a worker process died (out of memory, or killed); finished replicates are kept: run "
            "the same command to continue"
        ) from None
    finally:
        for f in waiting:
            f.cancel()
        store.commit()
    return fitted


def _missing(
    ready: Sequence[Ready], done: dict[int, set[int]], upto: int, open_cells: set[int]
) -> Iterator[tuple[int, int]]:
    """Blocks that are not there: all cells' first ones, then all cells' second ones, and so on.

    A cell of an engine that compiles is done whole before the next.
    """
    blocks: list[tuple[int, int, int]] = []
    for c in sorted(open_cells):
        size, have = ready[c].size, done.get(c, set())
        whole = engine(ready[c].engine).compiles
        blocks += [
            (0 if whole else b, c, b)
            for b in range(-(-upto // size))
            if not all(r in have for r in range(b * size, (b + 1) * size))
        ]
    for _, c, b in sorted(blocks):
        yield c, b


@contextmanager
def _workers(
    ready: Sequence[Ready], workers: int, executor: Executor | None, lock: int
) -> Generator[Executor]:
    """Processes; threads where a process cannot be split off and the engine is a fast one.

    The exact engine's blocks are so short that the start of a new interpreter would cost more
    than it saves: its processes are forked from this one, with all that is imported and compiled.
    A fork copies locks as they are, so only a process of one thread may do it; and it holds what
    its parent holds, so it lets go of the store's lock.
    """
    if executor is not None:
        yield executor
        return
    fast = not any(engine(r.engine).compiles for r in ready)
    pool: Executor
    if workers == 1 or (fast and not _may_fork()):
        with _threads(workers) as pool:
            yield pool
        return
    method = "fork" if fast else "spawn"
    with _processes(workers, method, lock if fast else None) as pool:
        yield pool


@contextmanager
def warm_workers(workers: int) -> Generator[Executor]:
    """Workers for blocks of the exact engine that are kept from one job to the next.

    Processes where this one has a single thread, else threads.
    """
    if _may_fork():
        with _processes(workers, "fork", None) as pool:
            yield pool
    else:
        with _threads(workers) as pool:
            yield pool


@contextmanager
def _processes(workers: int, method: str, lock: int | None) -> Generator[Executor]:
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context(method),
        initializer=_alone,
        initargs=(os.getpid(), lock),
    )
    try:
        if method == "fork":
            _fork(pool)
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _fork(pool: Executor) -> None:
    """Start the processes now, when compiled code is loaded and there is no second thread."""
    for e in map(engine, engine_names()):
        if not e.compiles:
            e.load()
    with warnings.catch_warnings():  # of the threads of a linear algebra library, which is ready
        warnings.simplefilter("ignore", DeprecationWarning)
        pool.submit(os.getpid).result()


def _may_fork() -> bool:
    return sys.platform == "linux" and threading.active_count() == 1


@contextmanager
def _threads(workers: int) -> Generator[Executor]:
    from threadpoolctl import threadpool_limits

    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # blocks are short, and hold the interpreter in between
    pool = ThreadPoolExecutor(workers)
    try:
        with threadpool_limits(1):
            yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        sys.setswitchinterval(before)


def _alone(parent: int, lock: int | None) -> None:
    """Begin a worker: one thread of linear algebra, Ctrl-C left to the parent, an end with it."""
    from threadpoolctl import threadpool_limits

    if lock is not None:
        os.close(lock)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
