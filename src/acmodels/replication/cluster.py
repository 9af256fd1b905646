"""Workers on other machines: a Dask scheduler, or jobs of a SLURM cluster."""

import shutil
from collections.abc import Generator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from acmodels.errors import InputError

PATIENCE = 10
"""Seconds in which a scheduler has to answer."""


@contextmanager
def cluster(scheduler: str | None = None, slurm: int | None = None) -> Generator[Executor | None]:
    """An executor on a cluster, or None where neither is asked for.

    Blocks of replicates carry all that decides their numbers, so that these are the same as on one
    machine; a block whose worker dies is given to another. No dashboard is opened.

    Args:
        scheduler: address of a running Dask scheduler, `tcp://HOST:8786`.
        slurm: number of SLURM jobs to start through dask-jobqueue, as its configuration says.

    Raises:
        InputError: both are asked for, the extra is not installed, or nobody answers.
    """
    if scheduler is None and slurm is None:
        yield None
        return
    if scheduler is not None and slurm is not None:
        raise InputError("--scheduler and --slurm: give one of them")
    try:
        import distributed
    except ImportError:
        raise InputError(
            'a cluster needs Dask: pip install "acmodels[cluster]", here and on its workers'
        ) from None
    if slurm is not None:
        with _slurm(slurm) as jobs, distributed.Client(jobs) as client:
            yield client.get_executor()
        return
    try:
        client = distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"--scheduler: nobody answers at '{scheduler}' ({error}); start one with "
            "`dask scheduler --no-dashboard` and workers with `dask worker ADDRESS`"
        ) from None
    with client:
        yield client.get_executor()


def _slurm(jobs: int) -> Any:
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError:
        raise InputError('--slurm needs dask-jobqueue: pip install "acmodels[cluster]"') from None
    from dask import config

    if shutil.which("sbatch") is None:
        raise InputError(
            "--slurm: there is no sbatch on this machine; run this where jobs are sent"
        )
    if not config.get("jobqueue.slurm.cores", None):
        raise InputError(
            "--slurm: say queue, cores and memory under jobqueue.slurm in "
            "~/.config/dask/jobqueue.yaml"
        )
    made = SLURMCluster(scheduler_options={"dashboard": False})
    made.scale(jobs=jobs)
    return made
