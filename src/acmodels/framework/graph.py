"""A theory as frozen values: constructs, arrows, and the claims made about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from acmodels.display import facts
from acmodels.errors import InputError, did_you_mean, listing

type Sign = Literal["+", "-"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A kind of unit.

    Attributes:
        name: as constructs' levels have it.
        id: the column that says which unit a row belongs to.
        within: the kind of unit that it lies in, or None.
    """

    name: str
    id: str
    within: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Construct:
    """Something that the propositions are about.

    Attributes:
        id: its key in the files, and the name of its column.
        name: what the field calls it.
        level: the kind of unit that it describes.
        parts: of a composite, the constructs whose mean it is.
        facet_of: the construct that it is one side of.
        opposite_of: the construct that it is the reverse of.
        baseline_of: the construct whose value before the start it is.
        aggregate_of, rule: a construct of persons and how what they have of it is put together:
            `mean`, `minimum`, `maximum` or `coverage`.
        categories: of what has no order, some of its values.
        aliases: other names that its column may have.
        definition: what it is, in one sentence.
        block: the part of the framework that it belongs to.
        source: where it is defined.
    """

    id: str
    name: str
    level: str
    parts: tuple[str, ...] = ()
    facet_of: str | None = None
    opposite_of: str | None = None
    baseline_of: str | None = None
    aggregate_of: str | None = None
    rule: str | None = None
    categories: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    definition: str = ""
    block: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A cause and its effect.

    Attributes:
        from_, to: ids of constructs; a composite stands for each of its parts.
        sign: the direction that the theory states, or None.
        lag: waves between cause and effect.
        by: what the strength of the arrow depends on, or None.
        source: where the theory says so.
        assumed: why it is there, where the theory is silent.
    """

    from_: str
    to: str
    sign: Sign | None = None
    lag: int = 0
    by: str | None = None
    source: str = ""
    assumed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonCause:
    """Causes that several constructs share and nobody measures.

    Attributes:
        of: ids of the constructs.
        source, assumed: as of an arrow.
    """

    of: tuple[str, ...]
    source: str = ""
    assumed: str = ""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim as the file has it, before its kind has read it.

    Attributes:
        kind: the kind of claim.
        keys: the keys of that kind, as the file has them.
    """

    kind: str
    keys: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Proposition:
    """One proposition of a theory.

    Attributes:
        id: its key, such as `P41`.
        statement: the claim, in one sentence.
        claims: what must hold together for it to hold.
        source: where the theory says so.
        tier: 1 a core test, 2 a stated conjecture or open question, 3 a claim about context,
            distal outcomes or measurement.
        section: the part of the theory it belongs to.
        rivals: ids of propositions that cannot hold together with it.
        readings: mutually exclusive accounts within the proposition itself.
        not_asked: what of the statement no claim asks, as sentences.
        probability: threshold of its verdict, or None for the framework's.
        smallest: smallest effect of interest, in sd units, or None for the framework's.
    """

    id: str
    statement: str
    claims: tuple[Claim, ...]
    source: str = ""
    tier: int = 1
    section: str = ""
    rivals: tuple[str, ...] = ()
    readings: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = ()
    probability: float | None = None
    smallest: float | None = None

    def _repr_html_(self) -> str:
        kinds = ", ".join(dict.fromkeys(c.kind for c in self.claims))
        return facts(
            self.id,
            {"Claim": self.statement, "Source": self.source, "Kind": kinds, "Tier": self.tier},
        )


@dataclass(frozen=True, kw_only=True)
class Framework:
    """A whole theory.

    Attributes:
        name, title: of the theory.
        units: kinds of unit by name.
        constructs, propositions: by id, in the order of the files.
        arrows, common_causes: in the order of the file.
        sources: references by short key.
        probability: threshold of verdicts.
        smallest: smallest effect of interest, in sd units.
        wave: the column of whole-number waves.
        source: what messages call it.
    """

    name: str
    title: str
    units: Mapping[str, Unit]
    constructs: Mapping[str, Construct]
    arrows: tuple[Arrow, ...]
    propositions: Mapping[str, Proposition]
    common_causes: tuple[CommonCause, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    probability: float = 0.975
    smallest: float = 0.05
    wave: str = "wave"
    source: str = "framework"

    def __hash__(self) -> int:
        return id(self)

    def construct(self, name: str) -> Construct:
        """Return a construct.

        Raises:
            InputError: there is none of that id.
        """
        found = self.constructs.get(name)
        if found is None:
            raise InputError(
                f"{self.source}: no construct '{name}'{did_you_mean(name, self.constructs)}"
            )
        return found

    def proposition(self, name: str) -> Proposition:
        """Return a proposition.

        Raises:
            InputError: there is none of that id.
        """
        found = self.propositions.get(name)
        if found is None:
            raise InputError(
                f"{self.source}: no proposition '{name}'"
                f"{did_you_mean(name, self.propositions)} "
                f"(there: {listing(list(self.propositions), 12)})"
            )
        return found

    def leaves(self, name: str) -> tuple[str, ...]:
        """Return the constructs that a construct is made of: its parts' parts, or itself."""
        parts = self.constructs[name].parts
        if not parts:
            return (name,)
        return tuple(dict.fromkeys(leaf for p in parts for leaf in self.leaves(p)))

    def node(self, name: str) -> str:
        """Return what stands for a construct in the graph: what it is the reverse or a side of."""
        c = self.constructs[name]
        other = c.opposite_of or c.facet_of
        return name if other is None or self.constructs[other].parts else self.node(other)

    @cached_property
    def above(self) -> Mapping[str, tuple[str, ...]]:
        """By kind of unit, the kinds that it lies in, the nearest first."""
        out: dict[str, tuple[str, ...]] = {}
        for name, unit in self.units.items():
            chain: list[str] = []
            inner = unit
            while inner.within is not None and inner.within not in chain:
                chain.append(inner.within)
                inner = self.units[inner.within]
            out[name] = tuple(chain)
        return out
