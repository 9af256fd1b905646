"""What 1,000 recoveries take from the shell, start-up included: two designs of gaussian models.

usage: loop.py [RUNS] [OTHER]

OTHER is the `src` folder of another version of the package, whose runs take turns with this one's.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OUTCOMES = {"M1": "", "M2": "", "Y1": " + M1 + M2", "Y2": " + M1 + M2"}
XS = [f"x{k}" for k in range(1, 8)]
LEVELS = dict(zip(XS, ("d", "d", "p", "pair", "pair", "row", "row"), strict=True))
REFERENCE = "\n".join(
    ['name = "reference"']
    + [
        f'[equations.{y}]\nformula = "{y} ~ {" + ".join(XS)}{also} + (1 | d) + (1 | p)"'
        for y, also in OUTCOMES.items()
    ]
    + ["[priors]"]
    + [f'"{k}" = {{ dist = "Normal", mu = 0, sigma = 1 }}' for k in ("* ~ *", "* ~ 1")]
    + [f'"{k}" = {{ dist = "HalfNormal", sigma = 1 }}' for k in ("sd(*)", "sigma(*)")]
    + ['[estimands.indirect]\nkind = "indirect"\nfrom = "x1"\nvia = ["M1"]\nto = "Y1"']
)
"""Two mediators and two outcomes on seven predictors, with effects of districts and partners."""
DESIGN = "\n".join(
    ['model = "reference.toml"\n[units]\nd = 60\np = 40']
    + ['pair = { per = "d", n = 5, crossed_with = "p" }\nrow = { per = "pair", n = 2 }']
    + ["[exogenous]"]
    + [f'{x} = {{ level = "{u}" }}' for x, u in LEVELS.items()]
    + ["[truth]"]
    + [f'"{k}" = 0.3' for k in ("M1 ~ x1", "M2 ~ x1", "Y1 ~ M1", "Y2 ~ M2")]
    + [f'"sd({y} ~ 1 | {g})" = {v}' for y in OUTCOMES for g, v in (("d", 0.4), ("p", 0.3))]
)


def recoveries(design: str, folder: Path, source: str | None) -> float:
    """Seconds of 1,000 recoveries, as a command in a process of its own."""
    environment = os.environ | ({"PYTHONPATH": source} if source else {})
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "acmodels", "recover", design, "--n", "1000", "--quiet", "--out",
         str(folder / f"{began}")],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, env=environment,
    )  # fmt: skip
    return time.perf_counter() - began


def main(runs: int, other: str | None) -> None:
    """Time both designs, in pairs where there is another version, and print a Markdown table."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "reference.toml").write_text(REFERENCE)
        (folder / "design.toml").write_text(DESIGN)
        print("| design | version | 1,000 recoveries, s | median |\n| --- | --- | --- | --- |")
        for name, design in (
            ("interaction_mediation", "interaction_mediation"),
            ("reference", "design.toml"),
        ):
            versions = {"now": None} | ({"other": other} if other else {})
            took: dict[str, list[float]] = {v: [] for v in versions}
            for _ in range(runs):
                for v, source in versions.items():
                    took[v].append(recoveries(design, folder, source))
            for v, t in took.items():
                each = ", ".join(f"{x:.1f}" for x in t)
                print(f"| {name} | {v} | {each} | {statistics.median(t):.1f} |", flush=True)


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 3,
        str(Path(sys.argv[2]).resolve()) if len(sys.argv) > 2 else None,
    )
