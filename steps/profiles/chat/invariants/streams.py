"""A stream has one beginning and one end, and all of its chunks are of one completion."""

from collections.abc import Iterator, Mapping
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.profiles.chat.event_order import walked
from rollout_conformance.steps.profiles.chat.invariants.evidence import broken, completions, satisfied
from rollout_conformance.steps.profiles.chat.responses import MOST, ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView

MOST_SHOWN = 4  # values of a member that should be one


def streams(view: CaseView) -> Iterator[Evidence]:
    """A stream has one beginning and one end."""
    for response in completions(view):
        if not response.streamed:
            continue
        kind = response.header("content-type") or ""
        ok = kind.partition(";")[0].strip().lower() == "text/event-stream"
        yield (
            satisfied(57) if ok else broken(57, "content-type: text/event-stream", f"content-type: {kind}", response.n)
        )
        yield from _call_deltas(response)
        life = walked(response.chunks)
        disorder = life.of("CHAT-051")
        if life.ended and not disorder:
            yield satisfied(51)
        else:
            fault = [response.fault] if response.fault else []
            observed = "; ".join([*disorder[:2], *fault, *([] if life.ended else [life.shown()])])
            yield broken(51, "one finish_reason a choice, then data: [DONE]", observed, response.n)
        yield from _constant(response, life.of("CHAT-052"))


def _call_deltas(response: ChatResponse) -> Iterator[Evidence]:
    """Each part of a tool call has the index of its call; id and name come once."""
    parts = response.call_deltas
    if not parts:
        return
    lost = [piece for piece in parts if not isinstance(piece.get("index"), int)]
    ids = [(show(piece.get("index")), show(piece["id"])) for piece in parts if piece.get("id")]
    names = [show(piece.get("index")) for piece in parts if mapping(piece.get("function")).get("name")]
    indices = {show(piece.get("index")) for piece in parts}
    if not lost and len(dict(ids)) == len(set(ids)) == len(indices) == len(names):
        yield satisfied(58)
    else:
        observed = f"{len(lost)} piece(s) without an index, ids {show(ids[:MOST])}, names for {show(names[:MOST])}"
        yield broken(58, "an index in each piece, one id and one name a call", observed, response.n)


def _constant(response: ChatResponse, disorder: list[str]) -> Iterator[Evidence]:
    """A chunk that has nothing of the completion, such as the first one of Azure, need not name it."""
    chunks = [chunk for chunk in response.data if isinstance(chunk, Mapping) and not _is_annotation(chunk)]
    odd = [part for part in response.data if isinstance(part, NotJson)]
    names = {name: {show(chunk.get(name)) for chunk in chunks} for name in ("id", "model")}
    changing = {name: sorted(values)[:MOST_SHOWN] for name, values in names.items() if len(values) > 1}
    kinds = {show(chunk.get("object")) for chunk in chunks} - {'"chat.completion.chunk"'}
    if odd or changing or kinds or disorder:
        told = [*disorder[:2], *(f"{name} {' and '.join(values)}" for name, values in changing.items())]
        told += [f"object {one}" for one in sorted(kinds)[:MOST_SHOWN]] + (
            [f"a chunk that is {odd[0]!r}"] if odd else []
        )
        expected = "the role once, first; object chat.completion.chunk; id and model the same in all chunks"
        yield broken(52, expected, ", ".join(told), response.n)
    else:
        yield satisfied(52)
    times = sorted({show(chunk.get("created")) for chunk in chunks})
    if len(times) > 1:
        yield broken(62, "created the same in all chunks", f"created {' and '.join(times[:MOST_SHOWN])}", response.n)
    elif times:
        yield satisfied(62)


def _is_annotation(chunk: Mapping[str, Any]) -> bool:
    """Whether a chunk has neither choices nor usage nor an id."""
    return not (chunk.get("choices") or chunk.get("usage") or chunk.get("id") or chunk.get("error"))
