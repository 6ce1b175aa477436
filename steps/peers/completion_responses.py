"""What an engine behind a router says, as bytes: whole answers and streams, of chats and of plain completions. No I/O, no script."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal

from rollout_conformance.steps.engine.lenient_json import JsonObject, mapping, mappings, text

MODEL = "rc-model"
NONCE = re.compile(rb"rc-[0-9a-f]{8}-\d+x")
WORDS = "One two three four five six seven eight nine ten."
WORD, SPACED = re.compile(r"\S+"), re.compile(r"\S+\s*")
PROMPT_TOKENS = 7
TORN_BYTES = 7
DONE = "[DONE]"
NO_COUNTS: Mapping[str, object] = MappingProxyType({})
FLOOD_BYTES = 65_536  # of one piece: few events, so that what is measured is the flow and not the parsing of it


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is about: a chat or a plain completion (`text`), `said` what the answer has to go on from."""

    text: bool = False
    stream: bool = False
    usage: bool = False
    each: bool = False
    said: str = ""
    spaces: Literal["before", "after"] = "before"

    def rest(self, whole: str) -> str:
        """What is still to be said; all of it where the request holds nothing of it."""
        return whole[len(self.said) :] if self.said and whole.startswith(self.said) else whole


def asked(body: JsonObject, path: str, spaces: Literal["before", "after"]) -> Asked:
    options, messages = mapping(body.get("stream_options")), mappings(body.get("messages"))
    last = messages[-1] if messages else {}
    goes_on = bool(body.get("continue_final_message")) and last.get("role") == "assistant"
    return Asked(
        text=not path.partition("?")[0].endswith("/chat/completions"),
        stream=body.get("stream") is True,
        usage=options.get("include_usage") is True,
        each=options.get("continuous_usage_stats") is True,
        said=text(last.get("content")) if goes_on else "",
        spaces=spaces,
    )


def listed(names: tuple[str, ...]) -> dict[str, object]:
    entry = {"object": "model", "created": 1, "owned_by": "rc", "max_model_len": 4096}
    return {"object": "list", "data": [{"id": name, **entry} for name in names]}


def error(status: int) -> dict[str, Any]:
    return {"error": {"message": f"scripted {status}", "type": "scripted", "code": status}}


def usage(count: int) -> dict[str, int]:
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": count, "total_tokens": PROMPT_TOKENS + count}


def whole(asked: Asked, said: str, counts: Mapping[str, object] = NO_COUNTS) -> dict[str, object]:
    told = {"text": said, "logprobs": None} if asked.text else {"message": {"role": "assistant", "content": said}}
    return {
        "id": f"chatcmpl-{abs(hash(said)) % 10**9}",
        "object": "text_completion" if asked.text else "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [{"index": 0, **told, "finish_reason": "stop"}],
        "usage": {**usage(len(said.split())), **counts},
    }


def encoded(value: object) -> bytes:
    """As engines write it: letters of all kinds as they are."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def torn(pieces: Sequence[bytes], size: int = TORN_BYTES) -> list[bytes]:
    """The same bytes, cut where no event ends; where there are letters of several bytes, in the middle of those."""
    flow = b"".join(pieces)
    return [flow[at : at + size] for at in range(0, len(flow), size)]


def stream(
    asked: Asked,
    said: str,
    put: Mapping[str, object],
    plain: bool = False,
    index: int = 0,
    counts: Mapping[str, object] = NO_COUNTS,
) -> Iterator[object]:
    """The values of the events of a stream. Each piece tells its number, as an unknown member, unless it is to be plain. `counts`
    are members of the usage that are added, or replace the usual ones."""
    words = pieces(said, asked.spaces)
    if not asked.text:
        yield _chunk(asked, put, _choice(asked, {"role": "assistant", "content": ""}, index=index), 0)
    for n, word in enumerate(words):
        delta = {"content": word} | ({} if plain else {"rc_word": n})
        yield _chunk(asked, put, _choice(asked, delta, index=index), n + 1)
    yield _chunk(asked, put, _choice(asked, {}, "stop", index), len(words))
    yield from _end(asked, len(words), put, counts)


def scripted_stream(
    asked: Asked, chunks: Sequence[Mapping[str, object]], put: Mapping[str, object], counts: Mapping[str, object]
) -> Iterator[object]:
    """The values of the events of a stream whose chunks are given: each as the members of its first choice, or, with `choices` or `error`,
    as the whole chunk."""
    for n, chunk in enumerate(chunks):
        if "error" in chunk:
            yield dict(chunk)
        elif "choices" in chunk:
            yield {**_head(asked), **put, **chunk}
        else:
            yield _chunk(asked, put, {"index": 0, **chunk, "finish_reason": chunk.get("finish_reason")}, n)
    told = any(chunk.get("usage") for chunk in chunks)  # beside the choices of a chunk, and not once more
    yield from [DONE] if told else _end(asked, len(chunks), put, counts)


def _end(asked: Asked, count: int, put: Mapping[str, object], counts: Mapping[str, object]) -> Iterator[object]:
    if asked.usage:
        yield {**_head(asked), **put, "choices": [], "usage": {**usage(count), **counts}}
    yield DONE


def pieces(said: str, spaces: Literal["before", "after"]) -> list[str]:
    """The words of a text, each with the space before or behind it; what is before the first word belongs to it."""
    if spaces == "before":
        ends = [0, *(word.end() for word in WORD.finditer(said))]
        return [said[begin:end] for begin, end in pairwise(ends)]
    words = SPACED.findall(said)
    return [said[: len(said) - len(said.lstrip())] + words[0], *words[1:]] if words else []


def flood(asked: Asked, size: int, chunk_bytes: int = FLOOD_BYTES, of_arguments: bool = False) -> list[object]:
    """A stream of about so many bytes, of one piece over and over."""
    letters = "x" * chunk_bytes
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "add", "arguments": letters}}
    delta = {"tool_calls": [call]} if of_arguments else {"content": letters}
    end = _choice(asked, {}, "tool_calls" if of_arguments else "stop")
    piece = _chunk(asked, {}, _choice(asked, delta), 1)
    return [piece] * (size // max(1, chunk_bytes)) + [_chunk(asked, {}, end, 1), DONE]


def _head(asked: Asked) -> dict[str, object]:
    kind = "text_completion" if asked.text else "chat.completion.chunk"
    return {"id": "chatcmpl-rc", "object": kind, "created": 1_700_000_000, "model": MODEL}


def _choice(
    asked: Asked, delta: Mapping[str, object], finish: str | None = None, index: int = 0
) -> Mapping[str, object]:
    told = {**delta, "text": delta.get("content", "")} if asked.text else {"delta": delta}
    told = {name: value for name, value in told.items() if not asked.text or name != "content"}
    return {"index": index, **told, "finish_reason": finish}


def _chunk(asked: Asked, put: Mapping[str, object], choice: Mapping[str, object], count: int) -> Mapping[str, object]:
    each = {"usage": usage(count)} if asked.each else {}
    return {**_head(asked), **put, "choices": [choice], **each}
