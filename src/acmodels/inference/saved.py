"""A fit as `acmodels fit` wrote it, read again from its folder.

What rests on the draws and the tables works on it: `estimates`, `posterior`, `frame`, `estimate`,
`judge`, and `report` where the page is there. What needs the data or the model on them does not,
and says so.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.errors import InputError
from acmodels.estimands import Paths, Step
from acmodels.folder import MARK
from acmodels.inference.judging import EffectRow, Effects
from acmodels.numbers import table_html
from acmodels.posterior import Array, Diagnostics, intervals
from acmodels.spec.proposition import Claim, Proposition

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FILES = ("estimates.csv", "estimands.csv", "diagnostics.json", "posterior.nc", MARK)
"""What a folder needs to be read as a fit."""
ENDS = ("source", "to", "scale")
"""What is kept of where an effect starts and ends."""
GROUP = "estimands"
"""The group of `posterior.nc` with the draws of estimands."""


@dataclass(frozen=True, repr=False)
class KeptFit:
    """A fit read from a folder.

    Attributes:
        folder: it was read from.
        estimates: structural parameters, columns as in `estimates.csv`.
        posterior: draws for ArviZ: groups `posterior`, `estimands` and, from a sampler,
            `sample_stats`.
        propositions: as the model file judged them, by id; for `judge`.
        diagnostics: whether the posterior can be used, and why not.
        run: what `run.json` says.
        interval, prob: what `lower` and `upper` mean.
    """

    folder: Path
    estimates: "pd.DataFrame"
    posterior: "xr.DataTree" = field(repr=False)
    propositions: Mapping[str, Proposition]
    diagnostics: Diagnostics
    run: Mapping[str, Any] = field(repr=False)
    effects: Effects = field(repr=False)
    interval: str = "eti"
    prob: float = 0.95

    def frame(self) -> "pd.DataFrame":
        """Give the draws as a table, as `Fit.frame` does."""
        posterior: Any = self.posterior["posterior"]
        draws = {n: posterior[safe(n)].to_numpy() for n in self.estimates["name"]}
        return draws_frame(draws, self.effects.rows)

    def __repr__(self) -> str:
        state = "usable" if self.diagnostics.usable else "NOT usable"
        return (
            f"<Fit of {self.run['model']['name']} read from {self.folder}: "
            f"{self.diagnostics.engine}, {state}; see .estimates, .effects, .diagnostics>"
        )

    def _repr_html_(self) -> str:
        return table_html(self.estimates)

    def __getattr__(self, name: str) -> Any:
        if name in ("spec", "system", "draws", "priors", "pymc_model", "model", "imputations"):
            raise InputError(
                f"{self.folder}: '{name}' needs the data, and this fit was read from a folder "
                "that has "
                "only its draws and tables; fit the model again with "
                "fit(load_model(…), load_study(…)) and the same seed"
            )
        raise AttributeError(f"a fit read from a folder has no attribute '{name}'")


def load_fit(folder: str | PathLike[str]) -> KeptFit:
    """Read what `acmodels fit` wrote.

    Args:
        folder: its `--out`.

    Returns:
        A fit with `estimates`, `posterior`, `frame()`, `effects`, `diagnostics` and
        `propositions`; `estimate`, `judge` and `report` take it.

    Raises:
        InputError: the folder is not there, is not a result of `fit`, or was changed.
    """
    path = Path(folder)
    lost = [f for f in FILES if not (path / f).is_file()]
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give the --out of an `acmodels fit`")
    if lost:
        raise InputError(f"{path}: is not a result of `acmodels fit`: it has no {', '.join(lost)}")
    try:
        return _read(path)
    except (ValueError, KeyError, TypeError, OSError, AttributeError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: cannot be read as a result of `acmodels fit` ({said[:200]}); it was written "
            "by another version or changed since, so fit the model again"
        ) from None


def _read(path: Path) -> KeptFit:
    import pandas as pd
    import xarray as xr

    run: dict[str, Any] = json.loads((path / MARK).read_text(encoding="utf-8"))
    d: dict[str, Any] = json.loads((path / "diagnostics.json").read_text(encoding="utf-8"))
    posterior: Any = xr.open_datatree(path / "posterior.nc", engine="h5netcdf").load()
    posterior.close()
    said: dict[str, Any] = {**d, "messages": tuple(d["messages"])}
    diagnostics = Diagnostics(**said)
    texts: Any = {"name": str, "kind": str, "at": str}
    table = pd.read_csv(path / "estimands.csv", keep_default_na=False, na_values=[""], dtype=texts)
    table["at"] = table["at"].fillna("")
    kept: Any = posterior[GROUP] if GROUP in posterior.children else {}
    if len(table) and not len(kept):
        raise ValueError("its posterior.nc has no draws of estimands")
    rows = tuple(
        EffectRow(
            str(r["name"]), str(r["kind"]), str(r["at"]), kept[f"estimand_{k}"].to_numpy(),
            kept[f"estimand_{k}"].attrs.get("prior_sensitivity"),
            kept[f"estimand_{k}"].attrs.get("withheld", ""),
            **{key: kept[f"estimand_{k}"].attrs.get(key, "") for key in ENDS},
            steps=_kept_steps(kept, k),
        )
        for k, r in enumerate(table.to_dict("records"))
    )  # fmt: skip
    why = diagnostics.messages[0] if diagnostics.messages and not diagnostics.usable else ""
    return KeptFit(
        folder=path,
        estimates=pd.read_csv(path / "estimates.csv", keep_default_na=False, na_values=[""]),
        posterior=posterior,
        propositions={k: _proposition(k, p) for k, p in run["propositions"].items()},
        diagnostics=diagnostics,
        run=run,
        effects=Effects(
            run["model"]["name"], rows, table, diagnostics.usable, run["interval"], run["prob"], why
        ),
        interval=run["interval"],
        prob=run["prob"],
    )


def kept_propositions(propositions: Mapping[str, Proposition]) -> dict[str, dict[str, Any]]:
    """Propositions as `run.json` keeps them; an end that is not finite is null."""
    return {
        k: {
            "statement": p.statement,
            "probability": p.probability,
            **({"all": [_kept_claim(c) for c in p.all]} if p.all else _kept_claim(p.claims[0])),
        }
        for k, p in propositions.items()
    }


def _kept_claim(c: Claim) -> dict[str, Any]:
    return {
        "estimand": c.estimand,
        "at": c.at,
        "region": [v if np.isfinite(v) else None for v in (c.lower, c.upper)],
        "outside": c.outside,
        "rope": None if c.rope is None else list(c.rope),
    }


def _proposition(key: str, p: Mapping[str, Any]) -> Proposition:
    more: Any = {"probability": float(p["probability"]), "statement": p["statement"]}
    if "all" in p:
        claims = tuple(_claim(c) for c in p["all"])
        return Proposition(key, "", -np.inf, np.inf, all=claims, **more)
    c = _claim(p)
    return Proposition(
        key, c.estimand, c.lower, c.upper, at=c.at, rope=c.rope, outside=c.outside, **more
    )


def _claim(c: Mapping[str, Any]) -> Claim:
    low, high = c["region"]
    return Claim(
        c["estimand"],
        -np.inf if low is None else float(low),
        np.inf if high is None else float(high),
        at=c["at"],
        rope=None if c["rope"] is None else (float(c["rope"][0]), float(c["rope"][1])),
        outside=bool(c["outside"]),
    )


def kept_effects(rows: Sequence[EffectRow]) -> "xr.Dataset":
    """Draws of estimands, for `posterior.nc`; each says its name, `at` and kind."""
    import xarray as xr

    both = ("chain", "draw")
    variables: dict[str, Any] = {}
    for k, r in enumerate(rows):
        about: dict[str, Any] = {"name": r.name, "at": r.at, "kind": r.kind}
        if r.prior_sensitivity is not None:
            about["prior_sensitivity"] = float(r.prior_sensitivity)
        if r.withheld:
            about["withheld"] = r.withheld
        about |= {key: getattr(r, key) for key in ENDS if getattr(r, key)}
        variables[f"estimand_{k}"] = (both, r.draws, about)
        for i, path in enumerate(r.steps):
            for j, s in enumerate(path):
                ends = {"source": s.source, "to": s.to}
                variables[f"estimand_{k}_path_{i}_step_{j}"] = (both, s.draws, ends)
    return xr.Dataset(variables)


def _kept_steps(kept: Any, k: int) -> Paths:
    """The steps of the paths of an effect, as `kept_effects` wrote them."""
    out: list[tuple[Step, ...]] = []
    while f"estimand_{k}_path_{len(out)}_step_0" in kept:
        found: list[Step] = []
        while (name := f"estimand_{k}_path_{len(out)}_step_{len(found)}") in kept:
            v = kept[name]
            found.append(Step(str(v.attrs["source"]), str(v.attrs["to"]), v.to_numpy()))
        out.append(tuple(found))
    return tuple(out)


def reestimate(kept: KeptFit, interval: str | None, prob: float | None) -> Effects:
    """Estimands of a fit that was read, with another interval where asked."""
    from dataclasses import replace

    e = kept.effects
    interval, prob = interval or e.interval, prob or e.prob
    if not e.rows or (interval, prob) == (e.interval, e.prob):
        return e
    known = [k for k, r in enumerate(e.rows) if not r.withheld]
    ends = np.full((2, len(e.rows)), np.nan)
    if known:
        draws = np.stack([e.rows[k].draws for k in known], axis=2)
        ends[0, known], ends[1, known] = intervals(draws, interval, prob)
    table = e.table.assign(lower=ends[0], upper=ends[1])
    return replace(e, table=table, interval=interval, prob=prob)


def draws_frame(draws: Mapping[str, Array], rows: Sequence[EffectRow]) -> "pd.DataFrame":
    """One row a draw: chain, draw, parameters by name, and estimands as `name` or `name [at]`.

    An estimand that has the name of another column is `name (estimand)`.
    """
    import pandas as pd

    known = [*draws.values(), *(r.draws for r in rows)]
    chains, steps = known[0].shape if known else (0, 0)
    out: dict[str, Any] = {
        "chain": np.repeat(np.arange(chains), steps),
        "draw": np.tile(np.arange(steps), chains),
    }
    out |= {n: v.reshape(-1) for n, v in draws.items()}
    for r in rows:
        label = f"{r.name} [{r.at}]" if r.at else r.name
        out[f"{label} (estimand)" if label in out else label] = r.draws.reshape(-1)
    return pd.DataFrame(out)


def safe(name: str) -> str:
    """A name as a variable of a tree: a slash would separate groups."""
    return name.replace("/", "∕")
