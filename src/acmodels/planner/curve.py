"""A plan's power, told as it becomes surer."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from acmodels.replication import Outcome, Result, job_key
from acmodels.replication.block import run_block_alone
from acmodels.replication.criterion import power_job
from acmodels.replication.job import Job
from acmodels.replication.power import Power, power_of
from acmodels.replication.ready import Ready, forget_others, ready_for
from acmodels.spec.plan import Plan

TELL = 0.4
"""Seconds between one picture and the next, at least."""


MOST = 50
"""Settings of the controls that are remembered."""


@dataclass
class Memory:
    """What has been simulated, by job.

    A target or a cost that is moved asks for nothing new, and a control that is moved back finds
    what was there.
    """

    jobs: "OrderedDict[str, tuple[tuple[Ready, ...], list[dict[int, Outcome]]]]" = field(
        default_factory=OrderedDict
    )

    def of(self, job: Job, key: str) -> tuple[tuple[Ready, ...], list[dict[int, Outcome]]]:
        """The job's cells, and the outcomes of each by block, to be added to.

        Raises:
            AcmodelsError: the plan and its model do not go together.
        """
        if key not in self.jobs:
            forget_others(key)
            ready = tuple(ready_for(job, key, c) for c in range(len(job.cells)))
            self.jobs[key] = ready, [{} for _ in ready]
        self.jobs.move_to_end(key)
        while len(self.jobs) > MOST:
            self.jobs.popitem(last=False)
        return self.jobs[key]


async def estimates(
    plan: Plan, pool: Executor, workers: int, seed: int = 1, memory: Memory | None = None
) -> AsyncIterator[Power]:
    """Power of a plan's grid, again and again, from more replicates each time.

    Args:
        plan: from `load_plan`.
        pool: runs the blocks.
        workers: that it has.
        seed: of the whole run; the same as for `power`, whose numbers these end with.
        memory: what was simulated before; added to.

    Yields:
        First what one block of replicates of each design says, in the end what all say.

    Raises:
        AcmodelsError: the plan and its model do not go together.
    """
    started = time.perf_counter()
    job = power_job(plan, seed, "auto", None, None)
    key = job_key(job)
    ready, done = (memory or Memory()).of(job, key)
    blocks = -(-plan.replications // ready[0].size)
    tasks = [(c, b) for b in range(blocks) for c in range(len(ready)) if b not in done[c]]
    waiting: dict[asyncio.Future[Outcome], tuple[int, int]] = {}
    loop = asyncio.get_running_loop()
    last = 0.0
    if _begun(done):
        last = time.perf_counter()
        yield _power(plan, job, ready, done, blocks, last - started)
    try:
        while tasks or waiting:
            while tasks and len(waiting) < workers + 1:
                c, b = tasks.pop(0)
                waiting[loop.run_in_executor(pool, run_block_alone, job, key, c, b)] = c, b
            finished, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for f in finished:
                c, b = waiting.pop(f)
                done[c][b] = f.result()
            now = time.perf_counter()
            if _begun(done) and (now - last >= TELL or not waiting):
                last = now
                yield _power(plan, job, ready, done, blocks, now - started)
    finally:
        for f in waiting:
            f.cancel()


def _begun(done: list[dict[int, Outcome]]) -> bool:
    """Whether the first block of every design is in; workers may finish later ones before it."""
    return all(0 in d for d in done)


def _power(
    plan: Plan,
    job: Job,
    ready: tuple[Ready, ...],
    done: list[dict[int, Outcome]],
    blocks: int,
    seconds: float,
) -> Power:
    """What the first blocks of all designs say: as many of each, and no more than are asked for."""
    n = min(next(b for b in range(len(d) + 1) if b not in d) for d in done)
    outcomes = tuple(_joined([d[b] for b in range(min(n, blocks))]) for d in done)
    fitted = sum(len(o.replicates) for o in outcomes)
    result = Result(job, ready, outcomes, seconds, fitted)
    return power_of(plan, result, max(len(o.replicates) for o in outcomes))


def _joined(some: list[Outcome]) -> Outcome:
    return Outcome(
        tuple(r for o in some for r in o.replicates),
        tuple(why for o in some for why in o.reasons),
        np.concatenate([o.numbers for o in some]),
    )
