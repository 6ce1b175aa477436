"""From what an author wrote to the frozen value of a verb. A mistake is reported in words of the case, never of Python.

Keys, types and amounts are checked here, once for all verbs of all profiles: a status is 100 to 599, no number is negative, infinite or
NaN, and nothing waits longer than a case may take.
"""

import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import CoreSchema, core_schema

from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.engine.yaml_source import explained

T = TypeVar("T")
MOST_S = 60.0  # a case may take 120 s, and what is waited for comes after the wait
COUNTED = ("times", "copies", "nth")  # of what is done or waited for
BODY = "body"  # of a verb that sends a request: further members of it
STATUSES = ("status", "statuses", "http_status")


@dataclass(frozen=True, slots=True)
class Written:
    """In `Annotated[T, Written(read, schema)]`: how a value of this type is written. `read` gives the value, or raises `ValueError`."""

    read: Callable[[object], object]
    schema: Mapping[str, object] = field(default_factory=dict, hash=False)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, object]:
        return dict(self.schema)


def members(value: object, short: str = "", known: Iterable[str] = ()) -> dict[str, object]:
    """What was written, as members. A value alone is the member `short`; where there is none, its members are `known`."""
    if isinstance(value, Mapping):
        return {str(name): inner for name, inner in value.items()}
    if value is None or value is True:
        return {}
    if not short:
        named = ", ".join(f"{name}: ..." for name in known)
        raise ValueError(
            f"takes members, {{{named}}}; seen: {value!r}" if named else f"takes no value; seen: {value!r}"
        )
    return {short: value}


def made(kind: type[T], given: Mapping[str, object]) -> T:
    """A value of this kind. Raises `ValueError` with what is wrong with the members that were given."""
    known = {field.name: field for field in fields(kind) if field.init}  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise ValueError(unknown_name("key", name, known) + _of_body(kind, name))
    missing = [name for name, field in known.items() if name not in given and _is_needed(field)]
    if missing:
        raise ValueError(f"{', '.join(missing)}: missing. Write {{{', '.join(f'{name}: ...' for name in missing)}}}")
    for name, allowed in literals(kind).items():  # type: ignore[arg-type]
        for one in _several(given.get(name, ())):
            if one not in allowed and one is not None:
                raise ValueError(f"{name}: {unknown_name('word', one, allowed)}")
    lists, numbers = _lists(kind), _numbers(kind)  # type: ignore[arg-type]
    listed = {name: _several(value) if name in lists else value for name, value in given.items()}
    values = {}
    for name, value in listed.items():
        if name in numbers or name in STATUSES:
            amount(name, value)
        values[name] = _fitting(kind, name, value)
        sendable(name, value)  # after the members within it, whose mistakes say more
    _ordered(values)
    return kind(**values)


def _of_body(kind: type, name: str) -> str:
    """Where a member of the request is written, which is no member of the verb that sends it."""
    body = hints(kind).get(BODY)
    told = f" As a member of the request: `{BODY}: {{{name}: ...}}`."
    return told if body is not None and get_origin(_bare(body)) is Mapping else ""


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _ordered(values: Mapping[str, object]) -> None:
    """Raises `ValueError` for a range that nothing is in."""
    least, most = values.get("least"), values.get("most")
    if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
        raise ValueError(f"least: {least} is more than most, {most}")


def _fitting(kind: type, name: str, value: object) -> object:
    """The value of a member. Raises `ValueError` unless it is of the member's type. A number is kept as it was written: 5 is not made 5.0."""
    try:
        found = _types(kind)[name].validate_python(value, strict=True)
    except ValidationError as error:
        raise ValueError(f"{name}: {plain(error)}") from None
    return found if _reads(hints(kind)[name]) else value


def _reads(hint: object) -> bool:
    """Whether a type, or one within it, says how its values are written."""
    return any(isinstance(one, Written) or _reads(one) for one in get_args(hint))


