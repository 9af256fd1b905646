"""A large study: generated, written, loaded and checked; seconds of each and peak memory.

usage: world.py [SCENARIO]
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = {
    "simulate": ["simulate", "{scenario}", "--out", "{folder}/study", "--quiet"],
    "check": ["check", "{folder}/study", "--quiet"],
}


def main(scenario: str) -> None:
    command = [str(Path(sys.executable).parent / "acmodels")]
    with tempfile.TemporaryDirectory() as folder:
        seconds = {}
        for name, args in STEPS.items():
            started = time.perf_counter()
            made = [a.format(scenario=scenario, folder=folder) for a in args]
            subprocess.run(command + made, check=True)
            seconds[name] = round(time.perf_counter() - started, 1)
        answers = sum(1 for _ in (Path(folder) / "study" / "responses.csv").open()) - 1
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(json.dumps({"answers": answers, "seconds": seconds, "peak_gib": round(peak, 2)}))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "large")
