"""Generations that end where a limit is: at `max_tokens`, or where the context is full. Pure functions of one reply."""

from collections.abc import Iterator, Mapping

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.trainer.state import Call, CaseView

TRUNCATION, OVERFLOW, STOP = "TRAINER-304", "TRAINER-305", "TRAINER-310"
FINISHED = ("stop", "tool_calls", "eos", "end_turn", "completed")
Body = Mapping[str, object]


def choice(body: Body) -> Mapping[str, object]:
    return next(iter(mappings(body.get("choices"))), {})


def finished(body: Body) -> bool:
    """Whether a generation says that it is complete."""
    return choice(body).get("finish_reason") in FINISHED


def count(body: Body, name: str) -> int | None:
    """A member of `usage`, None where it is no integer."""
    value = mapping(body.get("usage")).get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_empty(body: Body) -> bool:
    """Whether a message says nothing at all: no text, no reasoning, no tool call."""
    message = mapping(choice(body).get("message"))
    return not any(value for name, value in message.items() if name != "role")


def stopped(call: Call, body: Body) -> Iterator[Evidence]:
    """A message ends where its first stop text begins, or behind it."""
    stop, message = call.body.get("stop"), mapping(choice(body).get("message"))
    texts = [text for text in ([stop] if isinstance(stop, str) else listed(stop)) if isinstance(text, str) and text]
    content = message.get("content")
    if not texts or not isinstance(content, str):
        return
    for text in texts:
        _, found, rest = content.partition(text)
        if found and (rest.strip() or listed(message.get("tool_calls"))):
            yield Finding(STOP, f"a message that ends at the stop text {show(text)}", show(message), (call.n,))
            return
    yield Satisfied(STOP)


def nothing_sampled(view: CaseView, call: Call, body: Body) -> Iterator[Evidence]:
    """A generation that says it is complete was sampled: it has one token at least, that of its end."""
    sampled = body.get("token_ids") if view.shows_tokens else count(body, "completion_tokens")
    if is_empty(body) and finished(body) and sampled in ([], 0):
        reason = choice(body).get("finish_reason")
        yield Finding(
            OVERFLOW,
            "a 4xx, or finish_reason length, where nothing can be generated",
            f"200 with an empty message, no sampled token, and finish_reason {show(reason)}",
            (call.n,),
        )


def within_max_tokens(view: CaseView, call: Call, body: Body) -> Iterator[Evidence]:
    """At most `max_tokens` tokens, and none of them the end of the turn only where `finish_reason` says so."""
    most = call.body.get("max_tokens")
    if not isinstance(most, int) or isinstance(most, bool):
        return
    ids = body.get("token_ids") if view.shows_tokens else None
    sampled = len(ids) if isinstance(ids, list) else (count(body, "completion_tokens") or 0) - 1  # some count the end
    if sampled > most:
        yield Finding(TRUNCATION, f"at most {most} sampled tokens (max_tokens)", f"{sampled} tokens", (call.n,))
    elif isinstance(ids, list) and len(ids) == most and _is_unmarked(view.tokens, ids, body):
        yield unmarked(call, body, most)


def unmarked(call: Call, body: Body, most: int) -> Finding:
    reason = choice(body).get("finish_reason")
    return Finding(
        TRUNCATION,
        f"finish_reason length for a generation that ends at max_tokens {most}",
        f"finish_reason {show(reason)}, {most} tokens without an end of turn",
        (call.n,),
    )


def _is_unmarked(tokens: Tokens, ids: list[object], body: Body) -> bool:
    called = listed(mapping(choice(body).get("message")).get("tool_calls"))
    return finished(body) and not called and not tokens.ends_turn([one for one in ids if isinstance(one, int)])


def reaches(tokens: Tokens, call: Call, body: Body) -> bool:
    """Whether a reply without token ids is as long as `max_tokens` allows, and says nevertheless that it is complete."""
    most, message = call.body.get("max_tokens"), mapping(choice(body).get("message"))
    text = message.get("content")
    sampled = count(body, "completion_tokens")
    if sampled is None:
        sampled = len(tokens.encode(text)) if isinstance(text, str) else 0
    return isinstance(most, int) and sampled >= most and finished(body)
