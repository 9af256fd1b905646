"""Progress of long work: a bar with time left on a terminal, plain lines elsewhere."""

import sys
import time
from typing import Any, TextIO

PATIENCE = {"compiling": " (half a minute to three minutes, for each new model)"}
"""Stages whose end cannot be foreseen, with how long they take.

A stage may say what it belongs to, as in `trust (2 of 9): compiling`.
"""
EVERY = 10.0
"""Seconds between plain lines."""


class Reporter:
    """Tells a person how far long work is; call it with a stage, steps done and steps in all."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._stage = ""
        self._started = 0.0
        self._said = 0.0
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Note that `done` of `total` steps of a stage are done."""
        if self._quiet:
            return
        if stage != self._stage:
            self._begin(stage, total)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
            if time.monotonic() - self._said > 1.0:  # so that the time goes on at 0 %
                self._said = time.monotonic()
                self._bar.refresh()
        elif time.monotonic() - self._said > EVERY and done < total:
            self._line(done, total)
        if done >= total:
            self.close()

    def _begin(self, stage: str, total: int) -> None:
        self.close()
        self._stage = stage
        self._started = self._said = time.monotonic()
        if self._stream.isatty() and total > 1:
            from tqdm import tqdm

            shape = "{desc:<12} {percentage:3.0f}% |{bar}| {elapsed} so far, {remaining} left"
            self._bar = tqdm(
                total=total, desc=stage, file=self._stream, leave=False, bar_format=shape
            )
        else:
            wait = PATIENCE.get(stage.rpartition(": ")[2], "")
            self._stream.write(f"{stage}{wait} …\n")
            self._stream.flush()

    def _line(self, done: int, total: int) -> None:
        self._said = time.monotonic()
        spent = self._said - self._started
        if done:
            left = _duration(spent / done * (total - done))
            said = f"{done} of {total} ({100 * done / total:.0f} %), about {left} left"
        else:
            said = f"none of {total} done yet, {_duration(spent)} so far"
        self._stream.write(f"{self._stage}: {said}\n")
        self._stream.flush()

    def close(self) -> None:
        """End the stage's bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._stage = ""


def _duration(seconds: float) -> str:
    """A time as a person says it: `40 s`, `12 min`, `3 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
