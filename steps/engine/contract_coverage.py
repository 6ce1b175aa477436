"""Contract coverage: which operations, statuses, members, enum values and boundaries of a contract a run exercised.

A *point* is one thing that a contract says and an exchange can show, written as text: `request.max_turns minimum 1`. The points of a
contract are counted from its schemas, those of a run from the bodies that crossed the wire.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.steps.engine.trace import Exchange, NotJson, parse

METHODS = ("get", "put", "post", "delete", "patch")
BOUNDS = {"minimum": None, "maximum": None, "minLength": len, "maxLength": len, "minItems": len, "maxItems": len}
KINDS = ("status", "member", "value", "boundary")
DEEPEST = 8  # members below this are a schema that contains itself


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """`kind` is one of KINDS; `operation` a label such as `POST /v1/jobs`, `what` says where in it."""

    operation: str
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Operation:
    """`to_target` tells who is asked; `pattern` matches the paths that belong to it."""

    label: str
    method: str
    pattern: re.Pattern[str]
    to_target: bool
    request: object
    responses: Mapping[str, object]


@dataclass(slots=True)
class Coverage:
    """What has been exercised of one contract so far."""

    spec: Mapping[str, object]
    seen: set[Point] = field(default_factory=set)
    operations: list[Operation] = field(init=False)
    points: frozenset[Point] = field(init=False)

    def __post_init__(self) -> None:
        self.operations = list(operations(self.spec))
        self.points = frozenset(point for one in self.operations for point in _said(self.spec, one))

    def add(self, exchanges: Iterable[Exchange]) -> None:
        for exchange in exchanges:
            for operation in self.operations:
                if _belongs(operation, exchange):
                    self.seen.update(_shown(self.spec, operation, exchange))
                    break

    def missing(self) -> list[Point]:
        """Points of the contract that nothing exercised, in order."""
        return sorted(self.points - self.seen)

    def table(self) -> list[tuple[str, str, int, int]]:
        """(operation, kind, exercised, all there are), for every kind that an operation has."""
        rows = []
        for operation in self.operations:
            for kind in KINDS:
                mine = {p for p in self.points if p.operation == operation.label and p.kind == kind}
                if mine:
                    rows.append((operation.label, kind, len(mine & self.seen), len(mine)))
        return rows


def operations(spec: Mapping[str, Any]) -> Iterator[Operation]:
    """The operations of a contract: what the target serves, then what its peer has to serve (its callbacks)."""
    for path, item in (spec.get("paths") or {}).items():
        pattern = re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(path)) + "$")
        yield from _methods(spec, path, item, pattern, to_target=True)
    for item in (spec.get("paths") or {}).values():
        for callback in _callbacks(item):
            for expression, inner in callback.items():
                tail = expression.rpartition("}")[2]
                if tail:
                    yield from _methods(spec, tail, inner, re.compile(".*" + re.escape(tail) + "$"), to_target=False)


def _callbacks(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for method in METHODS:
        yield from ((item.get(method) or {}).get("callbacks") or {}).values()


def _methods(
    spec: Mapping[str, Any], path: str, item: Mapping[str, Any], pattern: re.Pattern[str], to_target: bool
) -> Iterator[Operation]:
    for method in (method for method in METHODS if method in item):
        said = item[method]
        answers = {str(s): _json(resolve(spec, r)) for s, r in (said.get("responses") or {}).items()}
        request = _json(resolve(spec, said.get("requestBody") or {}))
        label = f"{method.upper()} {path}" + ("" if to_target else " (callback)")
        yield Operation(label, method.upper(), pattern, to_target, request, answers)


def _json(body: Mapping[str, Any]) -> Any:
    return ((body.get("content") or {}).get("application/json") or {}).get("schema")


def resolve(spec: Mapping[str, Any], value: Any) -> Any:
    """A schema or response with its own reference followed."""
    while isinstance(value, Mapping) and isinstance(value.get("$ref"), str):
        target: Any = spec
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        value = target
    return value


def _said(spec: Mapping[str, object], operation: Operation) -> Iterator[Point]:
    for kind, what in _schema_points(spec, operation.request, "request", 0):
        yield from _point(operation, kind, what, ours=operation.to_target)
    for status, schema in operation.responses.items():
        yield Point(operation.label, "status", status)
        for kind, what in _schema_points(spec, schema, status, 0):
            yield from _point(operation, kind, what, ours=not operation.to_target)


def _point(operation: Operation, kind: str, what: str, ours: bool) -> Iterator[Point]:
    """Boundaries are for who sends the body to try; in what the target sends they would only occur by luck."""
    if ours or kind != "boundary":
        yield Point(operation.label, kind, what)


def _schema_points(spec: Mapping[str, object], schema: object, at: str, depth: int) -> Iterator[tuple[str, str]]:
    schema = resolve(spec, schema)
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return
    for value in schema.get("enum") or ():
        yield "value", f"{at} = {value!r}"
    for name in BOUNDS:
        if isinstance(schema.get(name), int | float):
            yield "boundary", f"{at} {name} {schema[name]:g}"
    for name, inner in (schema.get("properties") or {}).items():
        yield "member", f"{at}.{name}"
        yield from _schema_points(spec, inner, f"{at}.{name}", depth + 1)
    if "items" in schema:
        yield from _schema_points(spec, schema["items"], f"{at}[]", depth + 1)
    for choice in _choices(schema):
        yield from _schema_points(spec, choice, at, depth + 1)


def _choices(schema: Mapping[str, Any]) -> Iterator[Any]:
    for name in ("allOf", "anyOf", "oneOf"):
        yield from schema.get(name) or ()


def _belongs(operation: Operation, exchange: Exchange) -> bool:
    path = exchange.request.path.partition("?")[0]
    mine = operation.to_target == exchange.to_target and operation.method == exchange.request.method.upper()
    return mine and operation.pattern.match(path) is not None


def _shown(spec: Mapping[str, object], operation: Operation, exchange: Exchange) -> Iterator[Point]:
    body = parse(exchange.request.body)
    for kind, what in _value_points(spec, operation.request, body, "request", 0):
        yield from _point(operation, kind, what, ours=operation.to_target)
    if exchange.response is None:
        return
    status = _documented(operation, exchange.response.status)
    if status is not None:
        yield Point(operation.label, "status", status)
        answer = parse(exchange.response.body)
        for kind, what in _value_points(spec, operation.responses[status], answer, status, 0):
            yield from _point(operation, kind, what, ours=not operation.to_target)


def _documented(operation: Operation, status: int) -> str | None:
    """The name under which a contract describes a status: itself, its class (`4XX`), or `default`."""
    names = (str(status), f"{status // 100}XX", "default")
    return next((name for name in names if name in operation.responses), None)


def _value_points(
    spec: Mapping[str, object], schema: object, value: object, at: str, depth: int
) -> Iterator[tuple[str, str]]:
    schema = resolve(spec, schema)
    if not isinstance(schema, Mapping) or isinstance(value, NotJson) or depth > DEEPEST:
        return
    if value in (schema.get("enum") or ()):
        yield "value", f"{at} = {value!r}"
    for name, measure in BOUNDS.items():
        if isinstance(schema.get(name), int | float) and _size(value, measure) == schema[name]:
            yield "boundary", f"{at} {name} {schema[name]:g}"
    if isinstance(value, Mapping):
        for name, inner in (schema.get("properties") or {}).items():
            if name in value:
                yield "member", f"{at}.{name}"
                yield from _value_points(spec, inner, value[name], f"{at}.{name}", depth + 1)
    if isinstance(value, list):
        for inner in value[:50]:
            yield from _value_points(spec, schema.get("items"), inner, f"{at}[]", depth + 1)
    for choice in _choices(schema):
        yield from _value_points(spec, choice, value, at, depth + 1)


def _size(value: Any, measure: Any) -> Any:
    if measure is None:
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None
    return measure(value) if isinstance(value, str | list) else None


def lines(coverage: Coverage, title: str, longest: int = 12) -> Iterator[str]:
    """The coverage as a table for people, then what was never exercised."""
    yield f"contract coverage: {title}"
    for operation, kind, seen, there in coverage.table():
        yield f"  {operation:<44} {kind:<9} {seen:>4} of {there:<4}"
    missing = coverage.missing()
    yield f"  never exercised: {len(missing)} of {len(coverage.points)}"
    for point in missing[:longest]:
        yield f"    {point.operation}  {point.kind}  {point.what}"
    if len(missing) > longest:
        yield f"    ... and {len(missing) - longest} more (all are in the report)"
