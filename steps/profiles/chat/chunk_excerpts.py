"""The chunk of a stream that is wrong, as a message shows it: with its index, and with its neighbours. Pure."""

from collections.abc import Mapping, Sequence

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.sse.streams import DONE, Chunk

LONGEST = 120  # characters of a chunk
SAID_BY_ALL = ("id", "object", "created", "model", "system_fingerprint", "service_tier")


def around(chunks: Sequence[Chunk], n: int) -> str:
    """Chunk `n` between the one before and the one after it."""
    near = range(max(n - 1, 0), min(n + 2, len(chunks)))
    return ", ".join(f"chunk {one}{' (here)' if one == n else ''} {_brief(chunks[one].data)}" for one in near)


def departure(chunks: Sequence[Chunk], expected: str, name: str, choice: int = 0) -> int | None:
    """The chunk after which a text of a choice, as far as it was sent, is no beginning of what it should be; the last chunk with
    choices where something is missing at the end."""
    length, last = 0, None
    for n, chunk in enumerate(chunks):
        for part in mappings(mapping(chunk.data).get("choices")):
            if part.get("index", 0) != choice:
                continue
            piece, last = mapping(part.get("delta")).get(name), n
            if isinstance(piece, str) and not expected.startswith(piece, length):
                return n
            length += len(piece) if isinstance(piece, str) else 0
    return last if length < len(expected) else None


def _brief(data: object) -> str:
    """A chunk without the members that are the same in all of them."""
    if data == DONE:
        return DONE
    if not isinstance(data, Mapping):
        return show(data)
    told = show({name: value for name, value in data.items() if name not in SAID_BY_ALL and value is not None})
    return told if len(told) <= LONGEST else f"{told[:LONGEST]} ..."
