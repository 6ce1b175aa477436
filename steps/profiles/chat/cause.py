"""Why a case cannot be judged as it is written: a request was answered otherwise than the case gives reason for. Pure.

Only the first such response counts. A target that reports its load (429, 503) proves nothing about itself; a rejection, an error and
a lost connection do, once, and nothing that rests on the response is judged.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView

BUSY = (429, 503)
GATEWAY = (502, 504)
MAY_BE_REJECTED, MUST_BE_REJECTED = "may_be_rejected", "must_be_rejected"  # members of expectations
SERVES, ENDS, ABORTS, STREAMS, NO_5XX = "CHAT-001", "CHAT-051", "CHAT-056", "CHAT-057", "CHAT-303"
EXPECTED = "200: nothing in the case gives reason for another status"
SHOWN = 200  # characters of a body
READ = 10_000  # characters of a rejection in which a member is looked for
MEMBER_OF = {"required_tools": "tool_choice"}  # of a request, where it has another name than the capability
OPTIONAL = {"seed", "stop", "n", "max_completion_tokens", "required_tools"}
WHOLE = {"tools", "calculates", "json", "knows_france"}  # what only a whole response shows
NO_CALL = "the response before has no tool call, so that the conversation ends with a message of the assistant"
TOO_LONG = "a stream of more than"  # the suite's own limit
NO_ANSWER = re.compile(r"TimeoutError|no (?:answer|response|end) within")


def cause(case: Case, view: CaseView) -> Cause | None:
    """What ended a case otherwise than it gives reason for. A generated request is about no requirement, and judged by itself."""
    if not case.requirements:
        return None
    found = (_cause(case, view, response) for response in view.judged)
    return next((one for one in found if one is not None), None) or _cut_by_target(case, view)


def _cut_by_target(case: Case, view: CaseView) -> Cause | None:
    """A response that a limit of the target ended may lack what the case demands of the whole one."""
    if "max_tokens" not in view.context.imposed or not case.needs & WHOLE:
        return None
    cut = next((one for one in view.judged for choice in one.choices if choice.finish == "length"), None)
    return None if cut is None else Cause("a limit of tokens that the target imposes ended a response", since=cut.n)


def _cause(case: Case, view: CaseView, response: ChatResponse) -> Cause | None:
    fault = _fault(view, response)
    if response.status is None or fault:
        return _lost(case, view, response, fault or "no response")
    if _is_no_stream(view, response):
        return _found(STREAMS, "a stream of events, as `stream: true` requests", "one JSON object", response)
    if 200 <= response.status < 300 or response.status in _named(case, view, response):
        return None
    if response.status in BUSY:
        return Cause(f"the target returned {response.status} by itself", since=response.n)
    if _is_judged(case, view, response, MUST_BE_REJECTED if response.status >= 500 else MAY_BE_REJECTED):
        return None
    if response.status == 401 and view.context.key is None:
        return Cause("the target requires a key (401): give it with --target-key", since=response.n)
    return _answered(case, view, response, response.status)


def _fault(view: CaseView, response: ChatResponse) -> str:
    exchanges = view.trace.exchanges
    fault = exchanges[response.n].fault if response.n < len(exchanges) else None
    return "" if response.left or fault is None else fault


def _is_no_stream(view: CaseView, response: ChatResponse) -> bool:
    """Whether `stream` was ignored. Nothing that a case demands of the events of a stream is then judged."""
    if response.status != 200 or not response.streamed or response.chunks or response.n >= len(view.trace.exchanges):
        return False
    sent = view.trace.exchanges[response.n].response
    return sent is not None and isinstance(parse(sent.body), Mapping)


def _lost(case: Case, view: CaseView, response: ChatResponse, fault: str) -> Cause | None:
    """No response, or a stream that broke off."""
    silent = NO_ANSWER.search(fault) is not None
    if silent and response.others_answered:
        told = f"no end of the response within the patience of the suite ({fault}), while other requests were answered"
        return Cause(f"{told}: the target is slow, or serves one request after the other; lower -j", since=response.n)
    if silent and response.exceeds_context and not view.context.knows_context:
        return Cause(
            f"GET /v1/models has no max_model_len, and a conversation of {view.context.context_tokens} tokens had no response in time",
            since=response.n,
        )
    if TOO_LONG in fault:
        return Cause(f"{fault}: the suite reads no more", since=response.n)
    if response.status is not None and 200 <= response.status < 300 and not silent:
        return _found(ENDS, "a stream that is sent to its end", f"it broke off: {fault}", response)
    left = sum(one.left for one in view.responses if one.n < response.n)
    if response.status is None and left and ABORTS in case.requirements:
        return _found(ABORTS, f"a response, after the clients of {left} requests have disconnected", fault, response)
    requirement = case.requirements[0] if any(_that(case, MUST_BE_REJECTED)) else SERVES
    return _found(requirement, "a response", fault, response)


def _answered(case: Case, view: CaseView, response: ChatResponse, status: int) -> Cause:
    exchanges = view.trace.exchanges[response.n : response.n + 1]
    sent = exchanges[0].response if exchanges else None
    told = f"{status}: {sent.body[:SHOWN].decode('utf-8', 'replace') if sent else response.text[:SHOWN]}"
    if status in GATEWAY and case.requirements[0] == NO_5XX:
        return Cause(f"a gateway returned {told}, which the requirement leaves to it", since=response.n)
    if status >= 500:
        return _found(
            case.requirements[0] if status in GATEWAY else NO_5XX, _allowed(case, view, response), told, response
        )
    if status >= 400 and (lacks := _may_lack(case, view, response)):
        return Cause(f"rejected with {told}: {lacks}", since=response.n)
    if status >= 400 and response.messages and response.messages[-1].get("role") == "assistant":
        return Cause(f"rejected with {told}: {NO_CALL}", since=response.n)
    if status >= 400:
        return _found(case.requirements[0], EXPECTED, f"rejected with {told}", response)
    return _found(case.requirements[0], EXPECTED, f"a redirect: {told}", response)


def _allowed(case: Case, view: CaseView, response: ChatResponse) -> str:
    """The statuses that a case gives reason for, in words."""
    others = sorted(_named(case, view, response) - {200})
    if not others:
        return EXPECTED
    return f"{', '.join(map(str, [200, *others[:-1]]))} or {others[-1]}: the case gives reason for no other status"


def _may_lack(case: Case, view: CaseView, response: ChatResponse) -> str:
    """What the case rests on that servers are free to lack, where the card does not declare it. A rejection is then right.

    Of several that its request has, those are named that the rejection names, so that nothing else is declared absent.
    """
    optional = sorted(OPTIONAL & case.needs - set(view.context.card.capabilities))
    there = [name for name in optional if MEMBER_OF.get(name, name) in response.request]
    if not there:
        return ""
    there = [name for name in there if _names(response, MEMBER_OF.get(name, name))] or there
    names, absent = (" or ".join(f"`{prefix}{name}`" for name in there) for prefix in ("", "no_"))
    which = "" if len(there) == 1 else ", whichever it is"
    return (
        f"servers may lack this; declare {names} on its card to have it judged, or {absent} to have it skipped{which}"
    )


def _names(response: ChatResponse, member: str) -> bool:
    """Whether a rejection is about a member: a word of its text, and not a part of one."""
    return re.search(rf"(?<![A-Za-z_]){member}(?![A-Za-z_])", response.text[:READ]) is not None


def _found(requirement: str, expected: str, observed: str, response: ChatResponse) -> Cause:
    return Cause(observed, Finding(requirement, expected, observed, (response.n,)), response.n)


def _is_judged(case: Case, view: CaseView, response: ChatResponse, how: str) -> bool:
    """Whether a demand of the case is itself about such a status of this response."""
    return any(response in view.named(*what.of) for what in _that(case, how))


def _named(case: Case, view: CaseView, response: ChatResponse) -> set[int]:
    """The statuses that the case names for this response."""
    named = [getattr(what, "numbers", ()) for what in _that(case, MAY_BE_REJECTED) if response in view.named(*what.of)]
    return {status for statuses in named for status in statuses}


def _that(case: Case, how: str) -> Iterator[Any]:
    """The demands of a case that allow a rejection, or require one."""
    return (step.what for step in case.expectations if getattr(step.what, how, False))
