"""What a case may demand of a trainer beyond the invariants: frozen values, judged on the whole view, never awaiting.

A demand that is not met accuses the first requirement of its case.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import first, show
from rollout_conformance.steps.engine.lenient_json import listed, mappings
from rollout_conformance.steps.profiles.trainer.state import CaseView, RolloutState

Statuses = tuple[int | str, ...]


def _verdict(requirement: str, ok: bool, expected: str, observed: str, *exchanges: int) -> Evidence:
    return Satisfied(requirement) if ok else Finding(requirement, expected, observed, exchanges)


def _chosen(view: CaseView, label: str) -> list[RolloutState]:
    return [rollout for name, rollout in view.rollouts.items() if label in ("", name)]


REFUSALS = (400, 401, 403, 404, 422)
AGAIN = (408, 425, 429)  # these ask for the same request once more


def fits(status: int | None, wanted: Any) -> bool:
    """200 is 200, 4xx any of its class, a list any of it. A refusal is one by any status that says so: frameworks differ on which."""
    if isinstance(wanted, tuple | list):
        return any(fits(status, one) for one in wanted)
    if isinstance(wanted, str):
        return status is not None and wanted.endswith("xx") and status // 100 == int(wanted[0])
    if wanted in REFUSALS and status is not None:
        return 400 <= status < 500 and status not in AGAIN
    return bool(status == wanted)


@dataclass(frozen=True, slots=True)
class Replies:
    """The generation calls of a rollout are answered with these statuses, in the order in which they were made."""

    statuses: tuple[Any, ...]
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            seen = [view.answer(call.n)[0] for call in rollout.calls]
            ok = len(seen) == len(self.statuses) and all(map(fits, seen, self.statuses))
            told = " ".join(" or ".join(map(str, s)) if isinstance(s, tuple | list) else str(s) for s in self.statuses)
            yield _verdict(
                requirement, ok, f"generation calls answered {told}", f"{show(seen)}", *(c.n for c in rollout.calls[:6])
            )


@dataclass(frozen=True, slots=True)
class Acks:
    """The completions of a rollout are answered with these statuses; `alike` demands equal bodies."""

    statuses: tuple[Any, ...]
    alike: bool = False
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            answers = [view.answer(n) for n in rollout.posts]
            seen = [status for status, _ in answers]
            ok = len(seen) == len(self.statuses) and all(map(fits, seen, self.statuses))
            yield _verdict(
                requirement, ok, f"completions answered {show(list(self.statuses))}", show(seen), *rollout.posts
            )
            if self.alike:
                bodies = [body for _, body in answers]
                yield _verdict(
                    requirement,
                    all(b == bodies[0] for b in bodies),
                    "the same answer each time",
                    show(bodies),
                    *rollout.posts,
                )


@dataclass(frozen=True, slots=True)
class Controlled:
    """The control request, and every reading of the record, is answered with one of these statuses."""

    statuses: tuple[Any, ...]
    rollout: str = ""
    record: bool = False

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            numbers = rollout.records if self.record else [rollout.asked]
            for n in (n for n in numbers if n >= 0):
                status = view.answer(n)[0]
                yield _verdict(
                    requirement, fits(status, self.statuses), f"answered {show(list(self.statuses))}", f"{status}", n
                )


@dataclass(frozen=True, slots=True)
class SameReplies:
    """Every call that repeats another one was answered as that one: message, ids and logprobs."""

    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            groups: dict[str, list[Any]] = {}
            for call in rollout.calls:
                status, body = view.answer(call.n)
                if call.right:
                    groups.setdefault(json.dumps(call.body, sort_keys=True), []).append((call.n, status, _said(body)))
            for same in (group for group in groups.values() if len(group) > 1):
                for n, status, expected in same[1:]:
                    difference = first(same[0][2], expected)
                    observed = f"{status}" if status != 200 else str(difference)
                    yield _verdict(
                        requirement,
                        status == 200 and difference is None,
                        "the same reply as before",
                        observed,
                        same[0][0],
                        n,
                    )


def _said(body: Mapping[str, Any]) -> dict[str, Any]:
    message = next((choice.get("message") for choice in mappings(body.get("choices"))), None)
    return {"message": message, "token_ids": body.get("token_ids"), "logprobs": body.get("logprobs")}


@dataclass(frozen=True, slots=True)
class Shows:
    """The newest record of a rollout: how many `turns`, which `status`, which status its `result` has."""

    turns: int | None = None
    status: tuple[str, ...] = ()
    result: str | None = None
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            record = view.record(rollout)
            n = rollout.records[-1:] or [0]
            turns = record.get("turns")
            if self.turns is not None:
                seen = len(turns) if isinstance(turns, list) else None
                yield _verdict(requirement, seen == self.turns, f"{self.turns} turn(s) in the record", f"{seen}", *n)
            if self.status:
                expected = f"status {' or '.join(self.status)} in the record"
                yield _verdict(
                    requirement, record.get("status") in self.status, expected, show(record.get("status")), *n
                )
            if self.result is not None:
                result = record.get("result")
                seen = result.get("status") if isinstance(result, dict) else None
                yield _verdict(
                    requirement, seen == self.result, f"the result {self.result} in the record", show(seen), *n
                )


@dataclass(frozen=True, slots=True)
class Starts:
    """How many start requests arrived, and, where told, how long the second waited for (seconds)."""

    least: int = 1
    most: int = 1
    after_s: float = 0.0
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            starts = [view.exchange(n) for n in (rollout.hosted.starts if rollout.hosted else ())]
            ok = self.least <= len(starts) <= self.most
            yield _verdict(
                requirement,
                ok,
                f"{self.least} to {self.most} start request(s)",
                f"{len(starts)}",
                *(s.n for s in starts),
            )
            if self.after_s and len(starts) > 1:
                waited = starts[1].began - (starts[0].ended or starts[0].began)
                yield _verdict(
                    requirement,
                    waited >= self.after_s * 0.9,
                    f"{self.after_s:g} s before the second",
                    f"{waited:.2f} s",
                    starts[1].n,
                )
                same = (
                    starts[0].request.body == starts[1].request.body
                    or first(_json(starts[0]), _json(starts[1])) is None
                )
                yield _verdict(requirement, same, "the same start request again", "another body", starts[1].n)


def _json(exchange: Any) -> Any:
    from rollout_conformance.steps.engine.trace import parse

    return parse(exchange.request.body)


@dataclass(frozen=True, slots=True)
class ToolsInPrompts:
    """The prompts of a rollout name the tools that its server showed, and none of those of another rollout in the case."""

    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            mine = {tool["function"]["name"] for tool in (rollout.hosted.tools if rollout.hosted else ())}
            others = {t["function"]["name"] for o in view.rollouts.values() if o.hosted for t in o.hosted.tools} - mine
            for text, n in _prompts(view, rollout):
                missing = sorted(name for name in mine if f"{name}(" not in text and f'"{name}"' not in text)
                strange = sorted(name for name in others if f"{name}(" in text)
                observed = (
                    f"without {', '.join(missing) or 'none'}, with {', '.join(strange) or 'none'} of another rollout"
                )
                yield _verdict(
                    requirement, not missing and not strange, f"{', '.join(sorted(mine))} in the prompt", observed, n
                )


def _prompts(view: CaseView, rollout: RolloutState) -> Iterator[tuple[str, int]]:
    for turn in mappings(view.record(rollout).get("turns"))[:1]:
        yield view.tokens.decode(listed(turn.get("prompt_token_ids"))), rollout.records[-1]
    for call, body in view.replies(rollout):
        if isinstance(body.get("prompt_token_ids"), list):
            yield view.tokens.decode(body["prompt_token_ids"]), call.n


@dataclass(frozen=True, slots=True)
class Sent:
    """The first start request has these members."""

    fields: tuple[str, ...]
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            body = rollout.hosted.body if rollout.hosted else {}
            missing = [name for name in self.fields if body.get(name) is None]
            n = rollout.hosted.starts[:1] if rollout.hosted else []
            yield _verdict(
                requirement,
                not missing,
                f"{', '.join(self.fields)} in the start request",
                f"no {', '.join(missing)}",
                *n,
            )
