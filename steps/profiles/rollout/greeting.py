"""The plainest rollout: one reply without tools. What it shows of a rollout server before anything is judged."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.lenient_json import mapping, text
from rollout_conformance.steps.engine.probe_result import (
    PlainRequest,
    ProbeResult,
    excerpt,
    key_source,
    result_of,
)
from rollout_conformance.steps.engine.trace import GIVEN_UP, Exchange, Trace, parse
from rollout_conformance.steps.peers.script import Reply, Script
from rollout_conformance.steps.profiles.rollout.actions.prepare import ScriptTrainer
from rollout_conformance.steps.profiles.rollout.actions.start import Start
from rollout_conformance.steps.profiles.rollout.actions.wait import WaitForEnd
from rollout_conformance.steps.profiles.rollout.context import RolloutSession
from rollout_conformance.steps.profiles.rollout.dialect_bodies import completion_of, leased_result_of
from rollout_conformance.steps.profiles.rollout.expectations.termination import Completed
from rollout_conformance.steps.profiles.rollout.start_request import START_PATH

HERE = Location("greeting", 1)
LEASE = "polling_lease_token"
LEASE_S = 2.0  # how long a target that wants to be polled is given to report by itself
LEASED = f"the target answers with a lease ({LEASE}): its results are fetched, which is the dialect leased (--dialect leased)"
LARGEST = 1 << 20  # bytes of a body that is looked into
TOKENIZER = (
    "give the name by which the target knows the tokenizer with --tokenizer-name, and its files with --tokenizer DIR"
)
MENDS: Mapping[str, str] = {"tokenizer_name": TOKENIZER}
ABOUT_TOKENIZER = re.compile(r"tokenizer|model identifier|huggingface|repo id|local folder", re.I)
ABOUT_CONNECTION = re.compile(r"connect|refused|unreachable|resolve|getaddrinfo|name or service|timed? ?out", re.I)


@dataclass(frozen=True, slots=True)
class EndOfGreeting:
    """Wait until the rollout has ended; not for long where its result has to be polled for, which only the dialect leased does."""

    async def perform(self, session: RolloutSession) -> None:
        leased = session.context.dialect == "leased"
        if not leased and any(exchange.to_target and _lease(exchange) for exchange in session.trace.exchanges):
            session.patience_s = min(session.patience_s, LEASE_S)
        await WaitForEnd().perform(session)


def greeting(dialect: str) -> Case:
    script = ScriptTrainer(Script((Reply(text="Hello."),)))
    steps = tuple(Step(what, HERE) for what in (script, Start(), EndOfGreeting(), Completed()))
    return Case("a plain rollout", "rollout", dialect, ("ROLLOUT-112",), steps, HERE)


def read_probe(session: RolloutSession, case: Case) -> ProbeResult:
    """Whether rollouts can be judged: the start is accepted, and something reaches the trainer."""
    trace, context = session.trace, session.context
    starts = (e for e in reversed(trace.exchanges) if e.to_target and e.rollout == "" and e.request.method == "POST")
    start = next(starts, None)
    if start is None:
        return ProbeResult("no start request was sent")
    key = key_source(context.target_key, context.card.key)
    plain = PlainRequest("start", f"POST {START_PATH[case.dialect]}", key, MENDS)
    reached = any(not e.to_target for e in trace.exchanges) or bool(context.trainer.unmatched_requests)
    failed = _error(case.dialect, trace, start)
    if start.response is None:
        waiting = start.fault == GIVEN_UP
        return ProbeResult() if reached else ProbeResult(_unreached(session)) if waiting else result_of(plain, start)
    if (rejected := result_of(plain, start)).obstacle:
        return rejected
    if case.dialect != "leased" and failed is None and _lease(start) and not _ended(trace, start):
        return ProbeResult(LEASED)
    if failed is not None:
        return _of_error(session, case.dialect, failed, reached)
    if not reached and not _ended(trace, start):
        return ProbeResult(_unreached(session))
    return ProbeResult()


def _of_error(session: RolloutSession, dialect: str, message: str, reached: bool) -> ProbeResult:
    """A rollout that ended in ERROR can be judged, unless it ended before any request to the trainer for want of an option."""
    shown = excerpt(message.encode("utf-8", "replace")) or "(no message)"
    ends = f"a plain rollout ends in ERROR: {shown}"
    if not reached and dialect == "sync" and ABOUT_TOKENIZER.search(shown):
        return ProbeResult(f"{ends}: {TOKENIZER}")
    if not reached and ABOUT_CONNECTION.search(shown):
        return ProbeResult(
            f"{ends}: no request arrived at {session.context.trainer_url}: can the target reach --listen?"
        )
    return ProbeResult(remark=ends)


def _unreached(session: RolloutSession) -> str:
    at, quiet = session.context.trainer_url, session.patience_s
    return f"a start is accepted, but no request arrived at {at} within {quiet:g} s: can the target reach --listen?"


def _lease(start: Exchange) -> bool:
    return LEASE in _body(start.response.body if start.response else b"")


def _body(body: bytes) -> Mapping[str, object]:
    return mapping(parse(body)) if len(body) <= LARGEST else {}


def _ended(trace: Trace, start: Exchange) -> bool:
    """Whether the rollout reported an end, whatever that was."""
    if any(event.name in ("CompletedSent", "ResultReturned") for event in trace.events):
        return True
    return start.response is not None and start.response.status == 200 and "status" in _body(start.response.body)


def _error(dialect: str, trace: Trace, start: Exchange) -> str | None:
    """The message of a rollout that ended in ERROR, None for one that did not."""
    posts = [event.exchange for event in trace.events if event.name == "CompletedSent"]
    if dialect == "sync":
        body = _body(start.response.body if start.response else b"")
    elif dialect == "leased":
        results = [trace.exchanges[event.exchange].response for event in trace.events if event.name == "ResultReturned"]
        body = leased_result_of(_body(results[0].body)) if results and results[0] is not None else {}
    else:
        body = _body(trace.exchanges[posts[0]].request.body) if posts else {}
        body = completion_of(body) if dialect == "routed" else body
    return text(body.get("error_message")) if body.get("status") == "ERROR" else None
