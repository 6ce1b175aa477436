"""The JSON Schema of a profile's scenario files: editors complete and check every verb, what stands behind it, and its members.

`python -m rollout_conformance.steps.scenario.schema` writes scenarios/*.schema.json.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rollout_conformance.steps.engine.verbs import Verb
from rollout_conformance.steps.paths import SCENARIOS
from rollout_conformance.steps.profiles.base import Profile

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
        "$defs": {"Case": case, **definitions},
    }


def _any_of(verbs: Mapping[str, Verb]) -> dict[str, Any]:
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


def _value(verb: Verb) -> dict[str, Any]:
    """What may stand behind a verb: its members, the short form, or nothing."""
    if verb.kind is object:
        return {}
    members = {member.name: member.schema for member in verb.members}
    whole: dict[str, Any] = {"type": "object", "properties": members}
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


def files() -> Mapping[Path, dict[str, Any]]:
    """Every schema that is shipped."""
    from rollout_conformance.steps.run_setup import PROFILES

    return {SCENARIOS / f"{name}.schema.json": schema(profile) for name, profile in PROFILES.items()}


def written(one: dict[str, Any]) -> str:
    return json.dumps(one, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file, one in files().items():
        file.write_text(written(one), encoding="utf-8")
