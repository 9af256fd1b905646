"""False support of lagged effects under traits alone, and power where a lag is there.

python run.py [TRAITS] [TRUE] [--units 150] [--waves 5]

Units differ for good in two variables. In the world `traits` these differences correlate by 0.6,
and each variable moves itself one wave later and not the other; in the world `true` x moves y by
0.4. The claim is that x raises y one wave later. Every study has a seed of its own and goes to
studies.csv as soon as it is judged, so that a run that was stopped goes on and a run of more
studies adds to those there are. Counts go to rates.csv.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from acmodels.framework.files import load_framework
from acmodels.framework.graph import Framework
from acmodels.theory.assessment import assess

HERE = Path(__file__).parent
SEED = 1000
TOGETHER = 0.6
"""Correlation of lasting differences in the world of traits alone."""
LAGS = {
    "traits": np.array([[0.3, 0.0], [0.0, 0.3]]),
    "true": np.array([[0.4, 0.0], [0.4, 0.3]]),
}
"""Of x and y one wave earlier, on x and y."""
COLUMNS = ("world", "units", "waves", "seed", "status", "lower", "upper")

FILES = {
    "framework.toml": 'name = "two"\n[units]\ndepartment = { id = "department" }\n',
    "constructs.toml": "".join(f'[{c}]\nname = "{c}"\nlevel = "department"\n' for c in "xy"),
    "arrows.toml": "".join(
        f'[[arrow]]\nfrom = "{a}"\nto = "{b}"\nlag = 1\nassumed = "so drawn"\n'
        for a, b in ("xy", "yx")
    ),
    "propositions.toml": (
        '[H]\nstatement = "x raises y one wave later."\n'
        'kind = "lag"\nfrom = "x"\nto = "y"\nsign = "+"\n'
    ),
}


def theory() -> Framework:
    """Return a theory of two variables that move each other one wave later."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in FILES.items():
            (Path(folder) / name).write_text(text)
        return load_framework(Path(folder))


def study(world: str, seed: int, units: int, count: int) -> pd.DataFrame:
    """Draw units in waves: lasting differences, and deviations that carry over."""
    rng = np.random.default_rng(seed)
    r = TOGETHER if world == "traits" else 0.0
    root = 0.7 * np.linalg.cholesky(np.array([[1.0, r], [r, 1.0]]))
    u = rng.standard_normal((units, 2)) @ root.T
    w = rng.standard_normal((units, 2))
    rows: list[pd.DataFrame] = []
    for t in range(count):
        if t:
            w = w @ LAGS[world].T + rng.standard_normal((units, 2))
        both = u + w
        ids = [f"d{k}" for k in range(units)]
        rows.append(
            pd.DataFrame({"department": ids, "wave": t + 1, "x": both[:, 0], "y": both[:, 1]})
        )
    return pd.concat(rows, ignore_index=True)


def main() -> None:
    """Judge the studies that are not there yet, and count."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("traits", type=int, nargs="?", default=60)
    parser.add_argument("true", type=int, nargs="?", default=20)
    parser.add_argument("--units", type=int, default=150)
    parser.add_argument("--waves", type=int, default=5)
    args = parser.parse_args()
    store = HERE / "studies.csv"
    if not store.exists():
        with store.open("w", newline="") as file:
            csv.writer(file).writerow(COLUMNS)
    f = theory()
    done = pd.read_csv(store)
    keys = ["world", "units", "waves", "seed"]
    there = set(map(tuple, done[keys].to_numpy().tolist()))
    for world in LAGS:
        for seed in range(SEED, SEED + int(getattr(args, world))):
            if (world, args.units, args.waves, seed) in there:
                continue
            start = time.perf_counter()
            table = study(world, seed, args.units, args.waves)
            v = assess(table, framework=f).verdicts.iloc[0]
            numbers = [f"{float(v[c]):.4f}" for c in ("lower", "upper")]
            with store.open("a", newline="") as file:
                row = (world, args.units, args.waves, seed, v["status"], *numbers)
                csv.writer(file).writerow(row)
            print(world, seed, v["status"], f"{time.perf_counter() - start:.1f} s", flush=True)
    count(pd.read_csv(store)).to_csv(HERE / "rates.csv", index=False)


def count(studies: pd.DataFrame) -> pd.DataFrame:
    """Count verdicts by world and size."""
    out: list[dict[str, object]] = []
    for key, mine in studies.groupby(["world", "units", "waves"]):
        world, units, waves = key if isinstance(key, tuple) else (key, 0, 0)
        status = mine["status"]
        out.append(
            {
                "world": world, "units": units, "waves": waves, "studies": len(mine),
                **{s: int((status == s).sum()) for s in ("supported", "contradicted", "undecided")},
                "other": int((~status.isin(["supported", "contradicted", "undecided"])).sum()),
                "interval_above_0": int((mine["lower"] > 0).sum()),
                "interval_below_0": int((mine["upper"] < 0).sum()),
            }
        )  # fmt: skip
    return pd.DataFrame(out)


if __name__ == "__main__":
    main()
