"""`<TEXT 256 times>` in a text of a case in YAML: the text repeated 256 times, so that a long text stays readable."""

import re
from collections.abc import Mapping
from typing import Any

from rollout_conformance.steps.engine.yaml_source import Path_, Source

REPEATED = re.compile(r"<([^<>\s][^<>]*) (\d{1,9}) times>")
LONGEST = 2**20
"Characters of one repeated text: a mistake in a number fills no memory."


def written_out(source: Source, path: Path_, value: Any) -> Any:
    """The value with its repeated texts written out. Raises `SuiteError` for a text that would be too long."""
    if isinstance(value, Mapping):
        return {key: written_out(source, (*path, key), inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [written_out(source, (*path, n), inner) for n, inner in enumerate(value)]
    if not isinstance(value, str) or " times>" not in value:
        return value
    for text, times in REPEATED.findall(value):
        if not 1 <= int(times) * len(text) <= LONGEST:
            raise source.problem(path, f"{text!r} {times} times: a repeated text has 1 to {LONGEST} characters")
    return REPEATED.sub(lambda found: found[1] * int(found[2]), value)
