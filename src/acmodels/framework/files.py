"""A framework's folder, read and checked: four small files, every problem in one go."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from acmodels.errors import ModelError, did_you_mean, listing, printable
from acmodels.framework.graph import (
    Arrow,
    Claim,
    CommonCause,
    Construct,
    Framework,
    Proposition,
    Unit,
)
from acmodels.spec.strict import Strict, check_table, composed_table, read_toml

FILES = ("framework.toml", "constructs.toml", "arrows.toml", "propositions.toml")

type Probability = Annotated[float, Field(gt=0.5, lt=1)]
type Smallest = Annotated[float, Field(ge=0)]


class UnitTable(Strict):
    """A kind of unit."""

    id: str
    within: str | None = None


class FrameworkTable(Strict):
    """`framework.toml`."""

    name: str
    title: str = ""
    probability: Probability = 0.975
    smallest: Smallest = 0.05
    wave: str = "wave"
    sources: dict[str, str] = Field(default_factory=dict)
    units: Annotated[dict[str, UnitTable], Field(min_length=1)]


class ConstructTable(Strict):
    """One construct."""

    name: str
    level: str
    parts: list[str] = Field(default_factory=list)
    facet_of: str | None = None
    opposite_of: str | None = None
    baseline_of: str | None = None
    aggregate_of: str | None = None
    rule: Literal["mean", "minimum", "maximum", "coverage"] | None = None
    categories: list[str] = Field(default_factory=list)
    aliases: list[str] = Field(default_factory=list)
    definition: str = ""
    block: str = ""
    source: str = ""


class ArrowTable(Strict):
    """One arrow, or causes that constructs share."""

    from_: Annotated[str | None, Field(alias="from")] = None
    to: str | None = None
    sign: Literal["+", "-"] | None = None
    lag: Annotated[int, Field(ge=0, le=1)] = 0
    by: str | None = None
    common_cause: Annotated[list[str] | None, Field(min_length=2)] = None
    source: str = ""
    assumed: str = ""


class ArrowsTable(Strict):
    """`arrows.toml`."""

    arrow: list[dict[str, Any]] = Field(default_factory=list)


class PropositionTable(Strict):
    """Keys that every proposition has, besides those of its kind of claim."""

    statement: str
    source: str = ""
    tier: Annotated[int, Field(ge=1, le=3)] = 1
    section: str = ""
    rivals: list[str] = Field(default_factory=list)
    readings: list[str] = Field(default_factory=list)
    not_asked: list[str] = Field(default_factory=list)
    probability: Probability | None = None
    smallest: Smallest | None = None


def load_framework(folder: str | Path | None = None) -> Framework:
    """Load a framework.

    Args:
        folder: with `framework.toml`, `constructs.toml`, `arrows.toml` and `propositions.toml`;
            the framework that comes with the package if None.

    Raises:
        ModelError: a file is missing or wrong; every problem is named.
    """
    if folder is None:
        return shipped()
    path = Path(folder)
    if not path.is_dir():
        what = "is a file; a framework is a folder" if path.exists() else "no such folder"
        raise ModelError(
            f"{printable(str(path))}: {what} with {listing(FILES)} "
            "(`acmodels new FOLDER --framework` writes one to start from)"
        )
    return _load(path, printable(path.name))


@cache
def shipped() -> Framework:
    """Return the framework that comes with the package."""
    return _load(Path(str(files("acmodels.framework"))), "the shipped framework")


def _load(path: Path, said: str) -> Framework:
    problems: list[str] = []
    raw: dict[str, Mapping[str, Any]] = {}
    for name in FILES:
        try:
            raw[name] = composed_table(read_toml(path / name), name)
        except ModelError as error:
            problems += [p.replace(f"{path}/", "") for p in error.problems]
    if problems:
        raise ModelError(problems)
    top = _table(FrameworkTable, raw["framework.toml"], "framework.toml", "", problems)
    constructs = _constructs(raw["constructs.toml"], problems)
    arrows, shared = _arrows(raw["arrows.toml"], problems)
    propositions = _propositions(raw["propositions.toml"], problems)
    if problems or top is None:
        raise ModelError(problems)
    units = {k: Unit(name=k, id=u.id, within=u.within) for k, u in top.units.items()}
    found = Framework(
        name=top.name, title=top.title or top.name.replace("_", " "),
        units=MappingProxyType(units), constructs=MappingProxyType(constructs),
        arrows=tuple(arrows), common_causes=tuple(shared),
        propositions=MappingProxyType(propositions), sources=MappingProxyType(top.sources),
        probability=top.probability,
        smallest=top.smallest, wave=top.wave, source=said,
    )  # fmt: skip
    problems = _references(found)
    if problems:
        raise ModelError(problems)
    return found


def _table[T: Strict](
    kind: type[T], table: Any, source: str, where: str, problems: list[str]
) -> T | None:
    if not isinstance(table, Mapping):
        problems.append(f"{source}: {where}: must be a table, as [{where}]")
        return None
    try:
        return check_table(kind, table, source, where)
    except ModelError as error:
        problems += error.problems
        return None


def _constructs(raw: Mapping[str, Any], problems: list[str]) -> dict[str, Construct]:
    out: dict[str, Construct] = {}
    for key, table in raw.items():
        t = _table(ConstructTable, table, "constructs.toml", key, problems)
        if t is not None:
            given: dict[str, Any] = t.model_dump()
            given |= {k: tuple(getattr(t, k)) for k in ("parts", "aliases", "categories")}
            out[key] = Construct(id=key, **given)
    return out


def _arrows(raw: Mapping[str, Any], problems: list[str]) -> tuple[list[Arrow], list[CommonCause]]:
    out: list[Arrow] = []
    shared: list[CommonCause] = []
    whole = _table(ArrowsTable, raw, "arrows.toml", "", problems)
    for number, table in enumerate(whole.arrow if whole is not None else (), 1):
        where = f"arrow {number}"
        t = _table(ArrowTable, table, "arrows.toml", where, problems)
        if t is None:
            continue
        if t.common_cause is not None:
            extra = [k for k in ("from", "to", "sign", "lag", "by") if k in table]
            if extra:
                problems.append(
                    f"arrows.toml: {where}: common_cause stands alone, without {listing(extra)}"
                )
            shared.append(CommonCause(of=tuple(t.common_cause), source=t.source, assumed=t.assumed))
            continue
        if t.from_ is None or t.to is None:
            problems.append(f"arrows.toml: {where}: needs both from and to, or common_cause alone")
            continue
        out.append(
            Arrow(
                from_=t.from_, to=t.to, sign=t.sign, lag=t.lag, by=t.by, source=t.source,
                assumed=t.assumed,
            )
        )  # fmt: skip
    return out, shared


def _propositions(raw: Mapping[str, Any], problems: list[str]) -> dict[str, Proposition]:
    out: dict[str, Proposition] = {}
    own = set(PropositionTable.model_fields)
    for key, table in raw.items():
        if not isinstance(table, Mapping):
            problems.append(f"propositions.toml: {key}: must be a table, as [{key}]")
            continue
        t = _table(
            PropositionTable, {k: v for k, v in table.items() if k in own},
            "propositions.toml", key, problems,
        )  # fmt: skip
        claims = _claims(key, {k: v for k, v in table.items() if k not in own}, problems)
        if t is None or not claims:
            continue
        out[key] = Proposition(
            id=key, statement=" ".join(t.statement.split()), claims=claims, source=t.source,
            tier=t.tier, section=t.section, rivals=tuple(t.rivals), readings=tuple(t.readings),
            not_asked=tuple(t.not_asked), probability=t.probability, smallest=t.smallest,
        )  # fmt: skip
    return out


def _claims(key: str, rest: Mapping[str, Any], problems: list[str]) -> tuple[Claim, ...]:
    if "all" in rest:
        several = rest["all"]
        if len(rest) > 1:
            problems.append(
                f"propositions.toml: {key}: all joins whole claims, so "
                f"{listing([k for k in rest if k != 'all'])} must stand inside them"
            )
        if not isinstance(several, list) or not several:
            problems.append(f"propositions.toml: {key}: all must be a list of claims")
            return ()
    else:
        several = [rest]
    out: list[Claim] = []
    for number, one in enumerate(several, 1):
        where = f"{key}: claim {number}" if "all" in rest else key
        if not isinstance(one, Mapping) or not isinstance(one.get("kind"), str):
            near = did_you_mean("kind", one) if isinstance(one, Mapping) else ""
            problems.append(f"propositions.toml: {where}: needs kind, a kind of claim{near}")
            continue
        out.append(Claim(kind=one["kind"], keys={k: v for k, v in one.items() if k != "kind"}))
    return tuple(out)


def _references(f: Framework) -> list[str]:
    """Names that nothing has, and units and composites that contain themselves."""
    out: list[str] = []

    def known(name: str | None, where: str) -> None:
        if name is not None and name not in f.constructs:
            out.append(f"{where}: no construct '{name}'{did_you_mean(name, f.constructs)}")

    for u in f.units.values():
        if u.within is not None and u.within not in f.units:
            near = did_you_mean(u.within, f.units)
            out.append(f"framework.toml: units.{u.name}.within: no unit '{u.within}'{near}")
    for c in f.constructs.values():
        where = f"constructs.toml: {c.id}"
        if c.level not in f.units:
            near = did_you_mean(c.level, f.units)
            out.append(
                f"{where}.level: no unit '{c.level}'{near} (units: {listing(list(f.units), 12)})"
            )
        for name in c.parts:
            known(name, f"{where}.parts")
        if (c.aggregate_of is None) != (c.rule is None):
            out.append(f"{where}: aggregate_of and rule stand together")
        for key in ("facet_of", "opposite_of", "baseline_of", "aggregate_of"):
            known(getattr(c, key), f"{where}.{key}")
    for number, a in enumerate(f.arrows, 1):
        where = f"arrows.toml: arrow {number}"
        known(a.from_, f"{where}: from")
        known(a.to, f"{where}: to")
        known(a.by, f"{where}: by")
        if a.from_ == a.to and not a.lag:
            out.append(f"{where}: '{a.from_}' is its own cause; within a wave nothing is")
    for shared in f.common_causes:
        for name in shared.of:
            known(name, "arrows.toml: common_cause")
    for p in f.propositions.values():
        for rival in p.rivals:
            if rival not in f.propositions:
                near = did_you_mean(rival, f.propositions)
                out.append(f"propositions.toml: {p.id}.rivals: no proposition '{rival}'{near}")
    if not out:
        out += _loops(f)
    return out


def _loops(f: Framework) -> list[str]:
    out: list[str] = []
    for u in f.units.values():
        seen, inner = [u.name], u
        while inner.within is not None:
            if inner.within in seen:
                out.append(f"framework.toml: units: {' in '.join([*seen, inner.within])} is a loop")
                break
            seen.append(inner.within)
            inner = f.units[inner.within]
    out += [
        f"constructs.toml: {c.id}.{key}: leads back to {c.id} itself"
        for c in f.constructs.values()
        for key in ("parts", "opposite_of")
        if _contains(f, c.id, key, ())
    ]
    return out


def _contains(f: Framework, name: str, key: str, seen: tuple[str, ...]) -> bool:
    if name in seen:
        return name == seen[0]
    value = getattr(f.constructs[name], key)
    following = value if isinstance(value, tuple) else (() if value is None else (value,))
    return any(_contains(f, n, key, (*seen, name)) for n in following)
