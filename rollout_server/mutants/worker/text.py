"""Defects of the visible text: characters over several tokens, stop texts, the reasons of an end."""

from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, every, put
from rollout_conformance.rollout_server.mutants.worker.patches import ALL, ORCD, WITH_MATCHED, WITH_TEXT
from rollout_conformance.rollout_server.worker import text_assembly
from rollout_conformance.rollout_server.worker.generation import Generation
from rollout_conformance.rollout_server.worker.jobs import Ended, Token
from rollout_conformance.rollout_server.worker.text_assembly import TextAssembly

FIRST_STOP, HELD_BACK = text_assembly.first_stop, text_assembly.held_back


class _Replacing:
    """Decodes each token by itself."""

    def decode(self, data: bytes) -> str:
        return data.decode("utf-8", "replace")


def _replacing(original: Any, self: TextAssembly, *args: Any, **more: Any) -> None:
    original(self, *args, **more)
    self._decoder = _Replacing()  # type: ignore[assignment]


def _one_short(original: Any, self: Generation, id: int) -> Any:
    """Also for the reason of the token before the last."""
    if original(self, id) is None and self.tokens_out >= self.job.max_tokens - 1 > 0:
        return "max_tokens"
    return original(self, id)


def _one_more(original: Any, self: Generation, id: int) -> Any:
    reason = original(self, id)
    return None if reason == "max_tokens" and self.tokens_out <= self.job.max_tokens else reason


def _for_length(original: Any, self: Generation, reason: str, id: int) -> Ended:
    ended: Ended = original(self, reason, id)
    return replace(ended, reason="max_tokens", matched=None, stop_id=None)


def _for_stop(original: Any, self: Generation, reason: str, id: int) -> Ended:
    ended: Ended = original(self, reason, id)
    return replace(ended, reason="stop_sequence", matched=ended.matched or "\n")


def _other_matched(original: Any, self: Generation, reason: str, id: int) -> Ended:
    ended: Ended = original(self, reason, id)
    return replace(ended, matched=ended.matched and f"{ended.matched} ")


def _in_one_token(original: Any, self: TextAssembly, data: bytes) -> str:
    """Stop texts are looked for in the text of one token only."""
    text = self._decoder.decode(data)
    found = text_assembly.first_stop(text, self._stops)
    if found is None:
        return text
    position, self.matched = found
    return text[:position]


def _first_listed(text: str, stops: Any) -> Any:
    return next(((text.find(stop), stop) for stop in stops if stop in text), None)


def _in_any_case(text: str, stops: Any) -> Any:
    found = FIRST_STOP(text.lower(), [stop.lower() for stop in stops])
    return found and (found[0], text[found[0] : found[0] + len(found[1])])


def _held_in_any_case(text: str, stops: Any) -> int:
    return HELD_BACK(text.lower(), [stop.lower() for stop in stops])


def _stripped(original: Any, self: TextAssembly, stops: Any = (), **more: Any) -> None:
    original(self, [stop.strip() or stop for stop in stops], **more)


def _leaking(original: Any, self: TextAssembly, data: bytes) -> str:
    """Nothing is held back: what has been shown of a stop text cannot be cut."""
    shown = len(getattr(self, "seen", ""))
    self.seen = getattr(self, "seen", "") + self._decoder.decode(data)  # type: ignore[attr-defined]
    found = text_assembly.first_stop(self.seen, self._stops)  # type: ignore[attr-defined]
    if found is None:
        return str(self.seen[shown:])  # type: ignore[attr-defined]
    position, self.matched = found
    return str(self.seen[shown : max(position, shown)])  # type: ignore[attr-defined]


def _held_lost(original: Any, self: TextAssembly, data: bytes) -> str:
    """What was held back is not shown when it is no stop text."""
    before = self._held
    text: str = original(self, data)
    return text.removeprefix(before) if self.matched is None else text


def _held_twice(original: Any, self: TextAssembly, data: bytes) -> str:
    before = self._held
    text: str = original(self, data)
    return before + text if before and self.matched is None and text.startswith(before) else text


def _not_flushed(original: Any, self: TextAssembly) -> str:
    original(self)
    return ""


def _counting_the_limit(original: Any, self: Generation, reason: str, id: int) -> Ended:
    ended: Ended = original(self, reason, id)
    return replace(ended, tokens_out=self.job.max_tokens)


def _ended_by(kind: str, change: Any) -> Any:
    """Change how ends of this reason are reported."""

    def patched(original: Any, self: Generation, reason: str, id: int) -> Ended:
        return change(original, self, reason, id) if reason == kind else original(self, reason, id)  # type: ignore[no-any-return]

    return around(Generation, "_ended", patched)


def _end_shown(original: Any, self: Generation, logits: Any) -> Any:
    """The token that ends the output is decoded like any other."""
    for event in original(self, logits):
        ends = isinstance(event, Token) and event.end is not None and event.end.reason == "eos"
        yield replace(event, text=f"{event.text}<|im_end|>") if ends else event


MUTANTS = (
    Mutant(
        "characters_split",
        breaks="011",
        what="a character over several tokens is shown as U+FFFD",
        patch=around(TextAssembly, "__init__", _replacing),
        dialects=WITH_TEXT,
    ),
    Mutant(
        "end_token_in_text",
        breaks="137",
        also=("105", "133"),
        what="the text ends with that of the end-of-turn token",
        patch=around(Generation, "_next_token", _end_shown),
        dialects=WITH_TEXT,
    ),
    Mutant(
        "one_token_short",
        breaks="012",
        what="a job ends one token before its limit",
        patch=around(Generation, "_reason", _one_short),
        dialects=ALL,
    ),
    Mutant(
        "one_token_more",
        breaks="009",
        also=("012",),
        what="a job ends one token after its limit",
        patch=around(Generation, "_reason", _one_more),
        dialects=ALL,
    ),
    Mutant(
        "length_as_stop",
        breaks="012",
        also=("013", "014"),
        what="a job that reached its limit reports a stop text",
        patch=_ended_by("max_tokens", _for_stop),
        dialects=ALL,
    ),
    Mutant(
        "stop_as_length",
        breaks="013",
        also=("012",),
        what="a job that a stop text ended reports its limit",
        patch=_ended_by("stop_sequence", _for_length),
        dialects=ALL,
    ),
    Mutant(
        "matched_other_text",
        breaks="013",
        what="the stop text that is named is none of the request",
        patch=_ended_by("stop_sequence", _other_matched),
        dialects=WITH_MATCHED,
    ),
    Mutant(
        "stop_ignored",
        breaks="013",
        also=("015",),
        what="stop texts are ignored",
        patch=put(text_assembly, "first_stop", lambda text, stops: None),
        dialects=ALL,
    ),
    Mutant(
        "stop_in_one_token",
        breaks="015",
        what="a stop text over several tokens is not found",
        patch=around(TextAssembly, "add", _in_one_token),
        dialects=ALL,
    ),
    Mutant(
        "stop_leaks",
        breaks="016",
        what="the beginning of a stop text over several tokens is shown, one within a token is not",
        patch=around(TextAssembly, "add", _leaking),
        dialects=(*ORCD, "sglang", "llamacpp"),
    ),
    Mutant(
        "held_lost",
        breaks="119",
        what="a text that might have been the beginning of a stop text is lost",
        patch=around(TextAssembly, "add", _held_lost),
        dialects=WITH_TEXT,
    ),
    Mutant(
        "held_twice",
        breaks="119",
        what="a text that might have been the beginning of a stop text is shown twice",
        patch=around(TextAssembly, "add", _held_twice),
        dialects=WITH_TEXT,
    ),
    Mutant(
        "held_at_limit_lost",
        breaks="119",
        what="a text that might be the beginning of a stop text is lost at the end of the output",
        patch=around(TextAssembly, "flush", _not_flushed),
        dialects=WITH_TEXT,
    ),
    Mutant(
        "stop_any_case",
        breaks="120",
        also=("013",),
        what="stop texts are found in any case",
        patch=every(put(text_assembly, "first_stop", _in_any_case), put(text_assembly, "held_back", _held_in_any_case)),
        dialects=WITH_TEXT,
    ),
    Mutant(
        "stop_stripped",
        breaks="120",
        also=("013", "015", "016"),
        what="spaces around a stop text are removed",
        patch=around(TextAssembly, "__init__", _stripped),
        dialects=WITH_TEXT,
    ),
    Mutant(
        "stop_counts_limit",
        breaks="009",
        what="a job that a stop text ended reports its limit as the number of its tokens",
        patch=_ended_by("stop_sequence", _counting_the_limit),
        dialects=ORCD,
    ),
    Mutant(
        "stop_by_order",
        breaks="018",
        what="of several stop texts the first of the request wins, wherever it begins",
        patch=put(text_assembly, "first_stop", _first_listed),
        dialects=ORCD,
    ),
)