def _is_needed(field: "Field[object]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _several(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


@functools.cache
def hints(kind: type) -> Mapping[str, Any]:
    """The types of the members, with what is annotated."""
    return get_type_hints(kind, include_extras=True)


@functools.cache
def literals(kind: type) -> Mapping[str, tuple[str, ...]]:
    """The words that a member may be, where its type lists them."""
    found = {name: _words(hint) for name, hint in hints(kind).items()}
    return {name: words for name, words in found.items() if words}


def _words(hint: object) -> tuple[str, ...]:
    if get_origin(hint) is Literal:
        return tuple(one for one in get_args(hint) if isinstance(one, str))
    if get_origin(hint) in (tuple, Union, UnionType, Annotated):
        return next((words for words in map(_words, get_args(hint)) if words), ())
    return ()


@functools.cache
def _lists(kind: type) -> frozenset[str]:
    """The members that are lists; a value alone is a list of one."""
    return frozenset(name for name, hint in get_type_hints(kind).items() if get_origin(hint) is tuple)


@functools.cache
def _numbers(kind: type) -> frozenset[str]:
    """The members that count or measure something."""
    amounts = {int, float, int | None, float | None, tuple[int, ...], tuple[float, ...]}
    return frozenset(name for name, hint in get_type_hints(kind).items() if hint in amounts)


@functools.cache
def _types(kind: type) -> Mapping[str, TypeAdapter[Any]]:
    return {field.name: TypeAdapter(hints(kind)[field.name]) for field in fields(kind)}


def type_mistakes(kind: type) -> Iterator[str]:
    """The members whose types cannot be read, or can hold no value that is written in YAML."""
    try:
        found = hints(kind)
    except (NameError, TypeError, AttributeError) as error:
        yield f"the types of the members cannot be read: {error}. Import the types at module level, not under TYPE_CHECKING"
        return
    for member in (one.name for one in fields(kind) if one.init):
        try:
            TypeAdapter(found[member])
        except PydanticSchemaGenerationError as error:
            yield f"{member}: no value of its type can be written in YAML: {str(error).splitlines()[0]}"


def amount(name: str, value: object) -> None:
    """Raises `ValueError` for a number that no case can mean."""
    for one in _several(value):
        if isinstance(one, bool) or not isinstance(one, int | float):
            continue
        if not math.isfinite(one):
            raise ValueError(f"{name}: {one} is no number that can be waited for or counted")
        if one < 0:
            raise ValueError(f"{name}: {one} is less than 0")
        if one < 1 and name in COUNTED:
            raise ValueError(f"{name}: {one} is less than 1")
        if one > 1 and name == "share":
            raise ValueError(f"{name}: {one} is more than 1, which is all of them")
        if name in STATUSES and not 100 <= one <= 599:
            raise ValueError(f"{name}: {one} is no status of HTTP; they are 100 to 599")
        if (name.endswith("_s") or name == "seconds") and one > MOST_S:
            raise ValueError(f"{name}: {one:g} s is longer than a case may wait; {MOST_S:g} s is the most")


def sendable(name: str, value: object) -> None:
    """Raises `ValueError` for members that no JSON can hold: NaN and the infinite would be sent as what they are not."""
    if isinstance(value, Mapping | tuple | list):
        try:
            json.dumps(value, allow_nan=False, default=lambda one: None)
        except ValueError as error:
            raise ValueError(
                f"{name}: {value!r} cannot be sent as JSON ({error}); `raw` sends a text as it is"
            ) from None


def plain(error: Exception) -> str:
    """The message of an error, without what only a Python programmer understands."""
    if isinstance(error, ValidationError):
        found = ((".".join(map(str, loc)), told) for loc, told in explained(error))
        return "; ".join(f"{where}: {told}" if where else told for where, told in found)
    if isinstance(error, KeyError):
        return f"the key {error} is missing"
    return re.sub(r"invalid literal for int\(\) with base 10: (.*)", r"\1 is no whole number", str(error))
