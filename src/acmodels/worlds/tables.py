"""A world as the tables of a study: what a research team would hold."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from acmodels.data.table import Labels
from acmodels.rng import stream
from acmodels.worlds.answers import Answered, items
from acmodels.worlds.arrows import variables
from acmodels.worlds.flow import Values
from acmodels.worlds.people import Seats
from acmodels.worlds.scenario import Scenario
from acmodels.worlds.units import Units

CODED_ERROR = 0.2
"""Standard error of what is coded from documents and interviews."""

_STATES = ("06", "08", "36", "48", "53", "17", "12", "25")
_FUNCTIONS = ("mathematics", "literacy", "assessment", "leadership", "equity", "curriculum")
_TYPES = ("university", "vendor", "nonprofit", "consultant", "foundation", "ta_agency")
_FUNDERS = ("federal", "foundation", "state", "district", "corporate")
_DESIGNS = ("alliance", "design_based", "nic", "vendor", "consult")
_DOMAINS = ("mathematics", "literacy", "science", "leadership", "improvement")
_LOCALES = ("city", "suburb", "town", "rural")
_ROLES = ("director", "coordinator", "specialist", "coach", "analyst")
_ORIGINS = ("designed", "emergent")


LABELS = {
    "wave_id": "Wave", "t_years": "Years since the first wave", "state": "State (FIPS code)",
    "leaid": "NCES district id", "enrollment": "Students",
    "n_central_staff": "Staff of the central office", "frpl_pct": "Free or reduced lunch, percent",
    "locale": "Locale", "function": "What the department does", "n_staff": "Staff",
    "partner_type": "Kind of partner", "funder_type": "Kind of funder", "design": "Design",
    "domain": "Subject of the work", "start_wave": "First wave at work",
    "end_wave": "Last wave at work, where it ended", "org": "District or partner",
    "role": "Role", "years_role": "Years in the role", "unit_type": "Kind of unit",
    "active": "Answered in the wave", "parent_id": "What the construct is a part of",
    "block": "Construct of the framework", "level": "Unit that has it", "label": "Wording or name",
    "measurement": "How it is measured", "aggregate": "How raters are put together",
    "referent": "Unit asked about", "response": "Kind of answer", "n_cat": "Points of the scale",
    "min": "Lowest answer", "max": "Highest answer", "reverse": "Worded the other way round",
    "target_type": "Kind of unit rated", "value": "Value", "missing_reason": "Why it is missing",
    "variable": "Variable", "se": "Standard error", "source": "Where it is from",
    "depth": "Depth of the routine", "origin": "Designed or emergent",
    "per_month": "Times a month", "n_district": "District staff taking part",
    "n_partner": "Partner's people taking part", "tool": "A tool is used", "kind": "Kind of event",
    "size": "Size", "relation": "What a tie is", "directed": "Ties have a direction",
    "roster": "Whom one could name",
}  # fmt: skip
"""What columns are, for codebooks and statistical packages."""

CODES = {
    "depth": {1.0: "update", 2.0: "co-plan", 3.0: "coach", 4.0: "co-design"},
    "reverse": {0.0: "no", 1.0: "yes"},
    "active": {0.0: "no", 1.0: "yes"},
    "tool": {0.0: "no", 1.0: "yes"},
}
"""What numbers stand for."""


def labelled(frame: pd.DataFrame) -> Labels:
    """The labels of a table's columns."""
    named = {v.name: v.label for v in variables().values()}
    columns = {c: LABELS.get(c) or named.get(c, "") for c in frame.columns}
    values = {c: CODES[c] for c in frame.columns if c in CODES and frame[c].dtype.kind in "if"}
    return Labels({c: w for c, w in columns.items() if w}, values, {})


def ids(prefix: str, n: int) -> np.ndarray:
    """Ids of units: `district_001`, with more digits where there are more than 999.

    >>> ids("district", 2).tolist()
    ['district_001', 'district_002']
    """
    width = max(3, len(str(n)))
    return np.array([f"{prefix}_{k + 1:0{width}d}" for k in range(n)], dtype=object)


