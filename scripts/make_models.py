"""Write the models that the framework's claims compile to at full data, or check that they are.

usage: make_models.py [--check]
"""

import sys
from pathlib import Path

from acmodels.framework import load_framework
from acmodels.theory.compiler import compile_proposition, full_study
from acmodels.theory.telling import told

ROOT = Path(__file__).parents[1] / "models" / "framework"


def made() -> dict[str, str]:
    """Return the text of every model, by the name of its file."""
    f = load_framework()
    out: dict[str, str] = {}
    for p in f.propositions.values():
        found = compile_proposition(f, p, full_study(f), schematic=True)
        if not found.lacking:
            out[f"{p.id}.toml"] = f"{told(f, found)}\n"
    return out


def main() -> int:
    """Write, or compare."""
    texts = made()
    there = {p.name: p.read_text(encoding="utf-8") for p in ROOT.glob("*.toml")}
    if "--check" in sys.argv:
        wrong = sorted({k for k in {*texts, *there} if texts.get(k) != there.get(k)})
        print(
            f"models/framework differs from what the claims compile to: {', '.join(wrong)}"
            if wrong
            else "models/framework is what the claims compile to"
        )
        return int(bool(wrong))
    ROOT.mkdir(exist_ok=True)
    for k in {*there} - {*texts}:
        (ROOT / k).unlink()
    for k, text in texts.items():
        (ROOT / k).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
