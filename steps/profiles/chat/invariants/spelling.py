"""The text that logprobs amount to: the bytes of all entries, one after the other, are the UTF-8 of the content (OpenAI chat API). Pure."""

from collections.abc import Sequence

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import JsonObject, listed, mapping
from rollout_conformance.steps.profiles.chat.responses import ChatResponse, Choice

Entry = JsonObject

MOST_AFTER = 2  # entries behind the content: the end of the turn, and what a template puts behind it
BROKEN = "\ufffd"
REPLACED = BROKEN.encode()
RAW = "bytes:"  # what OpenAI puts before a token that is no text


def is_judged(response: ChatResponse, choice: Choice) -> bool:
    """For tool calls, stop strings and truncated text it is left to the server how much is content."""
    unclear = choice.calls or choice.finish != "stop" or response.request.get("stop")
    return not unclear and bool(choice.content.strip())


def spells(choice: Choice, alone: bool = False, begun: str = "") -> bool:
    """Whether the entries end in the content: byte by byte, but for white space at the ends of the content.

    `alone` when nothing may come before it; `begun` is what the request had of it already. Where entries have no bytes, and their tokens end
    within a character, only ASCII is compared; where the content has U+FFFD, as well, unless the bytes are whole characters and each entry has
    some: an entry without any may be that of the token whose bytes were replaced, as vLLM has it.
    """
    given = [entry_bytes(entry) for entry in choice.logprobs or ()]
    wanted = choice.content.strip().removeprefix(begun.strip()).strip().encode("utf-8", "replace")
    if not given:
        return not wanted
    pieces = [one or b"" for one in given]
    if REPLACED in wanted and all(given) and _is_whole(b"".join(pieces)):
        return False
    if None in given or REPLACED in wanted:
        pieces, wanted = [_ascii(piece) for piece in pieces], _ascii(wanted).strip()
    return any(text == wanted if alone else text.endswith(wanted) for text in _texts(pieces))


def begun(response: ChatResponse) -> str:
    """The text of an assistant message that ends the request: servers that continue it, as llama.cpp does, return it with what they sampled."""
    last = mapping((listed(response.request.get("messages")) or [None])[-1])
    text = last.get("content")
    return text if last.get("role") == "assistant" and isinstance(text, str) else ""


def spelling(choice: Choice) -> str:
    """The entries as a message shows them: where bytes are no text, the bytes of the first such entry and its index."""
    entries = choice.logprobs or []
    text = b"".join(entry_bytes(entry) or b"" for entry in entries)
    odd = next((n for n, entry in enumerate(entries) if REPLACED in (entry_bytes(entry) or b"")), None)
    told = f"logprobs of {show(text.decode('utf-8', 'replace'))}"
    return told if odd is None else f"{told}; entry {odd} has the bytes {entries[odd].get('bytes')} of U+FFFD"


def entry_bytes(entry: Entry) -> bytes | None:
    """The bytes of a token; None where they are not given, and the token is a part of a character."""
    given = entry.get("bytes")
    if isinstance(given, list):
        return bytes(one for one in given if type(one) is int and 0 <= one < 256)
    token = str(entry.get("token"))
    return None if token.startswith(RAW) or "\ufffd" in token or not token else token.encode("utf-8", "replace")


def _texts(pieces: Sequence[bytes]) -> list[bytes]:
    """All that the entries may be the text of: the last ones may be what comes after the content."""
    ends = range(len(pieces), max(len(pieces) - MOST_AFTER, 0) - 1, -1)
    return [b"".join(pieces[:end]).strip() for end in ends]


def _is_whole(text: bytes) -> bool:
    """Whether these bytes are whole characters, none of them U+FFFD: then none has to be replaced."""
    return BROKEN not in text.decode("utf-8", "replace")


def _ascii(text: bytes) -> bytes:
    return bytes(one for one in text if one < 128)
