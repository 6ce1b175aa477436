"""What can be seen to be wrong with a case about a rollout server before it is played: it would accuse the server of a slip of the author."""

from collections.abc import Iterator, Sequence

from rollout_conformance.steps.engine.cases import Step, is_action, is_expectation
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.http.expectations import Status
from rollout_conformance.steps.http.references import unknown_references
from rollout_conformance.steps.peers.script import Reply
from rollout_conformance.steps.profiles.rollout.actions.prepare import ScriptTrainer, SetStartRequest
from rollout_conformance.steps.profiles.rollout.actions.requests import Cancel, GetStatus, Send
from rollout_conformance.steps.profiles.rollout.actions.start import ResendStart, Start, StartWithAuthorization
from rollout_conformance.steps.profiles.rollout.actions.wait import (
    Release,
    WaitForCallback,
    WaitForEnd,
    WaitForGenerationRequest,
)
from rollout_conformance.steps.profiles.rollout.expectations.messages import FinalMessageRoles, FinalMessagesContain
from rollout_conformance.steps.profiles.rollout.expectations.responses import (
    CancelDisposition,
    CancelRejected,
    RolloutStatus,
)
from rollout_conformance.steps.profiles.rollout.expectations.start_responses import StartRejected
from rollout_conformance.steps.profiles.rollout.expectations.termination import Completed
from rollout_conformance.steps.profiles.rollout.expectations.tool_results import ToolResults
from rollout_conformance.steps.profiles.rollout.start_request import StartOverrides, has_member

NEVER = "never"  # the hold that is not released on purpose
REASONS = ("stop", "length", "max_turns", "max_tokens", "tool_calls", "content_filter", "error")
PREPARING = (ScriptTrainer, SetStartRequest)
STARTING = (Start, StartWithAuthorization, ResendStart)
WAITING = (WaitForEnd, WaitForCallback, WaitForGenerationRequest)
REQUESTS = (Send, Cancel, GetStatus)
NEEDED = {
    Status: (REQUESTS, "`send`, `cancel` or `get_status`"),
    RolloutStatus: ((GetStatus,), "`get_status`"),
    CancelDisposition: ((Cancel,), "`cancel`"),
    CancelRejected: ((Cancel,), "`cancel`"),
}
OF_GENERATIONS = (Completed, ToolResults, FinalMessagesContain, FinalMessageRoles)
Mistake = tuple[Location | None, str]


def mistakes(steps: Sequence[Step]) -> Iterator[Mistake]:
    if all(isinstance(step.what, PREPARING) or not is_action(step.what) for step in steps):
        hint = "Write a When, as `When the trainer starts the rollout`; in YAML, `steps: [start, wait_for_end]`"
        yield None, f"nothing is done to the server. {hint}"
        return
    yield from _order(steps)
    yield from _unplayed(steps)
    yield from _started_twice(steps)
    yield from _unstarted(steps)
    yield from _holds(steps)
    yield from _reasons(steps)
    yield from _unscripted(steps)
    yield from _unawaited(steps)
    yield from unknown_references(steps)


def _labels(steps: Sequence[Step]) -> list[str]:
    """The rollouts that are started."""
    return [step.what.rollout for step in steps if isinstance(step.what, STARTING)]


def _order(steps: Sequence[Step]) -> Iterator[Mistake]:
    """What waits for a rollout comes after its start."""
    for n, step in enumerate(steps):
        if not isinstance(step.what, WAITING):
            continue
        label, started = step.what.rollout, _labels(steps[:n])
        if not started or not _is_among(label, started):
            yield step.at, f"waits for {_called(label)} before it is started"


def _unplayed(steps: Sequence[Step]) -> Iterator[Mistake]:
    """The script of a rollout and its start request are set before the start."""
    for n, step in enumerate(steps):
        if isinstance(step.what, PREPARING) and step.what.rollout not in _labels(steps[n:]):
            yield step.at, f"no start of {_called(step.what.rollout)} comes after this, so it would have no effect"


def _started_twice(steps: Sequence[Step]) -> Iterator[Mistake]:
    """A rollout that is started twice would be two under one name: the messages of the first would be found in the other (ROLLOUT-159)."""
    started: set[str] = set()
    for step in steps:
        if not isinstance(step.what, Start):
            continue
        label = step.what.rollout
        if label in started:
            ways = 'two names, as `for rollout "a", the trainer starts the rollout` (YAML: `start: a`)'
            again = "`the trainer resends the start request` (YAML: `resend_start`)"
            yield (
                step.at,
                f"{_called(label)} is started twice. Give two rollouts {ways}; to send a start request again, write {again}",
            )
        started.add(label)


