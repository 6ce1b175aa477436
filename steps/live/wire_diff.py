"""What a case looked like on the wire: for each member of each message, whether it was there, of what type, with what value.

Two recordings of one case, by script and live, are compared member by member. What may differ stands in `scenarios/divergence.yaml`.
"""

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.trace import Exchange, NotJson, Trace, parse
from rollout_conformance.steps.paths import SCENARIOS
from rollout_conformance.steps.peers.trainer import NONCE

MASK = SCENARIOS / "divergence.yaml"
ABSENT = "absent"


class Allowed(BaseModel):
    """Members that may differ: `values` in what they say, `members` also in whether they are there and of what type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: dict[str, str] = {}
    members: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Difference:
    """One member that is otherwise live than by script. `what` is `value` or `type`."""

    member: str
    what: str
    scripted: str
    live: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What a list or an object without members is: it has a type and no value."""

    what: str

    @property
    def kind(self) -> str:
        return "object" if self.what == "empty object" else "list"

    def __str__(self) -> str:
        return self.what


def mask(file: Path = MASK) -> Allowed:
    """Raises `SuiteError` with file:line for what does not fit."""
    return yaml_source.validated(Allowed, yaml_source.read(file))


def leaves(trace: Trace) -> dict[str, list[object]]:
    """Every member of every message of a case: path -> the values in the order in which they went over the wire.

    A path begins with whose message it is: `generation.request`, `generation.reply`, `start.request`, `start.reply`, ...
    """
    found: dict[str, list[object]] = {}
    for exchange in trace.exchanges:
        name = _name(exchange)
        bodies = {"request": exchange.request.body, "reply": exchange.response.body if exchange.response else b""}
        bodies = {side: NONCE.sub(b"rc-N", raw) for side, raw in bodies.items()}  # every run has names of its own
        for side, raw in bodies.items():
            body = parse(raw) if raw else NotJson("it is empty")
            if not isinstance(body, NotJson):
                for path, value in _walk(f"{name}.{side}", body):
                    found.setdefault(path, []).append(value)
        if exchange.response is not None:
            found.setdefault(f"{name}.status", []).append(exchange.response.status)
    return found


def _name(exchange: Exchange) -> str:
    path = exchange.request.path.partition("?")[0]
    known = {"/chat/completions": "generation", "/rollout/completed": "completion", "/rollout/graded": "grade"}
    for end, name in known.items():
        if path.endswith(end):
            return name
    return "start" if path.endswith(("/rollout", "/rollout/init", "/rollouts")) else "other"


def _walk(path: str, value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        if not value:
            yield path, Shape("empty object")
        for name, inner in value.items():
            yield from _walk(f"{path}.{name}", inner)
    elif isinstance(value, list):
        yield path, Shape(f"list of {_type(value[0])}" if value else "empty list")
        for inner in value[:50]:
            yield from _walk(f"{path}[]", inner)
    else:
        yield path, value


def _type(value: object) -> str:
    if isinstance(value, Shape):
        return value.kind
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "list" if isinstance(value, list) else "object"


def differences(scripted: Trace, live: Trace, allowed: Allowed) -> tuple[Difference, ...]:
    """What one case shows otherwise live than by script, allowed differences left out."""
    ours, theirs = leaves(scripted), leaves(live)
    found = (_difference(path, ours.get(path), theirs.get(path), allowed) for path in sorted({*ours, *theirs}))
    return tuple(one for one in found if one is not None)


def _difference(
    path: str, ours: list[object] | None, theirs: list[object] | None, allowed: Allowed
) -> Difference | None:
    if _any(path, allowed.members):
        return None
    types = [{_type(v) for v in values} if values is not None else {ABSENT} for values in (ours, theirs)]
    if types[0] != types[1]:
        return Difference(path, "type", *(" or ".join(sorted(one)) for one in types))
    if ours is None or theirs is None or _any(path, allowed.values) or ours[0] == theirs[0]:
        return None
    return Difference(path, "value", *(str(v) if isinstance(v, Shape) else show(v) for v in (ours[0], theirs[0])))


def _any(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern.replace("[", "[[]")) for pattern in patterns)
