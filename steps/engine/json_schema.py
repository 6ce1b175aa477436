"""Values that anybody may have sent, by their JSON Schema.

The validator takes no lone surrogate in the name of a member, which JSON can escape: U+FFFD takes its place.
"""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from rollout_conformance.steps.engine.json_diff import LONGEST
from rollout_conformance.steps.engine.json_text import well_formed


def is_valid(schema: Mapping[str, object], value: object) -> bool:
    return bool(jsonschema_rs.validator_for(dict(schema)).is_valid(_readable(value)))


def schema_problem(schema: object) -> str | None:
    """Why this is no JSON Schema of the draft that it names (2020-12 by default); None where it is one."""
    try:
        jsonschema_rs.meta.validate(_readable(schema))
    except jsonschema_rs.ValidationError as error:
        return error.message[:LONGEST]
    return None


def _readable(value: object) -> Any:
    if isinstance(value, dict):
        return {well_formed(name): _readable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_readable(one) for one in value]
    return well_formed(value) if isinstance(value, str) else value
