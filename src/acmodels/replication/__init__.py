"""The one refit loop: seeds, workers, a durable store, stop and resume, progress.

A job is a list of cells (designs with truths) and a measure (what is kept of a fit). Its
replicates are run in blocks; what a block yields depends on the job, the cell and the block's
number alone, so that neither the number of workers nor a stop in between changes a number.
"""

from acmodels.replication.job import Cell, Job, Measure, Outcome, job_key
from acmodels.replication.loop import Result, run
from acmodels.replication.store import Store, open_store

__all__ = [
    "Cell",
    "Job",
    "Measure",
    "Outcome",
    "Result",
    "Store",
    "job_key",
    "open_store",
    "run",
]
