"""Where a member of a JSON value stands: `usage.prompt_tokens`, `data[0].id`, or `..id` for the outermost member of that name."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rollout_conformance.steps.engine.json_diff import ABSENT
from rollout_conformance.steps.engine.lenient_json import listed, mapping

PART = re.compile(r"(?P<deep>\.\.)?(?P<name>[^.\[\]]+)?(?P<index>(?:\[\d+\])*)(?:\.(?!\.))?")


def checked_path(written: object) -> str:
    """A path as it is written in a case. Raises `ValueError` for what is no path."""
    if not isinstance(written, str):
        raise ValueError(f"{written!r} is no path; write it as `usage.prompt_tokens`, `data[0].id` or `..id`")
    found_at(None, written)
    return written


def found_at(value: object, path: str) -> object:
    """What stands at a path, or `ABSENT`. Raises `ValueError` for what is no path."""
    at = 0
    while at < len(path):
        part = PART.match(path, at)
        if part is None or part.end() == at:
            raise ValueError(f"{path!r} is no path; write it as `usage.prompt_tokens`, `data[0].id` or `..id`")
        value, at = _step(value, part), part.end()
    return value


def _step(value: object, part: "re.Match[str]") -> object:
    name = part["name"]
    if name and part["deep"]:
        value = next(_anywhere(value, name), ABSENT)
    elif name:
        value = mapping(value).get(name, ABSENT)
    for index in map(int, re.findall(r"\d+", part["index"])):
        items = listed(value)
        value = items[index] if index < len(items) else ABSENT
    return value


def _anywhere(value: Any, name: str) -> Iterator[Any]:
    """Whatever stands under this name, the outermost first."""
    if name in mapping(value):
        yield value[name]
    for inner in mapping(value).values() if isinstance(value, Mapping) else listed(value):
        yield from _anywhere(inner, name)
