"""Tool messages: one a call, in order, under the right id, with the right value."""

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeGuard

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.lenient_json import JSON, JsonObject, mapping, mappings
from rollout_conformance.steps.engine.trace import NotJson, parse
from rollout_conformance.steps.profiles.rollout.card import Tool
from rollout_conformance.steps.profiles.rollout.invariants.common import broken, satisfied, show
from rollout_conformance.steps.profiles.rollout.invariants.event_order import restarted
from rollout_conformance.steps.profiles.rollout.invariants.limits import need_not_run
from rollout_conformance.steps.profiles.rollout.view import CaseView, Chat, Rollout

BARE = re.compile(r"[-+]?(\d+(\.\d*)?([eE][-+]?\d+)?|nan|inf(inity)?)")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
GROUPED = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")  # with marks of thousands: 1,250,000


def tools(view: CaseView) -> Iterator[Evidence]:
    for rollout in view.rollouts.values():
        if restarted(rollout):
            continue
        for turn in rollout.generated:
            inserted = following(rollout, turn)
            if inserted is not None and turn.issued and turn.issued.calls:
                seen = (turn.n, *shown_in(rollout, turn))
                yield from _answers(view, turn.issued.calls, inserted, seen, need_not_run(rollout, turn))
                if rollout.after(turn) is not None:
                    yield from _made_up(turn.issued.calls, inserted, seen)


def named(calls: Sequence[object]) -> bool:
    """Whether each call has an id: without one, a server makes one up or leaves it out (ROLLOUT-244)."""
    return all(isinstance(call, Mapping) and call.get("id") for call in calls)


def following(rollout: Rollout, turn: Chat) -> list[JSON] | None:
    """The messages that the server put behind an assistant message; None when it showed none, or dropped messages before it (ROLLOUT-047,
    048), so that they stand elsewhere."""
    after = rollout.after(turn)
    if after is not None:
        known = len(turn.messages)
        is_moved = len(after.messages) <= known or (
            mapping(after.messages[known]).get("role") != "assistant" and after.messages[:known] != turn.messages
        )
        return None if is_moved else after.messages[known + 1 :]
    final = rollout.result.fields.get("final_messages") if rollout.result else None
    if rollout.is_completed() and isinstance(final, list) and len(final) > len(turn.messages) + 1:
        return final[len(turn.messages) + 1 :]
    return None


def shown_in(rollout: Rollout, turn: Chat) -> tuple[int, ...]:
    """The exchange in which the server showed what follows an assistant message: the next generation request, or the result."""
    after = rollout.after(turn) or rollout.result
    return (after.n,) if after is not None else ()


def _answers(
    view: CaseView, calls: list[JSON], inserted: list[JSON], seen: tuple[int, ...], unrun: bool
) -> Iterator[Evidence]:
    """`seen` are the exchanges with the calls and, behind it, with their results; `unrun`: the calls may have been answered with an error
    in place of being run."""
    roles = [mapping(message).get("role") for message in inserted]
    first, rest = roles[: len(calls)], roles[len(calls) :]
    if first != ["tool"] * len(calls) or "tool" in rest:
        expected = f"{len(calls)} tool message(s) after the {len(calls)} call(s)"
        yield broken(
            "093" if named(calls) else "244",
            expected,
            f"{len(inserted)} message(s) with roles {show(roles)}",
            seen[0],
            proof=seen,
        )
        return
    yield satisfied("093")
    messages = mappings(inserted[: len(calls)])
    yield from _ids(view, calls, messages, seen)
    yield from _contents(view, calls, messages, seen, unrun)


def _made_up(calls: list[JSON], inserted: list[JSON], seen: tuple[int, ...]) -> Iterator[Evidence]:
    """A message of the assistant behind the results, which the policy did not sample. Messages of other roles are the server's to add."""
    roles = [mapping(message).get("role") for message in inserted]
    if roles[: len(calls)] != ["tool"] * len(calls):
        return
    if "assistant" in roles:
        expected = "no message of the assistant that the trainer did not return"
        observed = show(mapping(inserted[roles.index("assistant")]))
        yield broken("290", expected, observed, seen[0], proof=seen)
    else:
        yield satisfied("290")


def _ids(view: CaseView, calls: list[JSON], inserted: list[JsonObject], seen: tuple[int, ...]) -> Iterator[Evidence]:
    if not named(calls):
        return
    expected = [mapping(call).get("id") for call in calls]
    observed = [message.get("tool_call_id") for message in inserted]
    if observed == expected:
        yield satisfied("094")
        if len(calls) > 1:
            yield satisfied("095")
        if len(set(map(str, expected))) < len(expected):
            yield satisfied("105")
    elif sorted(map(str, observed)) == sorted(map(str, expected)) and not _in_order(view, calls, inserted):
        yield broken(
            "095", f"tool messages for {show(expected)}", f"tool messages for {show(observed)}", seen[0], proof=seen
        )
    else:
        yield broken("094", f"tool_call_id {show(expected)}", f"tool_call_id {show(observed)}", seen[0], proof=seen)


