"""The JSON Schema of a profile's scenario files: editors complete and check every verb, what stands behind it, and its members.

`python -m rollout_conformance.steps.scenario.schema` writes scenarios/*.schema.json and scenarios/cards/*.schema.json of the
profiles that the suite ships;
`python -m rollout_conformance.steps.scenario.schema NAME FOLDER` writes that of one profile to a folder, as NAME.schema.json.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.verbs import Verb
from rollout_conformance.steps.paths import SCENARIOS
from rollout_conformance.steps.profiles import OURS, profile_of
from rollout_conformance.steps.profiles.base import Profile

COLUMN = {"type": "string", "pattern": r"^<\w+>$", "description": "the value of a column of `examples`"}
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema(profile: Profile) -> dict[str, Any]:
    """The schema of a scenario file of this profile."""
    case = profile.case_model.model_json_schema(ref_template="#/$defs/{model}")
    definitions: dict[str, Any] = case.pop("$defs", {})
    for key, verbs in (("steps", profile.vocabulary.actions), ("expect", profile.vocabulary.expectations)):
        definitions[key] = _any_of(verbs)
        case["properties"][key]["items"] = {"$ref": f"#/$defs/{key}"}
    live = definitions["LiveModel"]["properties"]["expect"]["anyOf"][0]
    live["items"] = {"$ref": "#/$defs/expect"}
    case["properties"]["live"] = _or_column(case["properties"]["live"])
    for inner in definitions.values():
        inner["properties"] = {name: _or_column(made) for name, made in inner.get("properties", {}).items()}
    return {
        "$schema": DRAFT,
        "title": f"Scenarios of the profile {profile.name}",
        "type": "object",
        "additionalProperties": False,
        "required": ["cases"],
        "properties": {
            "tags": {"type": "array", "items": {"type": "string"}, "description": "of every case of this file"},
            "cases": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Case"}},
        },
        "$defs": {"Case": case, "column": COLUMN, **definitions},
    }


def card_schema(profile: Profile) -> dict[str, object]:
    """The schema of a target card of this profile."""
    made = profile.card.model_json_schema()
    return {"$schema": DRAFT, **made, "title": f"Target cards of the profile {profile.name}"}


def _any_of(verbs: Mapping[str, Verb]) -> dict[str, object]:
    """A step: the name of a verb that needs no value, or one verb with its value."""
    bare = [verb.name for verb in verbs.values() if not any(member.is_needed for member in verb.members)]
    one = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {verb.name: _value(verb) for verb in verbs.values()},
    }
    return {"anyOf": [{"enum": bare}, one]}


def _value(verb: Verb) -> dict[str, object]:
    """What may stand behind a verb: its members, the short form, or nothing."""
    members = {member.name: _or_column(member.schema) for member in verb.members}
    whole: dict[str, object] = {"type": "object", "properties": members}
    needed = [member.name for member in verb.members if member.is_needed]
    forms = [whole | ({"required": needed} if needed else {}) | {"additionalProperties": verb.before is not None}]
    if verb.short:
        forms.append(
            {key: value for key, value in members[verb.short].items() if key not in ("description", "default")}
        )
    if verb.before is not None:
        forms.append({})  # short forms of its own, which no type says
    if not needed:
        forms.append({"type": "null"})
    return {"description": "\n\n".join([verb.doc, *(f"{verb.name}: {one}" for one in verb.examples)]), "anyOf": forms}


def _or_column(made: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value that a column of `examples` may stand for, and each element of it where it is a list."""
    described: dict[str, Any] = {key: made[key] for key in ("title", "description", "default") if key in made}
    value = {key: inner for key, inner in made.items() if key not in described}
    if not value or value == {"type": "string"} or {"type": "string"} in value.get("anyOf", ()):
        return made  # a column is a text as it is
    if "items" in value:
        value["items"] = _or_column(value["items"])
    forms = (
        [_or_column(one) if "items" in one else one for one in value["anyOf"]] if list(value) == ["anyOf"] else [value]
    )
    return {**described, "anyOf": [*forms, {"$ref": "#/$defs/column"}]}


def files() -> Mapping[Path, dict[str, object]]:
    """Every schema that is shipped."""
    profiles = {name: profile_of(name) for name in OURS}
    cases = {SCENARIOS / f"{name}.schema.json": schema(profile) for name, profile in profiles.items()}
    return cases | {SCENARIOS / "cards" / f"{name}.schema.json": card_schema(one) for name, one in profiles.items()}


def asked(words: Sequence[str]) -> Mapping[Path, dict[str, object]]:
    """The schemas that a command line asks for: NAME FOLDER, or nothing for those that are shipped."""
    if not words:
        return files()
    if len(words) != 2 or not Path(words[1]).is_dir():
        raise SuiteError("write the name of a profile and a folder that exists, or nothing: schema [NAME FOLDER]")
    return {Path(words[1]) / f"{words[0]}.schema.json": schema(profile_of(words[0]))}


def written(one: dict[str, object]) -> str:
    return json.dumps(one, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    try:
        for file, one in asked(sys.argv[1:]).items():
            file.write_text(written(one), encoding="utf-8")
    except SuiteError as error:
        sys.exit(f"schema: {error}")