def _unstarted(steps: Sequence[Step]) -> Iterator[Mistake]:
    """Rollouts that are named are started, and requests whose responses are judged are sent."""
    started = _labels(steps)
    for step in steps:
        names = getattr(step.what, "rollouts", ()) or (getattr(step.what, "rollout", ""),)
        for name in names:
            if not _is_among(name, started) and not isinstance(step.what, PREPARING + WAITING):
                yield step.at, unknown_name("rollout", name, [label for label in started if label])
        if is_expectation(step.what):
            yield from _unasked(step, started, steps)


def _unasked(step: Step, started: list[str], steps: Sequence[Step]) -> Iterator[Mistake]:
    kinds, words = NEEDED.get(type(step.what), (None, ""))
    if kinds is not None and not any(isinstance(one.what, kinds) for one in steps):
        yield step.at, f"expects the response to a request that is not sent; the case has no {words}"
    if hasattr(step.what, "rollout") and not started:
        yield step.at, "expects something of a rollout, and none is started"


def _holds(steps: Sequence[Step]) -> Iterator[Mistake]:
    """What is held is released, and what is released is held."""
    held = {line.hold: step for step in steps for line in _replies(step.what) if line.hold}
    released = {step.what.name: step for step in steps if isinstance(step.what, Release)}
    for name, step in held.items():
        if name not in released and name != NEVER:
            others = ", ".join(sorted(set(released) - set(held)))
            hint = f" Released: {others}." if others else ""
            yield (
                step.at,
                f'"{name}" is held and never released.{hint} A reply that is held on purpose waits for "{NEVER}"',
            )
    for name, step in released.items():
        if name == NEVER:
            yield step.at, f'"{NEVER}" is the name of what is not released; hold it under another name'
        elif name not in held:
            yield step.at, f'nothing is held under "{name}". {unknown_name("hold", name, held)}'


def _replies(what: object) -> list[Reply]:
    return [line for line in what.script.lines if isinstance(line, Reply)] if isinstance(what, ScriptTrainer) else []


def _reasons(steps: Sequence[Step]) -> Iterator[Mistake]:
    """A finish reason is one of the protocol's, or one that the trainer of this case gives."""
    given = {line.finish for step in steps for line in _replies(step.what) if line.finish}
    for step in steps:
        for reason in step.what.finish_reasons if isinstance(step.what, Completed) else ():
            if reason not in REASONS and reason not in given:
                yield step.at, unknown_name("finish reason", reason, REASONS)


def _unscripted(steps: Sequence[Step]) -> Iterator[Mistake]:
    """What only a generation brings about is not expected of a rollout whose trainer has nothing to answer."""
    if any(isinstance(step.what, ScriptTrainer) and step.what.script.lines for step in steps):
        return
    for step in steps:
        if isinstance(step.what, OF_GENERATIONS):
            hint = (
                'Write one before the start, as `Given the policy answers "Done."`; in YAML, `trainer: [{text: Done.}]`'
            )
            yield step.at, f"the trainer of this case has no response to a generation request. {hint}"


def _unawaited(steps: Sequence[Step]) -> Iterator[Mistake]:
    """Nothing is expected of the end of a rollout by a case that is over once it has started."""
    actions = [step.what for step in steps if is_action(step.what) and not isinstance(step.what, PREPARING)]
    if not actions or not isinstance(actions[-1], STARTING):
        return
    for step in steps:
        if isinstance(step.what, OF_GENERATIONS):
            hint = "Write `And the rollout ends` below its start; in YAML, `steps: [start, wait_for_end]`"
            yield step.at, f"expects something of the end of the rollout, and the case does not wait for it. {hint}"


def misplaced(steps: Sequence[Step], dialects: Sequence[str]) -> Iterator[Mistake]:
    """A start request that has to be rejected differs in each dialect of its case: a server ignores what it does not know (ROLLOUT-040)."""
    if not any(isinstance(step.what, StartRejected) for step in steps):
        return
    for step in steps:
        names = _only_members(step.what)
        without = [one for one in dialects if names and not any(has_member(one, name) for name in names)]
        if without:
            others = ", ".join(dialect for dialect in dialects if dialect not in without)
            told = (
                f"the start request of {' and '.join(without)} has no {' or '.join(names)}, so that it is not rejected"
            )
            yield step.at, f"{told}; write `dialects: [{others}]`" if others else told


def _only_members(what: object) -> list[str]:
    """The members by which a start request differs, none where it differs in something else as well."""
    if not isinstance(what, SetStartRequest):
        return []
    changed = what.overrides
    alone = changed == StartOverrides(body=changed.body, without=changed.without)
    return [*changed.body, *changed.without] if alone else []


def _is_among(label: str, started: Sequence[str]) -> bool:
    """Copies of a rollout are called label#1, label#2 and so on."""
    return label in ("", "all") or label.partition("#")[0] in started


def _called(label: str) -> str:
    return f"rollout {label!r}" if label not in ("", "all") else "the rollout"
