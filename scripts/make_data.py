"""Make the studies in data/synthetic, or check that they are what is committed.

usage: make_data.py [--check]
"""

import filecmp
import sys
import tempfile
from pathlib import Path

import acmodels as ac
from acmodels.reporting.results import write_simulation, write_world

ROOT = Path(__file__).parents[1] / "data" / "synthetic"
DESIGNS = {"partnerships": ("interaction_mediation", 20261121)}
"""By folder: the design and the seed."""
WORLDS = {"two_departments": 7, "panel": 20261125, "rpp_effectiveness": 20261125}
"""By folder, which is the scenario: the seed."""


def make(folder: Path) -> None:
    """Write every study below a folder."""
    for name, (design, seed) in DESIGNS.items():
        loaded = ac.load_design(design)
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        write_simulation(ac.simulate(loaded, seed=seed), loaded, place, seed=seed)
    for name, seed in WORLDS.items():
        write_world(ac.world(name, seed=seed), folder / name)


def check() -> list[str]:
    """Name the files that differ from what the generator makes."""
    with tempfile.TemporaryDirectory() as fresh:
        make(Path(fresh))
        made = [p.relative_to(fresh) for p in Path(fresh).rglob("*") if p.is_file()]
        return [
            str(p)
            for p in made
            if not (ROOT / p).exists() or not filecmp.cmp(ROOT / p, Path(fresh) / p, shallow=False)
        ]


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        differing = check()
        if differing:
            sys.exit(f"not what the generator makes: {', '.join(differing)}")
        print("data/synthetic is what the generator makes")
    else:
        make(ROOT)
        print(f"wrote {', '.join([*DESIGNS, *WORLDS])} under data/synthetic")
