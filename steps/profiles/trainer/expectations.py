"""What a case may demand of a trainer beyond the invariants, judged on the whole view.

A demand that is not met accuses the first requirement of its case.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from rollout_conformance.steps.engine.comparison import Comparison
from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import first, show
from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings
from rollout_conformance.steps.engine.trace import Exchange, parse
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.trainer.request_tools import first_prompts, holds
from rollout_conformance.steps.profiles.trainer.state import Call, CaseView, JsonObject, RolloutState, recorded
from rollout_conformance.steps.profiles.trainer.statuses import Status, fits
from rollout_conformance.steps.profiles.trainer.truncation import choice, count, finished, is_empty, reaches

NO_BACKEND = (502, 503, 504)  # such a trainer has shown nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutExpectation:
    """A demand on one rollout of a case, or on each. A class that inherits from it defines what is compared."""

    rollout: str = ""
    "The name of the rollout within the case; without it, every rollout of the case is judged."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for name, rollout in view.rollouts.items():
            if self.rollout in ("", name):
                for check in self.checks(view, rollout):
                    yield check.evidence(requirement)

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        raise NotImplementedError


def _in_order(name: str, expected: tuple[Status, ...], observed: list[int | None], at: tuple[int, ...]) -> Comparison:
    """As many responses as statuses, each with its status."""
    ok = len(observed) == len(expected) and all(map(fits, observed, expected))
    return Comparison(ok, f"{name} return {' '.join(map(str, expected))}", show(observed), at)


@verb("generation_status", short="statuses", example=("[200, 422, 200]", "{statuses: [401, 200], rollout: a}"))
@phrase("the generation requests return {statuses:statuses}", example={"statuses": "200, 422 and 200"})
@phrase("the generation request returns {statuses:status}")
@dataclass(frozen=True, slots=True)
class GenerationStatus(RolloutExpectation):
    """The generation requests of a rollout return these statuses, in the order in which they were sent."""

    statuses: tuple[Status, ...]
    "One for each request. 4xx stands for all of its class; 400, 401, 403, 404 and 422 stand for each other."

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        observed = [view.answer(call.n)[0] for call in rollout.calls]
        yield _in_order("generation requests", self.statuses, observed, tuple(call.n for call in rollout.calls[:6]))


@verb("completion_status", short="statuses", example=("[401, 200]", "{statuses: [200, 200], equal_bodies: true}"))
@phrase("the completed callbacks return {statuses:statuses}", example={"statuses": "401 and 200"})
@phrase("the completed callback returns {statuses:status}")
@phrase(
    "the completed callbacks return {statuses:statuses}, with equal bodies",
    example={"statuses": "200 and 200"},
    equal_bodies=True,
)
@dataclass(frozen=True, slots=True)
class CompletionStatus(RolloutExpectation):
    """The completed callbacks of a rollout return these statuses, in the order in which they were sent."""

    statuses: tuple[Status, ...]
    "One for each request. 4xx stands for all of its class; 400, 401, 403, 404 and 422 stand for each other."
    equal_bodies: bool = False
    "Whether the bodies of all responses must be equal."

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        responses, at = [view.answer(n) for n in rollout.callbacks], tuple(rollout.callbacks)
        yield _in_order("completed callbacks", self.statuses, [status for status, _ in responses], at)
        if self.equal_bodies:
            bodies = [body for _, body in responses]
            equal = all(body == bodies[0] for body in bodies)
            yield Comparison(equal, "equal bodies", show(bodies), at)


@verb("control_status", short="statuses", example=("202", "{statuses: 404, request: record}"))
@phrase("reading the record returns {statuses:statuses}", request="record")
@dataclass(frozen=True, slots=True)
class ControlStatus(RolloutExpectation):
    """The control request that started a rollout, or every reading of its record, returns one of these statuses."""

    statuses: tuple[Status, ...]
    "Any of them will do."
    request: Literal["start", "record"] = "start"
    "Which requests are meant."

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        numbers = rollout.records if self.request == "record" else [rollout.control]
        for n in (n for n in numbers if n >= 0):
            status = view.answer(n)[0]
            ok = any(fits(status, one) for one in self.statuses)
            yield Comparison(ok, f"one of {show(list(self.statuses))}", f"{status}", (n,))


@verb("same_generations", short="rollout", example="{rollout: a}")
@phrase("equal generation requests return the same generation")
@dataclass(frozen=True, slots=True)
class SameGenerations(RolloutExpectation):
    """Every generation request that equals an earlier one returns the same message, token ids and logprobs as that one."""

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        equal_requests: dict[str, list[Any]] = {}
        for call in rollout.calls:
            status, body = view.answer(call.n)
            if call.right:
                key = json.dumps(call.body, sort_keys=True)
                equal_requests.setdefault(key, []).append((call.n, status, _generation(body)))
        for (first_n, _, generation), *others in equal_requests.values():
            for n, status, other in others:
                difference = first(generation, other)
                observed = f"{status}" if status != 200 else str(difference)
                ok = status == 200 and difference is None
                yield Comparison(ok, "the same generation as before", observed, (first_n, n))


def _generation(body: JsonObject) -> dict[str, object]:
    message = next((choice.get("message") for choice in mappings(body.get("choices"))), None)
    return {"message": message, "token_ids": body.get("token_ids"), "logprobs": body.get("logprobs")}


@verb("record_shows", example=("{turns: 2}", "{status: COMPLETED, result: COMPLETED}", "{status: [TIMEOUT, ERROR]}"))
@phrase("the record shows {turns} turn(s)")
@phrase("the record shows the status {status:names}")
@phrase("the record shows the result {result:word}")
@dataclass(frozen=True, slots=True)
class RecordShows(RolloutExpectation):
    """The record that was read last shows these values; what is not named is not judged."""

    turns: int | None = None
    "How many turns it holds, in all branches together."
    status: tuple[str, ...] = ()
    "The status of the rollout; any of them will do."
    result: str | None = None
    "The status in the result that the rollout server reported."
    result_unchanged: bool = False
    "Whether the result is the first one that the rollout server reported, member by member, with no reward that it did not report."

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        record, at = view.record(rollout), tuple(rollout.records[-1:] or [0])
        if self.turns is not None:
            turns = [some for line in recorded(record) if isinstance(some := line.get("turns"), list)]
            count = sum(len(some) for some in turns) if turns else None
            yield Comparison(count == self.turns, f"{self.turns} turn(s) in the record", f"{count}", at)
        if self.status:
            status = record.get("status")
            yield Comparison(
                status in self.status, f"status {' or '.join(self.status)} in the record", show(status), at
            )
        if self.result is not None:
            result = record.get("result")
            status = result.get("status") if isinstance(result, dict) else None
            yield Comparison(status == self.result, f"the result {self.result} in the record", show(status), at)
        if self.result_unchanged:
            difference = _changed(_reported(view, rollout), mapping(record.get("result")))
            yield Comparison(difference is None, "the result as it was reported", f"{difference}", at)


def _reported(view: CaseView, rollout: RolloutState) -> JsonObject:
    """The first result of a rollout, as the rollout server sent it."""
    if view.dialect == "callback" and rollout.callbacks:
        return mapping(parse(view.exchange(rollout.callbacks[0]).request.body))
    return mapping(parse(rollout.hosted.result)) if rollout.hosted else {}


def _changed(sent: JsonObject, kept: JsonObject) -> str | None:
    if sent.get("reward") is None and kept.get("reward") is not None:
        return f"a reward of {show(kept['reward'])}, and none was reported"
    difference = first(_said(sent), _said({name: kept.get(name) for name in sent}))
    return None if difference is None else str(difference)


def _said(value: object) -> object:
    """A value without its members that are null."""
    if isinstance(value, Mapping):
        return {name: _said(inner) for name, inner in value.items() if inner is not None}
    return [_said(inner) for inner in value] if isinstance(value, list) else value


@verb("start_requests", short="count", example=("2", "{count: 2, after_s: 1}"))
@phrase("the rollout server receives {count} start request(s)")
@dataclass(frozen=True, slots=True)
class StartRequests(RolloutExpectation):
    """The rollout server receives exactly this number of start requests, the rejected ones included."""

    count: int
    "How many."
    after_s: float = 0.0
    "The least time between the response to the first and the second, in seconds; both must be equal then."

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        starts = [view.exchange(n) for n in (rollout.hosted.starts if rollout.hosted else ())]
        at = tuple(start.n for start in starts)
        yield Comparison(len(starts) == self.count, f"{self.count} start request(s)", f"{len(starts)}", at)
        if self.after_s and len(starts) > 1:
            yield from self._repeated(starts[0], starts[1])

    def _repeated(self, one: Exchange, two: Exchange) -> Iterator[Comparison]:
        waited = two.began - (one.ended or one.began)
        in_time = waited >= self.after_s * 0.9
        yield Comparison(in_time, f"{self.after_s:g} s before the second", f"{waited:.2f} s", (two.n,))
        bodies = one.request.body, two.request.body
        same = bodies[0] == bodies[1] or first(parse(bodies[0]), parse(bodies[1])) is None
        yield Comparison(same, "the same start request again", "another body", (two.n,))


@verb("tools_in_prompts", short="rollout", example="{rollout: a}")
@phrase("each prompt holds the tools of its rollout server")
@dataclass(frozen=True, slots=True)
class ToolsInPrompts(RolloutExpectation):
    """The prompts of a rollout hold the tools of its rollout server, and no others of this case."""

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        own = {tool["function"]["name"] for tool in rollout.tools}
        others = {t["function"]["name"] for o in view.rollouts.values() for t in o.tools} - own
        for text, n in _prompts(view, rollout):
            missing = sorted(name for name in own if not holds(text, name))
            wrong = sorted(name for name in others if f"{name}(" in text or f'"name": "{name}"' in text)
            observed = f"without {', '.join(missing) or 'none'}, with {', '.join(wrong) or 'none'} of another rollout"
            yield Comparison(not missing and not wrong, f"{', '.join(sorted(own))} in the prompt", observed, (n,))


def _prompts(view: CaseView, rollout: RolloutState) -> Iterator[tuple[str, int]]:
    for text in islice(first_prompts(view, rollout), 1):
        yield text, rollout.records[-1]
    for call, body in view.replies(rollout):
        if isinstance(body.get("prompt_token_ids"), list):
            yield view.tokens.decode(body["prompt_token_ids"]), call.n


@verb("start_request_has", short="members", example="[rollout_id, server_url, messages]")
@phrase("the start request has the member(s) {members:names}")
@dataclass(frozen=True, slots=True)
class StartRequestHas(RolloutExpectation):
    """The first start request of a rollout has these members, and none of them is null."""

    members: tuple[str, ...]
    "Their names."

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        body = rollout.hosted.body if rollout.hosted else {}
        missing = [name for name in self.members if body.get(name) is None]
        at = tuple(rollout.hosted.starts[:1]) if rollout.hosted else ()
        yield Comparison(not missing, f"{', '.join(self.members)} in the start request", f"no {', '.join(missing)}", at)


CARRIED = ("messages", "max_turns", "max_tokens_total", "metadata")


@verb("start_request_carries", short="rollout", example="{rollout: a}")
@phrase("the start request has what the control request asks for")
@dataclass(frozen=True, slots=True)
class StartRequestCarries(RolloutExpectation):
    """The first start request has the messages, the limits, the metadata and the sampling parameters of the control request."""

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        if rollout.hosted is None or not rollout.hosted.starts:
            return
        asked, sent = mapping(parse(view.exchange(rollout.control).request.body)), rollout.hosted.body
        sampling = "sampling_params" if view.dialect == "sync" else "completion_params"
        pairs = [(name, asked[name], sent.get(name)) for name in CARRIED if asked.get(name) is not None]
        given = mapping(sent.get(sampling))
        pairs += [
            (f"{sampling}.{name}", value, given.get(name))
            for name, value in mapping(asked.get("sampling_params")).items()
        ]
        for name, wanted, value in pairs:
            same = first(_said(wanted), _said(value)) is None
            yield Comparison(same, f"{name}: {show(wanted)}", show(value), (rollout.control, rollout.hosted.starts[0]))


@verb("truncations_marked", short="rollout", example="{rollout: a}")
@phrase("generations that end at max_tokens have the finish reason length")
@dataclass(frozen=True, slots=True)
class TruncationsMarked(RolloutExpectation):
    """Generations with small `max_tokens` say that they were truncated. Without token ids, one that ends there may be complete; two that
    end at different limits, and none of them marked, are not."""

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        replies = view.replies(rollout)
        unmarked = [call for call, body in replies if reaches(view.tokens, call, body)]
        limits = sorted({str(call.body.get("max_tokens")) for call in unmarked})
        marked = any(choice(body).get("finish_reason") == "length" for _, body in replies)
        if marked or len(limits) > 1:
            observed = f"none of them, and {len(unmarked)} generations end exactly at max_tokens {', '.join(limits)}"
            at = tuple(call.n for call in unmarked)
            yield Comparison(marked, "finish_reason length where a generation ends at max_tokens", observed, at)


@verb("overflow_reported", short="rollout", example="{rollout: a}")
@phrase("a request that no context takes is not answered with an empty message")
@dataclass(frozen=True, slots=True)
class OverflowReported(RolloutExpectation):
    """A generation request that is longer than any context is rejected, or what is returned was generated or has the finish reason length."""

    def checks(self, view: CaseView, rollout: RolloutState) -> Iterator[Comparison]:
        for call in (call for call in rollout.calls if call.words):
            status, body = view.answer(call.n)
            if status is not None and status not in NO_BACKEND:
                empty = status == 200 and is_empty(body) and finished(body) and not _was_sampled(view, call, body)
                observed = f"200 with an empty message and finish_reason {show(choice(body).get('finish_reason'))}"
                failed = f"{status}" if status >= 500 else observed
                good = not empty and status < 500
                yield Comparison(good, "a 4xx that says why, or finish_reason length", failed, (call.n,))


def _was_sampled(view: CaseView, call: Call, body: Mapping[str, object]) -> bool:
    """Whether a reply shows that a model read the whole prompt and ended at once."""
    if view.shows_tokens:
        return bool(listed(body.get("token_ids"))) and len(listed(body.get("prompt_token_ids"))) >= call.words
    return (count(body, "completion_tokens") or 0) > 0 and (count(body, "prompt_tokens") or 0) >= call.words
