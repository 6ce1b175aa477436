"""The arithmetic of a result: metrics that add up, and numbers that JSON has."""

import json
import math
from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.lenient_json import JsonObject
from rollout_conformance.steps.engine.trace import Exchange
from rollout_conformance.steps.profiles.rollout.invariants.common import broken, number, satisfied, should, show
from rollout_conformance.steps.profiles.rollout.invariants.event_order import restarted
from rollout_conformance.steps.profiles.rollout.invariants.limits import need_not_run
from rollout_conformance.steps.profiles.rollout.invariants.tools import following, reaches_tool
from rollout_conformance.steps.profiles.rollout.start_request import STREAMED
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout

CLOCKS_MS = 50.0  # three clocks, read one after the other on a busy machine


def metrics(view: CaseView) -> Iterator[Evidence]:
    for rollout in view.rollouts.values():
        result = rollout.result
        if result is None or restarted(rollout) or not rollout.shown:
            continue
        seen = result.fields.get("metrics")
        if rollout.is_completed() and not (seen is None and rollout.dialect in STREAMED):  # there they are optional
            ok = isinstance(seen, dict)
            yield satisfied("132") if ok else broken("132", "metrics", f"metrics: {show(seen)}", result.n)
        if isinstance(seen, dict) and all(chat.issued is None or not chat.issued.lost for chat in rollout.chats):
            sums = _sums(view, rollout, seen, result.n)
            # The metrics of a failed rollout describe no sample.
            yield from sums if rollout.is_completed() else map(should, sums)


def _sums(view: CaseView, rollout: Rollout, seen: JsonObject, n: int) -> Iterator[Evidence]:
    done = [chat.issued for chat in rollout.generated if chat.issued]
    if any(issued.tampered for issued in done):
        return
    # A last generation that reached a server whose time was up at that moment may count or not.
    if (
        rollout.is_completed()
        or not rollout.chats[-1:]
        or not rollout.chats[-1].delivered
        or seen.get("num_llm_calls") != len(done) - 1
    ):
        yield from _equals("130", "num_llm_calls", len(done), seen, n, "successful generations")
    if rollout.is_completed():
        yield from _equals("130", "response_tokens", sum(len(i.token_ids) for i in done), seen, n, "sampled tokens")
        yield from _calls(view, rollout, seen, n)
        yield from _context(rollout, seen, n)
    yield from _latencies(seen, n, any(len(issued.calls) > 1 for issued in done))


def _equals(requirement: str, name: str, expected: int, seen: JsonObject, n: int, what: str) -> Iterator[Evidence]:
    if seen.get(name) is None:
        return
    if number(seen[name]) == expected:
        yield satisfied(requirement)
    else:
        yield broken(requirement, f"metrics.{name}: {expected}, the {what}", f"metrics.{name}: {show(seen[name])}", n)


def _calls(view: CaseView, rollout: Rollout, seen: JsonObject, n: int) -> Iterator[Evidence]:
    executed = known = 0
    for turn in rollout.generated:
        inserted = following(rollout, turn)
        calls = turn.issued.calls if turn.issued else []
        if calls and inserted is None:
            return  # whether the last tools ran shows only in the transcript
        executed += len(calls)
        if not need_not_run(rollout, turn):
            known += sum(reaches_tool(view, call) for call in calls)
    value = number(seen.get("num_tool_calls"))
    if not executed or seen.get("num_tool_calls") is None:
        return
    # A call that never reached a tool, as one of an unknown name or of a last turn that was broken off, may be counted or not.
    if value is not None and known <= value <= executed:
        yield satisfied("109")
    else:
        again = value is not None and value > executed and _retried_after_tools(rollout)
        expected = f"metrics.num_tool_calls: {executed}, the tool calls" + (
            ", once each, also when a generation was retried" if again else ""
        )
        yield broken("111" if again else "109", expected, f"metrics.num_tool_calls: {show(seen['num_tool_calls'])}", n)


def _retried_after_tools(rollout: Rollout) -> bool:
    first = next((chat.n for chat in rollout.generated if chat.issued and chat.issued.calls), None)
    return first is not None and any(chat.n > first and not chat.delivered for chat in rollout.chats)


def _context(rollout: Rollout, seen: JsonObject, n: int) -> Iterator[Evidence]:
    value = number(seen.get("max_context_tokens"))
    done = [chat.issued for chat in rollout.generated if chat.issued]
    if seen.get("max_context_tokens") is None or not done:
        return
    low = max(len(issued.prompt_ids) for issued in done)
    high = max(len(issued.prompt_ids) + len(issued.token_ids) for issued in done)
    if value is not None and low <= value <= high:
        yield satisfied("131")
    else:
        expected = f"metrics.max_context_tokens from {low} (longest prompt) to {high} (with its reply)"
        yield broken("131", expected, f"metrics.max_context_tokens: {show(seen['max_context_tokens'])}", n)


def _latencies(seen: JsonObject, n: int, parallel: bool) -> Iterator[Evidence]:
    names = ("total_latency_ms", "llm_latency_ms", "tool_latency_ms")
    values = {name: number(seen[name]) for name in names if seen.get(name) is not None}
    wrong = {name: seen[name] for name, value in values.items() if value is None or value < 0}
    if wrong:
        yield broken("130", "latencies are numbers, none negative", f"metrics: {show(wrong)}", n)
        return
    total, llm, tool = (values.get(name) or 0.0 for name in names)
    if "total_latency_ms" in values and not parallel and llm + tool > total + CLOCKS_MS:
        yield broken("130", f"llm + tool latency at most the total {total:g} ms", f"{llm:g} + {tool:g} ms", n)
    elif values:
        yield satisfied("130")


def numbers(view: CaseView) -> Iterator[Evidence]:
    """No NaN and no Infinity in anything that the server sends."""
    labels = {rollout.given.label for rollout in view.rollouts.values()}
    for exchange in view.trace.exchanges:
        if exchange.rollout in labels:
            yield from _finite(exchange)


def _finite(exchange: Exchange) -> Iterator[Evidence]:
    body = exchange.request.body if not exchange.to_target else exchange.response.body if exchange.response else b""
    if not any(word in body for word in (b"NaN", b"Infinity")):
        if body:
            yield satisfied("133")
        return
    constants: list[str] = []

    def constant(word: str) -> float:
        constants.append(word)
        return math.nan

    try:
        json.loads(body, parse_constant=constant)
    except (ValueError, RecursionError):
        return
    if constants:
        yield broken("133", "finite numbers", f"the literal {constants[0]}", exchange.n)
