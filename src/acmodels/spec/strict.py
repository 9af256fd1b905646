"""TOML to strict frozen types, with errors that say what was meant."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from acmodels.errors import InputError, ModelError, did_you_mean, listing
from acmodels.spec.names import composed


class Strict(BaseModel):
    """A table of a TOML file: no unknown keys, no silent conversions, nothing mutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


DATA = (".csv", ".parquet", ".sav", ".dta", ".xlsx")
ORDER = " (as in `fit MODEL DATA` and `check DATA MODEL`; a plan names its model by `model = …`)"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ModelError: it is missing, not text, or not TOML; the message has the line.
    """
    try:
        if not path.exists():
            near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.toml")])
            raise ModelError(f"{path}: no such file{near}")
        if path.is_dir():
            raise ModelError(f"{path}: is a folder; a model or design is one .toml file")
        if path.suffix.lower() in DATA:
            raise ModelError(f"{path}: is data, where a .toml file is expected{ORDER}")
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ModelError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as e:
        raise ModelError(f"{path}: is not valid TOML: {e}") from None
    except RecursionError:
        raise ModelError(f"{path}: is nested too deeply") from None
    except OSError as e:
        raise ModelError(f"{path}: cannot be read: {e.strerror}") from None


def composed_table(table: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return a file's contents with one spelling of accented letters, names of files apart.

    Args:
        table: what the file says.
        source: the file's name.

    Raises:
        ModelError: two keys differ in nothing else.
    """

    def one(value: Any) -> Any:
        if isinstance(value, str):
            return value if value.lower().endswith((".toml", *DATA)) else composed(value)
        if isinstance(value, list):
            return [one(v) for v in value]
        if not isinstance(value, Mapping):
            return value
        out: dict[Any, Any] = {}
        for key, inner in value.items():
            name = composed(key) if isinstance(key, str) else key
            if name in out:
                raise ModelError(
                    f"{source}: the key '{name}' appears twice, with its accents typed in two "
                    "ways; keep one of them"
                )
            out[name] = one(inner)
        return out

    return one(table)


def check_table[T: Strict](
    kind: type[T],
    table: Mapping[str, Any],
    source: str,
    where: str = "",
    error: type[InputError] = ModelError,
) -> T:
    """Check a table against its type.

    Args:
        kind: the type.
        table: what the file says.
        source: the file's name.
        where: the key path of the table within the file.
        error: what to raise.

    Raises:
        InputError: (or the kind asked for) with one sentence for each problem.
    """
    if "equations" in table and "equations" not in kind.model_fields:
        raise error(f"{source}: is a model, and another kind of file is expected here{ORDER}")
    if "equations" in kind.model_fields and "units" in table and "equations" not in table:
        raise error(f"{source}: is a design or a plan, and a model is expected here{ORDER}")
    try:
        return kind.model_validate(dict(table))
    except ValidationError as e:
        raise error(
            [_sentence(kind, d, loc, source, where) for d, loc in _located(e.errors(), table)]
        ) from None


type _Loc = tuple[Any, ...]


def _located(details: list[Any], table: Mapping[str, Any]) -> list[tuple[Any, _Loc]]:
    """Pair each error with its place in the file, one reading of each union kept.

    Where a value may be one of several types, pydantic reports what each of them lacks and
    puts the type's name into the place. The reading kept is the one that got furthest.
    """
    found: list[tuple[Any, _Loc, dict[_Loc, Any]]] = []
    for detail in details:
        here: Any = table
        loc: _Loc = ()
        readings: dict[_Loc, Any] = {}
        for n, step in enumerate(detail["loc"]):
            last = n == len(detail["loc"]) - 1
            at_index = isinstance(here, list) and isinstance(step, int) and step < len(here)
            if at_index or (isinstance(here, Mapping) and step in here):
                here = here[step]
            elif not (last and detail["type"] == "missing"):
                readings.setdefault(loc, step)
                continue
            loc = (*loc, step)
        found.append((detail, loc, readings))
    best: dict[_Loc, tuple[tuple[int, bool], Any]] = {}
    for detail, loc, readings in found:
        for place, reading in readings.items():
            reached = (len(loc), not _wrong_type(detail))
            if place not in best or reached > best[place][0]:
                best[place] = (reached, reading)
    return [
        (detail, loc)
        for detail, loc, readings in found
        if all(best[place][1] == reading for place, reading in readings.items())
    ]


def _wrong_type(detail: Any) -> bool:
    return str(detail["type"]).endswith(("_type", "int_from_float"))


def _sentence(kind: type[BaseModel], detail: Any, place: _Loc, source: str, where: str) -> str:
    loc = [str(x) for x in place]
    prefix = [where] if where else []
    code = detail["type"]
    if code in ("extra_forbidden", "missing"):
        at = ": ".join([source, *filter(None, [".".join([*prefix, *loc[:-1]])])])
        allowed = _keys(kind, place[:-1])
        if code == "missing":
            return f"{at}: the key '{loc[-1]}' is missing"
        near = did_you_mean(_OTHER_WORDS.get(loc[-1], loc[-1]), allowed)
        tail = near or f"; keys are {listing(allowed, 15)}"
        return f"{at}: unknown key '{loc[-1]}'{tail}"
    at = ": ".join([source, *filter(None, [".".join([*prefix, *loc])])])
    said = detail["input"]
    shown = repr(said) if not isinstance(said, dict) else "a table"
    if code == "literal_error":
        return f"{at}: {shown} is not one of {detail['ctx']['expected']}"
    return f"{at}: {_plain(detail)}, not {shown[:80]}{_example(kind, place)}"


_OTHER_WORDS = {"mass": "probability", "threshold": "probability"}
"""Keys that people write for another that is spelled quite differently."""


def _example(kind: type[BaseModel], place: _Loc) -> str:
    """Show how an entry of a table is written, where the table's field has an example."""
    info = kind.model_fields.get(str(place[0])) if len(place) == 2 else None
    return f"; for example {info.examples[0]}" if info and info.examples else ""


def _plain(detail: Any) -> str:
    words = {
        "string_type": "must be text in quotes",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_type": "must be a number",
        "bool_type": "must be true or false",
        "list_type": "must be a list in [ ]",
        "dict_type": "must be a table",
        "model_type": "must be a table",
        "finite_number": "must be a finite number",
    }
    message = str(detail["msg"]).replace("Input should be", "must be").replace("Value error, ", "")
    return words.get(detail["type"], message[:1].lower() + message[1:])


def _keys(kind: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """Find the keys allowed at a place, walking the types down the path."""
    current: Any = kind
    for step in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            info = current.model_fields.get(str(step))
            current = info.annotation if info else None
        else:
            current = _inner(current)
        current = _unwrap(current)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [info.alias or name for name, info in current.model_fields.items()]
    return []


def _inner(annotation: Any) -> Any:
    args = getattr(annotation, "__args__", ())
    return args[-1] if args else None


def _unwrap(annotation: Any) -> Any:
    """Take `X | None` and `Annotated[X, ...]` down to X."""
    import types
    import typing

    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _unwrap(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        rest = [a for a in typing.get_args(annotation) if a is not type(None)]
        plain = [_unwrap(a) for a in rest]
        tables = [a for a in plain if isinstance(a, type) and issubclass(a, BaseModel)]
        return (tables or plain)[0]
    return annotation
