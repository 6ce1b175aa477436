"""A stream has one beginning and one end, and all of its chunks are of one completion."""

from collections.abc import Iterator, Mapping

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import JsonObject, mapping, mappings
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.profiles.chat.chunk_excerpts import around
from rollout_conformance.steps.profiles.chat.event_order import Life, walked
from rollout_conformance.steps.profiles.chat.invariants.evidence import broken, completions, satisfied
from rollout_conformance.steps.profiles.chat.responses import ChatResponse, index_of
from rollout_conformance.steps.profiles.chat.view import CaseView

KIND = "chat.completion.chunk"
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
        if response.is_only_an_error:
            continue  # a rejection with the wrong status (CHAT-003), and no completion
        yield from _call_deltas(response)
        life = walked(response.chunks)
        disorder = life.of("CHAT-051")
        if life.ended and not disorder:
            yield satisfied(51)
        else:
            yield broken(
                51, "one finish_reason for each choice, then data: [DONE]", _disorder(response, life), response.n
            )
        yield from _constant(response, life.of("CHAT-052"))


def _disorder(response: ChatResponse, life: Life) -> str:
    """What is wrong with the end of a stream, and the chunks where it shows."""
    told = life.plainly() or [*life.of("CHAT-051")[:2], life.shown()]
    repeated = [ends[1] for ends in life.ends.values() if len(ends) > 1]
    at = [*repeated, *life.late.values(), *life.after][:1] or [len(response.chunks) - 1]
    errors = [n for n, data in enumerate(response.data) if mapping(data).get("error")][:1]
    fault = [response.fault] if response.fault else []
    return "; ".join([*told, *fault, *(around(response.chunks, n) for n in (errors or at) if n >= 0)])


def _call_deltas(response: ChatResponse) -> Iterator[Evidence]:
    """Each fragment of a tool call has the index of its call; id and name come once."""
    if not response.call_deltas:
        return
    wrong = next(_wrong_fragments(response), None)
    if wrong is None:
        yield satisfied(58)
        yield _id_comes_once(response)
        return
    n, what = wrong
    expected = "an index in each fragment, one id and one name for each call"
    yield broken(58, expected, f"{what}; {around(response.chunks, n)}", response.n)


def _id_comes_once(response: ChatResponse) -> Evidence:
    named: set[tuple[int, object]] = set()
    for n, choice, fragment in _fragments(response):
        call = (choice, fragment.get("index"))
        if fragment.get("id") and call in named:
            observed = f"call {call[1]} has its id {show(fragment['id'])} again; {around(response.chunks, n)}"
            return broken(69, "the id in the first fragment of a call only", observed, response.n)
        named |= {call} if fragment.get("id") else set()
    return satisfied(69)


def _wrong_fragments(response: ChatResponse) -> Iterator[tuple[int, str]]:
    """The chunk and what is wrong with it, for each fragment of a call that no client can join to the others."""
    ids: dict[tuple[int, int], object] = {}
    names: dict[tuple[int, int], object] = {}
    last: dict[tuple[int, int], int] = {}
    for n, choice, fragment in _fragments(response):
        index, name = fragment.get("index"), mapping(fragment.get("function")).get("name")
        if type(index) is not int:
            yield n, f"a fragment of a call has the index {show(index)}"
            continue
        call, own = (choice, index), fragment.get("id")
        last[call] = n
        if own and ids.setdefault(call, own) != own:
            yield n, f"call {index} has the ids {show(ids[call])} and {show(own)}"
        if name and call in names:
            yield n, f"call {index} has its name twice, {show(names[call])} and {show(name)}"
        if name:
            names[call] = name
    for call, n in last.items():
        for what, known in (("id", ids), ("name", names)):
            if call not in known:
                yield n, f"no fragment of call {call[1]} has its {what}"


def _fragments(response: ChatResponse) -> Iterator[tuple[int, int, JsonObject]]:
    """Each fragment of a call with its chunk and its choice."""
    for n, data in enumerate(response.data):
        for part in mappings(mapping(data).get("choices")):
            for fragment in mappings(mapping(part.get("delta")).get("tool_calls")):
                yield n, index_of(part.get("index")), fragment


def _constant(response: ChatResponse, disorder: list[str]) -> Iterator[Evidence]:
    """A chunk that has nothing of the completion, such as the first one of Azure, need not name it."""
    chunks = [chunk for chunk in response.data if isinstance(chunk, Mapping) and not _is_annotation(chunk)]
    odd = [part for part in response.data if isinstance(part, NotJson)]
    names = {name: {show(chunk.get(name)) for chunk in chunks} for name in ("id", "model")}
    changing = {name: sorted(values)[:MOST_SHOWN] for name, values in names.items() if len(values) > 1}
    kinds = {show(chunk.get("object")) for chunk in chunks} - {f'"{KIND}"'}
    if odd or changing or kinds or disorder:
        told = [*disorder[:2], *(f"{name} {' and '.join(values)}" for name, values in changing.items())]
        told += [f"object {one}" for one in sorted(kinds)[:MOST_SHOWN]] + (
            [f"a chunk that is {odd[0]!r}"] if odd else []
        )
        expected = "the role once, first; object chat.completion.chunk; id and model the same in all chunks"
        at = _first_odd(response)
        yield broken(
            52, expected, ", ".join(told + ([around(response.chunks, at)] if at is not None else [])), response.n
        )
    else:
        yield satisfied(52)
    times = sorted({show(chunk.get("created")) for chunk in chunks})
    if len(times) > 1:
        yield broken(62, "created the same in all chunks", f"created {' and '.join(times[:MOST_SHOWN])}", response.n)
    elif times:
        yield satisfied(62)


def _first_odd(response: ChatResponse) -> int | None:
    """The first chunk that is no JSON, or names another completion than the one before it."""
    known: dict[str, object] = {"object": KIND}
    for n, data in enumerate(response.data):
        named = data if isinstance(data, Mapping) and not _is_annotation(data) else {}
        if isinstance(data, NotJson) or any(
            known.setdefault(name, named[name]) != named[name] for name in ("object", "id", "model") if name in named
        ):
            return n
    return None


def _is_annotation(chunk: JsonObject) -> bool:
    """Whether a chunk has neither choices nor usage nor an id."""
    return not (chunk.get("choices") or chunk.get("usage") or chunk.get("id") or chunk.get("error"))
