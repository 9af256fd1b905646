"""A compiled model as a file: equations, priors and estimands, with a reason for every term."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from acmodels.data import Study
from acmodels.spec.parsing import parse_formula
from acmodels.theory.compiling.equations import Drafted


@dataclass(frozen=True)
class ModelFile:
    """A model that a claim compiles to.

    Attributes:
        name: of the model, which becomes the name of its folder.
        title: what it is for.
        equations: causes before effects.
        estimands: `[estimands]` tables by name.
        priors: of parameters that are no coefficients of a predictor, over the equations' own.
        comments: sentences at the top.
        top: keys at the top of the file, as `panel` and `residual_correlation`.
        made: composites that equations may use, by name, with the columns of each.
        measures: `[measures]` tables by construct.
        study: the rows of answers that a model with constructs is fitted on, or None.
    """

    name: str
    title: str
    equations: tuple[Drafted, ...]
    estimands: Mapping[str, Mapping[str, Any]]
    priors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    comments: tuple[str, ...] = ()
    top: Mapping[str, Any] = field(default_factory=dict[str, Any])
    made: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    measures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    study: Study | None = field(default=None, repr=False, compare=False)

    def composites(self) -> dict[str, list[str]]:
        """Return the composites in the equations, each with the columns it is made of."""
        read = {e.response.name for e in self.equations}
        for e in self.equations:
            read |= set(parse_formula(e.formula).variables())
        return {k: list(v) for k, v in self.made.items() if k in read}

    def table(self) -> dict[str, Any]:
        """Return the contents of the file, as `load_model` takes them."""
        equations: dict[str, Any] = {}
        priors: dict[str, Any] = {}
        for e in self.equations:
            r = e.response
            one: dict[str, Any] = {"formula": e.formula}
            if r.family != "gaussian":
                one["family"] = r.family
            if r.home is not None:
                one["level"] = r.home.column
            equations[r.name] = one
            priors |= e.priors()
        out: dict[str, Any] = {"name": self.name, "title": self.title, **self.top}
        if self.composites():
            out["composites"] = self.composites()
        if self.measures:
            out["measures"] = {k: dict(v) for k, v in self.measures.items()}
        out["equations"] = equations
        out["priors"] = priors | dict(self.priors)
        out["estimands"] = {k: dict(v) for k, v in self.estimands.items()}
        return out

    def key(self) -> str:
        """Return what makes two models the same fit: all but the estimands and the name."""
        t = self.table()
        top = sorted(self.top.items())
        parts = (t.get("composites"), t.get("measures"), t["equations"])
        return repr((top, *parts, sorted(t["priors"].items(), key=repr)))

    def with_estimands(self, estimands: Mapping[str, Mapping[str, Any]]) -> "ModelFile":
        """Return the same model with other estimands besides its own."""
        return replace(self, estimands=dict(self.estimands) | dict(estimands))

    def text(self) -> str:
        """Return the file as TOML, with comments."""
        table = self.table()
        out = [f"# {line}" for line in self.comments]
        out += [f"name = {toml(table['name'])}", f"title = {toml(table['title'])}"]
        plain = {k: v for k, v in self.top.items() if not isinstance(v, Mapping)}
        out += [*(f"{_key(k)} = {toml(v)}" for k, v in plain.items()), ""]
        for key, inner in self.top.items():
            if isinstance(inner, Mapping):
                out += [f"[{_key(key)}]", *(f"{_key(k)} = {toml(v)}" for k, v in inner.items()), ""]
        if "composites" in table:
            out += [
                "# The mean of the z-scores of these columns, standardized again.",
                "[composites]",
            ]
            out += [f"{_key(k)} = {toml(v)}" for k, v in table["composites"].items()]
            out.append("")
        for name, table_ in self.measures.items():
            out += (
                [f"# Who answers is a rater of the {table_['level']}."]
                if ("rater" in table_)
                else []
            )
            out.append(f"[measures.{_key(name)}]")
            out += [*(f"{k} = {toml(v)}" for k, v in table_.items()), ""]
        for e in self.equations:
            out += [f"# {line}" for line in _reasons(e)]
            out.append(f"[equations.{_key(e.response.name)}]")
            out += [f"{k} = {toml(v)}" for k, v in table["equations"][e.response.name].items()]
            out.append("")
        out += [
            "# On the standardized scale: coefficients Normal(0, 0.5), products Normal(0, 0.25),"
        ]
        out += ["# means of units Normal(0, 1), sds HalfNormal(0.5), sigma HalfNormal(1)."]
        out.append("[priors]")
        out += [f"{_key(k, always=True)} = {toml(v)}" for k, v in table["priors"].items()]
        for name, estimand in table["estimands"].items():
            out += ["", f"[estimands.{_key(name)}]"]
            out += [f"{_key(k)} = {toml(v)}" for k, v in estimand.items()]
        return "\n".join(out) + "\n"


def _reasons(e: Drafted) -> list[str]:
    out = [f"{' + '.join(p.texts)}: {p.why}" for p in e.pieces]
    if e.groups:
        names = ", ".join(g.name for g in e.groups)
        out.append(f"an intercept of each {names}: rows of one unit are alike")
    if e.linked and not e.time:
        out.append(
            "|id|: intercepts that share an id correlate, since what a unit has in common moves "
            "them together"
        )
    if e.wave is not None:
        out.append(f"factor({e.wave}): waves differ for all")
    return out


def _key(name: str, *, always: bool = False) -> str:
    return name if not always and re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml(name)


def toml(value: Any) -> str:
    """Write a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int):
        return repr(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(str(k))} = {toml(v)}" for k, v in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, Sequence):
        return f"[{', '.join(toml(v) for v in value)}]"
    raise TypeError(type(value).__name__)
