"""A contract as it is fuzzed: read with its positions, checked for contradictions, and told whose dialect it is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs

from rollout_conformance.steps import profiles
from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.engine.yaml_source import Path_
from rollout_conformance.steps.profiles import DEFAULT, PROFILES
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.parts import Fuzz

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Contract:
    """`shown` is the path as messages name it; `dialect` None when the contract is of none that the suite knows."""

    file: Path
    shown: str
    spec: Mapping[str, Any]
    dialect: str | None
    profile: str = DEFAULT

    def operations(self) -> list[tuple[str, str]]:
        """(method, path), in the order of the file."""
        paths = self.spec.get("paths") or {}
        return [(method.upper(), path) for path, item in paths.items() for method in METHODS if method in item]


def profile_of(spec: Mapping[str, object]) -> Profile:
    """The kind of system that a contract describes. Raises `SuiteError` for one that there is not."""
    return profiles.profile_of(str(spec.get("x-profile", DEFAULT)))


def dialect_of(spec: Mapping[str, object]) -> str | None:
    """The dialect that a contract describes, None where its profile cannot tell."""
    fuzz = profile_of(spec).fuzz
    return fuzz.dialect_of(spec) if fuzz is not None else None


def fuzz_of(profile: Profile) -> Fuzz:
    """How the requests of a contract are generated. Raises `SuiteError` where its profile does not say so."""
    if profile.fuzz is None:
        raise SuiteError(f"profile {profile.name} does not say how generated requests are judged (`fuzz=Fuzz(...)`).")
    return profile.fuzz


def load(file: Path, shown: str = "") -> Contract:
    """Raises `SuiteError` with file:line for a file that does not parse, is no OpenAPI 3, or contradicts itself."""
    source = yaml_source.read(file, shown or str(file))
    spec = source.value
    if not isinstance(spec, dict) or not str(spec.get("openapi", "")).startswith("3."):
        seen = spec.get("openapi", "no such key") if isinstance(spec, dict) else type(spec).__name__
        raise source.problem(
            (), f"this is no OpenAPI 3 document: `openapi` is {seen}. Write `openapi: 3.1.0` at the top."
        )
    if not spec.get("paths"):
        raise source.problem((), "the contract has no `paths`: there is nothing to ask for.")
    named = spec.get("x-profile", DEFAULT)
    if named not in PROFILES:
        raise source.problem(("x-profile",), unknown_name("profile", str(named), PROFILES))
    for path, problem in _contradictions(spec):
        raise source.problem(path, problem)
    return Contract(file, shown or str(file), spec, dialect_of(spec), profile_of(spec).name)


def _contradictions(spec: Mapping[str, object]) -> Iterator[tuple[Path_, str]]:
    yield from _dangling(spec, spec, ())
    yield from _impossible(spec.get("components", {}), ("components",))
    yield from _false_examples(spec, spec.get("paths", {}), ("paths",))


def _dangling(spec: Mapping[str, Any], value: object, at: Path_) -> Iterator[tuple[Path_, str]]:
    for key, inner in _items(value):
        if key == "$ref" and isinstance(inner, str) and inner.startswith("#/") and resolved(spec, inner) is None:
            yield (*at, key), f"{inner} leads nowhere. Define it under components, or correct the name."
        yield from _dangling(spec, inner, (*at, key))


def _impossible(value: object, at: Path_) -> Iterator[tuple[Path_, str]]:
    if isinstance(value, Mapping):
        for low, high in (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems")):
            a, b = value.get(low), value.get(high)
            if isinstance(a, int | float) and isinstance(b, int | float) and a > b:
                yield (*at, low), f"{low} {a} is more than {high} {b}: no value is allowed."
        yield from _unknown_required(value, at)
    for key, inner in _items(value):
        yield from _impossible(inner, (*at, key))


def _unknown_required(schema: Mapping[str, object], at: Path_) -> Iterator[tuple[Path_, str]]:
    required, known = schema.get("required"), schema.get("properties")
    if isinstance(required, list) and isinstance(known, Mapping) and schema.get("additionalProperties") is False:
        for name in (name for name in required if name not in known):
            yield (*at, "required"), f"{name} is required, and additionalProperties: false forbids it."


def _false_examples(spec: Mapping[str, Any], value: object, at: Path_) -> Iterator[tuple[Path_, str]]:
    """Examples that their own schema refuses."""
    if isinstance(value, Mapping) and isinstance(value.get("schema"), Mapping):
        for name, example in _examples(value):
            schema = {**value["schema"], "components": spec.get("components", {})}
            error = next(iter(jsonschema_rs.validator_for(schema).iter_errors(example)), None)
            if error is not None:
                yield (*at, *name), f"this example is refused by its own schema: {error.message[:200]}"
    for key, inner in _items(value):
        if key not in ("example", "examples", "schema"):
            yield from _false_examples(spec, inner, (*at, key))


def _examples(media: Mapping[str, Any]) -> Iterator[tuple[Path_, Any]]:
    if "example" in media:
        yield ("example",), media["example"]
    for name, example in (media.get("examples") or {}).items():
        if isinstance(example, Mapping) and "value" in example:
            yield ("examples", name), example["value"]


def resolved(spec: Mapping[str, Any], ref: str) -> Any:
    """What a local reference stands for, None when there is nothing."""
    value: Any = spec
    for part in ref.removeprefix("#/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _items(value: object) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []
