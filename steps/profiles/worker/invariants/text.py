"""Bytes and text: valid UTF-8, whole characters, the framing of the dialect, and the whole text at the end."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.body_limits import Cut
from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied, evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.peers.end_of_turn_texts import are_requested, left_in
from rollout_conformance.steps.profiles.worker.dialects.base import FRAMED, READABLE
from rollout_conformance.steps.profiles.worker.events import EOS
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

BROKEN = "�"


def readable(view: WorkerView) -> Iterator[Evidence]:
    """What the reader of the dialect could not read, once each; and that the bytes are UTF-8."""
    for response in view.jobs:
        if not response.is_success:
            continue
        breaches = response.transcript.breaches
        seen: set[str] = set()
        for breach in breaches:
            if breach.requirement not in seen:
                seen.add(breach.requirement)
                yield Finding(breach.requirement, breach.expected, breach.observed, (response.n,))
        if response.transcript.terminals:
            yield from (Satisfied(name) for name in (FRAMED, "WORKER-010") if name not in seen)
        if READABLE not in seen:
            yield _utf8(response)


def _utf8(response: JobResponse) -> Evidence:
    if not response.left and response.fault is None and (wrong := response.odd_bytes or _odd_bytes(response.raw)):
        return Finding(READABLE, "a body in UTF-8", f"{wrong!r}", (response.n,))
    text = response.transcript.text
    if any("\ud800" <= char <= "\udfff" for char in text):
        return Finding(READABLE, "whole characters", show(text), (response.n,))
    odd = text.rstrip(BROKEN).find(BROKEN)
    if odd >= 0 and BROKEN not in response.spec.prompt and not response.spec.temperature:
        return Finding(
            READABLE, "whole characters", f"U+FFFD in {show(text[max(0, odd - 10) : odd + 10])}", (response.n,)
        )
    return Satisfied(READABLE)


def _odd_bytes(body: bytes) -> bytes:
    """Where a body is no UTF-8. One that is not kept whole was checked while it arrived."""
    try:
        _ = "" if isinstance(body, Cut) else body.decode("utf-8")
    except UnicodeDecodeError as error:
        return body[max(0, error.start - 20) : error.start + 8]
    return b""


def whole_text(view: WorkerView) -> Iterator[Evidence]:
    """The text that the end reports is that of the tokens, but for a stop text that is cut from one of them, or half a character."""
    for response in view.jobs:
        end = response.transcript.end
        if (
            response.dialect.name not in ("tgi", "sglang")
            or not response.ran_out
            or end is None
            or end.text is None
            or len(response.transcript.terminals) > 1
        ):
            continue
        joined, whole = response.transcript.joined, end.text
        shorter, longer = sorted((joined.rstrip(BROKEN), whole.rstrip(BROKEN)), key=len)
        rest = longer.removeprefix(shorter)
        ok = longer.startswith(shorter) and (
            not rest or any(stop.startswith(rest) or rest.startswith(stop) for stop in response.spec.stop)
        )
        yield evidence("WORKER-105", ok, f"the text of the tokens, {show(joined)}", show(whole), response.n)


def end_of_turn(view: WorkerView) -> Iterator[Evidence]:
    """The text of a job that the model has ended itself does not end with the text of the token that ended it."""
    for response in view.jobs:
        if response.reason != EOS or are_requested(response.request) or not response.transcript.text:
            continue
        text = response.transcript.text
        observed = f"a text that ends with {show(text[-60:])}"
        ok = not left_in(text)  # although the prompt may have it: as markup of a chat template
        yield evidence("WORKER-137", ok, "a text without that of the end-of-turn token", observed, response.n)