def tables(
    scenario: Scenario,
    units: Units,
    values: Values,
    seats: tuple[Seats, ...],
    answered: list[Answered],
    seed: int,
) -> dict[str, pd.DataFrame]:
    """Every table of the study, by name; ids and words are categoricals."""
    name = {level: ids(level, n) for level, n in units.size.items()}
    name["funder"] = ids("funder", scenario.size.funders)
    waves = np.arange(1, units.waves + 1)
    out: dict[str, pd.DataFrame] = {
        "waves": pd.DataFrame({"wave_id": waves, "t_years": (waves - 1).astype(np.float64)}),
        "districts": _districts(name, seed),
        "departments": _departments(name, units, scenario, seed),
        "partners": _partners(name, values, seed),
        "funders": pd.DataFrame(
            {
                "funder_id": name["funder"],
                "funder_type": _drawn(_FUNDERS, len(name["funder"]), seed, "funder_type"),
            }
        ),
        "partnerships": _partnerships(name, units, seed),
        "persons": _persons(seats, seed),
        "memberships": _memberships(seats, units, name),
        "constructs": _constructs(),
        "items": _items(scenario),
        "responses": _responses(answered, name),
        "unit_measures": _measures(units, values, name, seed),
        "guidance": _guidance(units, values, name),
        "routines": _routines(units, values, name, seed),
    }
    events = _events(units, values, name)
    if len(events):
        out["events"] = events
    ties = _ties(units, values, seats, seed)
    if len(ties):
        out["networks"] = pd.DataFrame(
            {
                "network_id": ["informal"],
                "relation": ["informal contact with the partner"],
                "directed": [True],
                "value_min": [0],
                "value_max": [4],
                "roster": ["complete"],
            }
        )
        out["ties"] = ties
    return out


def _category(codes: np.ndarray, words: Any) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=pd.Index(words, dtype=object))


def _drawn(words: tuple[str, ...], n: int, seed: int, use: str) -> pd.Categorical:
    return _category(stream(seed, "world", use).integers(0, len(words), n), words)


