"""The base of the expectations on rollouts: which rollouts are meant, and the evidence they give."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rollout_conformance.steps.engine.comparison import Comparison
from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import JSON
from rollout_conformance.steps.profiles.rollout.view import Answer, CaseView, Rollout


@dataclass(frozen=True, slots=True)
class CaseExpectation:
    """A demand on the whole case. A subclass compares; without any check nothing is decided.

    `admits` are the ends of a rollout that are right for it beside `COMPLETED`: `rejected`, `error`. `demands_completion` when no other is,
    `demands_failure` when `COMPLETED` is wrong.
    """

    admits: ClassVar[tuple[str, ...]] = ()
    demands_completion: ClassVar[bool] = False
    demands_failure: ClassVar[bool] = False

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for check in self.checks(view):
            yield check.evidence(requirement)

    def checks(self, view: CaseView) -> Iterator[Comparison]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class RolloutExpectation(CaseExpectation):
    """A demand on each of some rollouts."""

    rollout: str = field(default="", kw_only=True)
    "The label of the rollout that is meant, with its copies; without a label, every rollout of the case."

    def checks(self, view: CaseView) -> Iterator[Comparison]:
        for rollout in self.chosen(view):
            yield from self.check(rollout, view)

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        raise NotImplementedError

    def chosen(self, view: CaseView) -> list[Rollout]:
        label = self.rollout
        return [one for name, one in view.rollouts.items() if label in ("", name) or name.startswith(f"{label}#")]


def shown_status(response: Answer) -> str:
    """The status of a response, or why there was none."""
    if response.status is not None:
        return f"{response.status}"
    return response.exchange.fault or "no response before the case ended"


def end_of(rollout: Rollout) -> tuple[Any, Any, tuple[int, ...]]:
    """The status and the finish reason of the result, and the exchanges that show them."""
    result = rollout.result
    if result is None:
        return None, None, tuple(start.n for start in rollout.starts)
    return result.fields.get("status"), result.fields.get("finish_reason"), (result.n,)


def shown_end(rollout: Rollout) -> str:
    result = rollout.result
    if result is None:
        starts = ", ".join(shown_status(start) for start in rollout.starts) or "no start request"
        return f"no final result (start: {starts})"
    names = ("status", "finish_reason", "error_message")
    members = {name: result.fields[name] for name in names if result.fields.get(name) is not None}
    return ", ".join(f"{name} {show(value)}" for name, value in members.items()) or show(result.body)


def final_messages(rollout: Rollout) -> list[JSON]:
    messages = rollout.result.fields.get("final_messages") if rollout.result else None
    return messages if isinstance(messages, list) else []
