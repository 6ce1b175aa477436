"""What the chunks of a stream amount to, whatever chunk holds which part: a router that joins or divides chunks loses nothing. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.profiles.chat.responses import index_of

HEAD = ("id", "object", "created", "model", "choices", "usage")
REASONING = {"reasoning": "reasoning_content", "reasoning_content": "reasoning"}
ONCE = ("role", "type", "id", "finish_reason")  # these do not grow: some servers repeat them in each chunk
Path = tuple[object, ...]
Content = dict[Path, list[object]]


def same_content(sent: Iterable[object], received: Iterable[object]) -> bool:
    """Whether everything that was sent has been received, part after part of each choice."""
    expected, found = content(sent), content(received)
    return all(_joined(values) == _joined(_received(path, found)) for path, values in expected.items())


def content(events: Iterable[object]) -> Content:
    """All values of a stream, by the choice and the member that they belong to."""
    found: Content = {}
    for event in map(mapping, events):
        for name, value in event.items():
            if name not in HEAD and value is not None and value not in found.setdefault((name,), []):
                found[name,].append(value)  # these are repeated in each chunk
        for choice in mappings(event.get("choices")):
            for path, part in _parts(choice, (index_of(choice.get("index")),)):
                parts = found.setdefault(path, [])
                parts += [part] if path[-1] not in ONCE or part not in parts else []
    return found


def _parts(value: Mapping[str, object], path: Path) -> Iterator[tuple[Path, object]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _parts(inner, (*path, name))
        elif name == "tool_calls":
            for call in mappings(inner):
                yield from _parts(call, (*path, name, index_of(call.get("index"))))
        elif inner is not None and name != "index":
            yield (*path, name), _without_nulls(inner)


def _without_nulls(value: object) -> object:
    """A member that is null says as much as one that is absent."""
    if isinstance(value, Mapping):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _received(path: Path, found: Content) -> list[object]:
    """The values at a path; of reasoning those by its other name, where there are none by this one."""
    other = (*path[:-1], REASONING.get(str(path[-1]), path[-1]))
    return found.get(path) or found.get(other, [])


def _joined(values: list[object]) -> object:
    """Texts and lists one after the other; of what cannot be joined each value."""
    if all(isinstance(one, str) for one in values):
        return "".join(map(str, values))
    if all(isinstance(one, list) for one in values):
        return [item for one in values if isinstance(one, list) for item in one]
    return values