def _in_order(view: CaseView, calls: list[JSON], inserted: list[JsonObject]) -> bool:
    """Whether the results are those of the calls, in their order: then the ids are wrong, and not the order."""
    results = [result_of(view, call) for call in calls]
    distinct = None not in results and len(set(map(str, results))) == len(results)
    return distinct and all(
        gives(str(message.get("content")), want) for message, want in zip(inserted, results, strict=True)
    )


def _contents(
    view: CaseView, calls: list[JSON], inserted: list[JsonObject], seen: tuple[int, ...], unrun: bool
) -> Iterator[Evidence]:
    ids = [mapping(call).get("id") for call in calls]
    ids_in_order = not named(calls) or ids == [message.get("tool_call_id") for message in inserted]
    results = [result_of(view, call) for call in calls]
    values = sorted(one for one in results if _is_number(one))
    texts = {str(one) for one in results if one is not None and not _is_number(one)}
    for at, (message, want) in enumerate(zip(inserted, results, strict=True)):
        content = message.get("content")
        if not isinstance(content, str):
            yield broken(
                "096", "content of a tool message is a string", f"content: {show(content)}", seen[0], proof=seen
            )
            continue
        yield satisfied("096")
        if want is None or not ids_in_order or (unrun and looks_like_error(content)):
            continue
        if gives(content, want):
            yield satisfied("104")
            yield satisfied("071")
        else:
            expected = f"{show(mapping(calls[at]).get('function'))} gives {show(want)}{by_card(view)}"
            mixed = _gives_one_of(content, values, texts)
            yield broken("095" if mixed else "104", expected, f"content: {show(content)}", seen[0], proof=seen)


def _gives_one_of(content: str, values: Sequence[float], texts: Iterable[str]) -> bool:
    """Whether a message carries the value of any call. The values are in order: each number of it is compared with its neighbours."""
    return any(_is_one_of(found, values) for found in _numbers(content)) or any(text in content for text in texts)


def _numbers(content: str) -> Iterator[float]:
    yield from map(float, NUMBER.findall(content))
    yield from (float(found.replace(",", "")) for found in GROUPED.findall(content))


def _is_one_of(value: float, values: Sequence[float]) -> bool:
    at = bisect_left(values, value)
    return any(_is_close(value, one) for one in values[max(0, at - 1) : at + 1])


def _is_close(seen: float, value: float) -> bool:
    return math.isclose(seen, value, rel_tol=1e-4, abs_tol=1e-9)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def result_of(view: CaseView, call: object) -> JSON:
    """The value that a call must give, None where that is not known or an error is right."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, Mapping):
        return None
    name, raw = function.get("name"), function.get("arguments")
    if not isinstance(raw, str):
        return None  # a server may reject what the API has as text (ROLLOUT-071)
    arguments = parse(raw.encode("utf-8", "replace"))
    if isinstance(arguments, NotJson) or not isinstance(arguments, dict):
        return None
    if view.card.tools is not None:
        return _declared(view.card.tools, name, arguments)
    return calculated(name, arguments) if name in view.tools else None


def by_card(view: CaseView) -> str:
    """Where the value that a call must give is from: the author of a card may have written a wrong one."""
    return " (the `result` of this call under `tools` on the card)" if view.card.tools is not None else ""


def _declared(declared: list[Tool], name: JSON, arguments: JsonObject) -> JSON:
    return next((t.result for t in declared if t.name == name and t.arguments == arguments and not t.error), None)


def reaches_tool(view: CaseView, call: object) -> bool:
    """Whether a call is such that its tool runs, also where it fails there, as a division by zero does."""
    if result_of(view, call) is not None:
        return True
    function = mapping(mapping(call).get("function"))
    raw = function.get("arguments")
    arguments = mapping(parse(raw.encode("utf-8", "replace"))) if isinstance(raw, str) else {}
    numbers = set(arguments) == {"a", "b"} and all(map(_is_number, arguments.values()))
    return numbers and function.get("name") == "divide" and "divide" in view.tools and view.card.tools is None


def calculated(name: JSON, arguments: JsonObject) -> float | None:
    """The calculator's answer to well-formed arguments, None where it has none."""
    a, b = arguments.get("a"), arguments.get("b")
    if set(arguments) != {"a", "b"} or not _is_number(a) or not _is_number(b):
        return None
    try:
        value = {"add": a + b, "subtract": a - b, "multiply": a * b}.get(str(name))
        value = a / b if name == "divide" else value
    except (ZeroDivisionError, OverflowError):
        return None
    return value if value is not None and math.isfinite(value) else None


def gives(content: str, value: object) -> bool:
    """Whether a tool message carries a value: `8`, `8.0` and `The result is 8` all carry 8."""
    if not _is_number(value):
        return str(value) in content
    return any(_is_close(found, value) for found in _numbers(content))


def is_bare_number(content: object) -> bool:
    """Whether a tool message is a number and nothing else: what an error must not look like."""
    if isinstance(content, int | float):
        return True
    return isinstance(content, str) and BARE.fullmatch(content.strip().lower()) is not None


def looks_like_error(content: object) -> TypeGuard[str]:
    """Whether a tool message can be an error: text, not empty, and not a bare number."""
    return isinstance(content, str) and content.strip() != "" and not is_bare_number(content)