def _districts(name: Mapping[str, np.ndarray], seed: int) -> pd.DataFrame:
    n = len(name["district"])
    rng = stream(seed, "world", "districts")
    state = np.array(_STATES, dtype=object)[rng.integers(0, len(_STATES), n)]
    size = np.exp(rng.normal(9.5, 0.8, n)).astype(np.int64)
    return pd.DataFrame(
        {
            "district_id": name["district"],
            "state": state,
            "leaid": [f"{s}{10_000 + 7 * k:05d}" for k, s in enumerate(state)],
            "enrollment": size,
            "n_central_staff": np.maximum(4, size // 400),
            "frpl_pct": np.round(100 / (1 + np.exp(-rng.normal(0, 0.9, n))), 1),
            "locale": _drawn(_LOCALES, n, seed, "locale"),
        }
    )


def _departments(
    name: Mapping[str, np.ndarray], units: Units, scenario: Scenario, seed: int
) -> pd.DataFrame:
    n = units.size["department"]
    rng = stream(seed, "world", "departments")
    return pd.DataFrame(
        {
            "department_id": name["department"],
            "district_id": name["district"][units.above["department"]["district"]],
            "function": _category(
                np.arange(n) % scenario.size.departments % len(_FUNCTIONS), _FUNCTIONS
            ),
            "n_staff": scenario.size.staff + rng.integers(0, 6, n),
        }
    )


def _partners(name: Mapping[str, np.ndarray], values: Values, seed: int) -> pd.DataFrame:
    table: dict[str, Any] = {
        "partner_id": name["partner"],
        "partner_type": _drawn(_TYPES, len(name["partner"]), seed, "partner_type"),
    }
    for v in variables().values():
        if v.measured == "partners":
            table[v.name] = np.round(values[v.name][0], 4)
    return pd.DataFrame(table)


def _partnerships(name: Mapping[str, np.ndarray], units: Units, seed: int) -> pd.DataFrame:
    n = units.size["partnership"]
    above = units.above["partnership"]
    last = units.active.sum(axis=0)
    end = pd.array(np.where(last < units.waves, last, 0), dtype="Int64")
    end[end == 0] = pd.NA
    return pd.DataFrame(
        {
            "partnership_id": name["partnership"],
            "district_id": name["district"][above["district"]],
            "department_id": name["department"][above["department"]],
            "partner_id": name["partner"][above["partner"]],
            "funder_id": name["funder"][units.funder],
            "design": _drawn(_DESIGNS, n, seed, "design"),
            "domain": _drawn(_DOMAINS, n, seed, "domain"),
            "start_wave": np.ones(n, dtype=np.int64),
            "end_wave": end,
        }
    )


def _people(seats: Seats) -> tuple[np.ndarray, np.ndarray]:
    """The ids of all who ever sat in the seats, and who sits where: (waves, seats)."""
    n = len(seats.unit)
    key = seats.entered * n + np.arange(n)
    known, place = np.unique(key, return_inverse=True)
    letter = "d" if seats.kind == "department" else "p"
    width = max(4, len(str(n)))
    made = [f"{letter}{k % n + 1:0{width}d}_{k // n + 1}" for k in known]
    return np.array(made, dtype=object), place.reshape(key.shape)


def _persons(seats: tuple[Seats, ...], seed: int) -> pd.DataFrame:
    parts: list[pd.DataFrame] = []
    for who in seats:
        people, _ = _people(who)
        n = len(people)
        rng = stream(seed, "world", who.kind, "persons")
        parts.append(
            pd.DataFrame(
                {
                    "person_id": people,
                    "org": "district" if who.kind == "department" else "partner",
                    "role": _drawn(_ROLES, n, seed, f"role of {who.kind}").astype(str),
                    "years_role": np.round(rng.exponential(4, n), 1),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _memberships(
    seats: tuple[Seats, ...], units: Units, name: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    parts: list[pd.DataFrame] = []
    for who in seats:
        people, place = _people(who)
        n = len(who.unit)
        parts.append(
            pd.DataFrame(
                {
                    "person_id": people[place.ravel()],
                    "wave_id": np.repeat(np.arange(1, units.waves + 1), n),
                    "unit_type": who.kind,
                    "unit_id": np.tile(name[who.kind][who.unit], units.waves),
                    "active": who.answers.ravel().astype(np.int64),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _constructs() -> pd.DataFrame:
    rows: list[tuple[str, str | None, str, str, str]] = []
    parents = {v.parent for v in variables().values() if v.parent}
    for v in variables().values():
        if v.items or v.name in parents:
            block = v.code or "other"
            rows.append((v.name, v.parent, block, v.level, v.label))
            rows += [
                (f"{v.name}.{f}", v.name, block, v.level, f"{v.label}: {f.replace('_', ' ')}")
                for f in v.facets
            ]
    frame = pd.DataFrame(rows, columns=["construct_id", "parent_id", "block", "level", "label"])
    frame["measurement"] = "reflective"
    frame["aggregate"] = "mean"
    return frame


def _items(scenario: Scenario) -> pd.DataFrame:
    book = items()
    of = [i.id.rsplit("_", 1)[0] for i in book]
    level = [variables()[v].level for v in of]
    return pd.DataFrame(
        {
            "item_id": [i.id for i in book],
            "construct_id": [i.construct for i in book],
            "referent": level,
            "response": "ordinal",
            "n_cat": scenario.answers.points,
            "min": 1,
            "max": scenario.answers.points,
            "reverse": [int(i.reverse) for i in book],
            "label": [
                f"{variables()[v].label}, item {i.place + 1}{' (reversed)' if i.reverse else ''}"
                for v, i in zip(of, book, strict=True)
            ],
        }
    )


def _responses(answered: list[Answered], name: Mapping[str, np.ndarray]) -> pd.DataFrame:
    levels = tuple(name)
    offset = dict(zip(levels, np.cumsum([0, *(len(name[k]) for k in levels)])[:-1], strict=True))
    targets = np.concatenate([name[k] for k in levels])
    people: dict[str, tuple[np.ndarray, np.ndarray, int]] = {}
    every: list[np.ndarray] = []
    for a in answered:
        if a.seats.kind not in people:
            who, place = _people(a.seats)
            people[a.seats.kind] = (who, place, sum(len(e) for e in every))
            every.append(who)
    person = np.concatenate(
        [people[a.seats.kind][2] + people[a.seats.kind][1][a.wave][a.seat] for a in answered]
    )
    value = np.concatenate([a.value for a in answered]).astype(np.float64)
    skipped = value == 0
    value[skipped] = np.nan
    kinds = ["district", "department", "partner", "partnership"]
    return pd.DataFrame(
        {
            "person_id": _category(person, np.concatenate(every)),
            "item_id": _category(
                np.concatenate([a.item for a in answered]), [i.id for i in items()]
            ),
            "wave_id": np.concatenate([np.full(len(a.value), a.wave + 1) for a in answered]),
            "target_type": _category(
                np.concatenate(
                    [np.full(len(a.value), kinds.index(a.variable.level)) for a in answered]
                ),
                kinds,
            ),
            "target_id": _category(
                np.concatenate([a.target + offset[a.variable.level] for a in answered]), targets
            ),
            "value": value,
            "missing_reason": _category(np.where(skipped, 0, -1), ["skipped"]),
        }
    )


def _measures(
    units: Units, values: Values, name: Mapping[str, np.ndarray], seed: int
) -> pd.DataFrame:
    parts: list[pd.DataFrame] = []
    words = [v.name for v in variables().values()]
    for k, v in enumerate(variables().values()):
        if v.measured != "coded":
            continue
        exact = v.kind == "count"
        for wave in range(units.waves):
            at = np.arange(units.size[v.level])
            if v.level == "partnership":
                at = np.flatnonzero(units.active[wave])
            error = stream(seed, "world", v.name, "coding", wave).standard_normal(
                units.size[v.level]
            )
            x = values[v.name][wave] + (0.0 if exact else CODED_ERROR) * error
            parts.append(
                pd.DataFrame(
                    {
                        "unit_type": v.level,
                        "unit_id": name[v.level][at],
                        "wave_id": wave + 1,
                        "variable": _category(np.full(len(at), k), words),
                        "value": np.round(x[at], 4),
                        "se": 0.0 if exact else CODED_ERROR,
                        "source": "admin" if exact else "coding",
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _by_wave(
    units: Units, name: Mapping[str, np.ndarray]
) -> Iterator[tuple[int, np.ndarray, pd.DataFrame]]:
    for wave in range(units.waves):
        at = np.flatnonzero(units.active[wave])
        yield (
            wave,
            at,
            pd.DataFrame({"partnership_id": name["partnership"][at], "wave_id": wave + 1}),
        )


def _guidance(units: Units, values: Values, name: Mapping[str, np.ndarray]) -> pd.DataFrame:
    measured = [v for v in variables().values() if v.measured == "guidance"]
    parts: list[pd.DataFrame] = []
    for wave, at, table in _by_wave(units, name):
        for v in measured:
            table[v.name] = np.round(values[v.name][wave][at], 4)
        shares = [v.name for v in measured if v.kind == "simplex"]
        # rounded, the shares must still sum to 1
        table[shares[-1]] = np.round(1 - table[shares[:-1]].sum(axis=1), 4)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _routines(
    units: Units, values: Values, name: Mapping[str, np.ndarray], seed: int
) -> pd.DataFrame:
    """The deepest routine of each partnership, and up to two shallower ones."""
    parts: list[Any] = []
    n = units.size["partnership"]
    for wave, at, table in _by_wave(units, name):
        rng = stream(seed, "world", "routines", wave)
        depth = values["routine_depth"][wave].astype(np.int64)
        tool = values["tool"][wave].astype(np.int64)
        more = np.minimum(rng.integers(0, 3, n), depth - 1)
        month, emergent = rng.poisson(2, (3, n)) + 1, rng.integers(0, 2, (3, n))
        staff, guests = rng.integers(1, 7, (3, n)), rng.integers(1, 4, (3, n))
        for k in range(3):
            here = at[more[at] >= k]
            one = table[more[at] >= k].copy()
            one["routine_id"] = k + 1
            one["depth"] = depth[here] - k
            one["origin"] = _category(emergent[k][here], _ORIGINS)
            one["per_month"] = month[k][here]
            one["n_district"] = staff[k][here]
            one["n_partner"] = guests[k][here]
            one["tool"] = tool[here] if k == 0 else 0
            parts.append(one)
    return pd.concat(parts, ignore_index=True)


def _events(units: Units, values: Values, name: Mapping[str, np.ndarray]) -> pd.DataFrame:
    rows: list[tuple[str, str, int, str, float]] = []
    for v in variables().values():
        if v.measured != "events":
            continue
        for wave in range(units.waves):
            at = np.flatnonzero(values[v.name][wave] > 0)
            rows += [(v.level, name[v.level][k], wave + 1, v.name, 1.0) for k in at]
    for wave in range(1, units.waves):
        at = np.flatnonzero(units.active[wave - 1] & ~units.active[wave])
        rows += [("partnership", name["partnership"][k], wave + 1, "partner_exit", 1.0) for k in at]
    frame = pd.DataFrame(rows, columns=["unit_type", "unit_id", "wave_id", "kind", "size"])
    frame.insert(0, "event_id", ids("event", len(frame)))
    return frame


def _ties(units: Units, values: Values, seats: tuple[Seats, ...], seed: int) -> pd.DataFrame:
    """Contact of staff with the partner's people, 0 to 4; zeros are not rows."""
    district, partner = seats
    who, where = _people(district)
    whom, there = _people(partner)
    per = len(district.unit) // units.size["department"]
    guests = len(partner.unit) // units.size["partner"]
    above = units.above["partnership"]
    parts: list[pd.DataFrame] = []
    for wave in range(units.waves):
        at = np.flatnonzero(units.active[wave])
        latent = values["informal_ties"][wave][at]
        noise = stream(seed, "world", "ties", wave).standard_normal(
            (units.size["partnership"], per, guests)
        )[at]
        value = np.searchsorted(np.array([0.0, 0.7, 1.4, 2.1]), latent[:, None, None] + noise)
        p, s, g = np.nonzero(value)
        seat = above["department"][at][p] * per + s
        guest = above["partner"][at][p] * guests + g
        table = pd.DataFrame(
            {
                "network_id": "informal",
                "wave_id": wave + 1,
                "sender_id": who[where[wave][seat]],
                "receiver_id": whom[there[wave][guest]],
                "value": value[p, s, g],
            }
        )
        parts.append(table.drop_duplicates(["sender_id", "receiver_id"]))
    return pd.concat(parts, ignore_index=True)
