"""Where a person's time goes: `--help`, `import acmodels`, and a first fit of the demonstration.

Runs each command in a fresh process; the first fit twice, with the compiled helpers of the
machine's caches cleared (cold) and with them there (warm). Prints a Markdown table.

usage: python benchmarks/first_fit.py
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ACMODELS = str(Path(sys.executable).parent / "acmodels")


def wall(command: list[str], runs: int) -> float:
    """Median wall time of a command, after one run that is not counted."""
    times: list[float] = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def stages(caches: Path, out: Path) -> dict[str, float]:
    """Seconds by stage of one demonstration, as `run.json` has them, and in all."""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(caches / "numba")}
    env["PYTENSOR_FLAGS"] = f"base_compiledir={caches / 'pytensor'}"
    command = [ACMODELS, "demo", "--quiet", "--out", str(out)]
    started = time.perf_counter()
    subprocess.run(command, check=False, capture_output=True, env=env)
    whole = time.perf_counter() - started
    seconds = json.loads((out / "run.json").read_text())["seconds"]
    return {**seconds, "everything": whole}


def main() -> None:
    """Measure and print."""
    print("| command | median of 5 |\n| --- | --- |")
    print(f"| `acmodels --help` | {wall([ACMODELS, '--help'], 5):.2f} s |")
    print(f"| `import acmodels` | {wall([sys.executable, '-c', 'import acmodels'], 5):.2f} s |")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        cold = stages(place / "caches", place / "out")
        warm = stages(place / "caches", place / "out")
    print("\n| stage of `acmodels demo` | first on the machine | later |\n| --- | --- | --- |")
    for stage in cold:
        print(f"| {stage} | {cold[stage]:.1f} s | {warm[stage]:.1f} s |")


if __name__ == "__main__":
    main()
