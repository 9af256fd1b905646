"""What a study of ten districts in four waves says of feedback, beside its truth.

python run.py: verdicts.csv has the propositions about change over waves (P55 to P60) on
data/synthetic/panel, parts.csv what they rest on with the true effect where truth.json has it, and
estimands.csv what the loop of learning and capacity does over waves, by model.toml.
"""

import json
from pathlib import Path

import acmodels as ac

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "data" / "synthetic" / "panel"
CLAIMS = ("P55", "P56", "P57", "P58", "P59", "P60")


def true_effect(truth: dict[str, float], cause: str, effect: str) -> float | None:
    """Return the true effect of one variable on another one wave later, in sds of the world."""
    return truth.get(f"total({cause} -> {effect}, 1 wave later)")


def main() -> None:
    """Test the propositions, and fit the loop."""
    truth = json.loads((DATA / "truth.json").read_text(encoding="utf-8"))
    study = ac.load_study(DATA)
    found = ac.assess(study, CLAIMS)
    columns = ["proposition", "status", "how", "p_region", "p_rope", "mean", "lower", "upper"]
    verdicts = found.verdicts[[*columns, "reason"]]
    verdicts.to_csv(HERE / "verdicts.csv", index=False, float_format="%.3g")
    parts = found.parts[["proposition", "part", "from", "to", "mean", "lower", "upper", "status"]]
    pairs = zip(parts["from"], parts["to"], strict=True)
    parts = parts.assign(truth=[true_effect(truth, a, b) for a, b in pairs])
    parts.to_csv(HERE / "parts.csv", index=False, float_format="%.3g")
    fit = ac.fit(ac.load_model(HERE / "model.toml"), study, seed=1)
    kept = ["name", "kind", "at", "mean", "lower", "upper", "p_positive"]
    fit.effects.table[kept].to_csv(HERE / "estimands.csv", index=False, float_format="%.3g")


if __name__ == "__main__":
    main()
