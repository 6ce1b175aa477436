"""What may be demanded of the end of a rollout."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from rollout_conformance.steps.engine.comparison import Comparison
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.rollout.expectations.base import (
    CaseExpectation,
    RolloutExpectation,
    end_of,
    final_messages,
    shown_end,
)
from rollout_conformance.steps.profiles.rollout.start_request import STREAMED
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout


@verb("completed", short="finish_reasons", example=("stop", "{finish_reasons: [length, max_tokens], rollout: left}"))
@phrase("the rollout completes")
@phrase("the rollout completes with finish reason {finish_reasons}")
@dataclass(frozen=True, slots=True)
class Completed(RolloutExpectation):
    """The rollout ends with `COMPLETED`."""

    demands_completion: ClassVar = True

    finish_reasons: tuple[str, ...] = ()
    "The finish reasons that are right; without any, all are. The routed dialect need not report one."

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        expected = "COMPLETED"
        expected += f" with finish_reason {' or '.join(self.finish_reasons)}" if self.finish_reasons else ""
        status, reason, exchanges = end_of(rollout)
        unreported = rollout.dialect in STREAMED and reason is None
        ok = status == "COMPLETED" and (not self.finish_reasons or unreported or reason in self.finish_reasons)
        yield Comparison(ok, expected, shown_end(rollout), exchanges, duplicates_invariant=True)


@verb(
    "failed",
    short="error_categories",
    example=("rate_limited", "{http_status: 503, members_required: true}", "{not_error_categories: internal_error}"),
)
@phrase("the rollout fails")
@phrase(
    "the rollout fails with error category {error_categories} and HTTP status {http_status:status}",
    members_required=True,
)
@phrase("the rollout fails with another error category than {not_error_categories}")
@dataclass(frozen=True, slots=True)
class Failed(RolloutExpectation):
    """The rollout ends with `ERROR`."""

    demands_failure: ClassVar = True

    error_categories: tuple[str, ...] = ()
    "The values of `error_category` that are right; without any, all are."
    http_status: int | None = None
    "The value of `http_status` that is right."
    members_required: bool = False
    "Whether these members have to be there; otherwise they are compared only where the server reports them."
    not_error_categories: tuple[str, ...] = ()
    "Values of `error_category` that are wrong."
    or_rejected: bool = False
    "Whether the start request may be rejected instead."

    @property
    def admits(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("error", "rejected") if self.or_rejected else ("error",)

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        if self.or_rejected and rollout.rejected:
            yield Comparison(True, "ERROR, or a rejected start", "rejected")
            return
        status, _, exchanges = end_of(rollout)
        yield Comparison(status == "ERROR", "status ERROR", shown_end(rollout), exchanges)
        if status == "ERROR":
            yield from self._members(rollout, exchanges)

    def _members(self, rollout: Rollout, exchanges: tuple[int, ...]) -> Iterator[Comparison]:
        extra = rollout.result.fields.get("extra_fields") if rollout.result else None
        extra = extra if isinstance(extra, dict) else {}
        category, status = extra.get("error_category"), extra.get("http_status")
        observed = f"error_category {show(category)}"
        if self.error_categories and (category is not None or self.members_required):
            expected = f"error_category {' or '.join(self.error_categories)}"
            yield Comparison(category in self.error_categories, expected, observed, exchanges)
        if category in self.not_error_categories:
            yield Comparison(False, f"not error_category {category}", observed, exchanges)
        if self.http_status is not None and (status is not None or self.members_required):
            expected = f"http_status {self.http_status}"
            yield Comparison(status == self.http_status, expected, f"http_status {show(status)}", exchanges)


@verb("not_completed", short="finish_reasons", example=("stop", "{finish_reasons: stop, rollout: left}"))
@phrase("the rollout does not complete with finish reason {finish_reasons}")
@dataclass(frozen=True, slots=True)
class NotCompleted(RolloutExpectation):
    """The rollout ends, with `ERROR` or with another finish reason than these. Where the server requested a generation again that was not
    complete, nothing is judged."""

    admits: ClassVar = ("error",)

    finish_reasons: tuple[str, ...]
    "The finish reasons that are wrong."

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        last = rollout.generated[-1].issued if rollout.generated else None
        if last is None or last.finish_reason in self.finish_reasons:
            return
        status, reason, exchanges = end_of(rollout)
        ok = status == "ERROR" or (status == "COMPLETED" and reason not in self.finish_reasons)
        expected = f"an end that is not {' or '.join(self.finish_reasons)}: the last generation ended with {last.finish_reason}"
        yield Comparison(ok, expected, shown_end(rollout), exchanges)


@verb("ended", short="rollout", example="left")
@phrase("the rollout has a result")
@dataclass(frozen=True, slots=True)
class Ended(RolloutExpectation):
    """The rollout ends, with `COMPLETED` or `ERROR`."""

    admits: ClassVar = ("error",)

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        status, _, exchanges = end_of(rollout)
        ok = status in ("COMPLETED", "ERROR")
        yield Comparison(ok, "a final result, COMPLETED or ERROR", shown_end(rollout), exchanges)


@verb("callback_status", short="statuses", example=("success", "[cancelled, failure]"))
@phrase("the completed callbacks report {statuses}")
@dataclass(frozen=True, slots=True)
class CallbackStatus(RolloutExpectation):
    """There is a completed callback, and all report one of these statuses (routed dialect; leased: so do the results)."""

    statuses: tuple[Literal["success", "failure", "cancelled"], ...]

    @property
    def admits(self) -> tuple[str, ...]:  # type: ignore[override]
        return () if self.demands_completion else ("error",)

    @property
    def demands_completion(self) -> bool:  # type: ignore[override]
        return self.statuses == ("success",)

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        reported = [callback.fields.get("said_status") for callback in rollout.results]
        ok = bool(reported) and all(status in self.statuses for status in reported)
        expected = f"a completion with status {' or '.join(self.statuses)}"
        yield Comparison(ok, expected, f"completions: {show(reported)}", tuple(one.n for one in rollout.results[:3]))


@verb("result_has_metrics", short="rollout", example="left")
@phrase("the result has metrics")
@dataclass(frozen=True, slots=True)
class ResultHasMetrics(RolloutExpectation):
    """The result has `metrics`, whatever its status."""

    admits: ClassVar = ("error",)

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        metrics = rollout.result.fields.get("metrics") if rollout.result else None
        yield Comparison(isinstance(metrics, dict), "metrics", f"metrics: {show(metrics)}")


@verb("same_outcome")
@phrase("all rollouts have the same outcome")
@dataclass(frozen=True, slots=True)
class SameOutcome(CaseExpectation):
    """All rollouts of the case end with the same status, finish reason and roles of messages."""

    admits: ClassVar = ("error",)

    def checks(self, view: CaseView) -> Iterator[Comparison]:
        distinct = {repr(_outcome(rollout)) for rollout in view.rollouts.values()}
        observed = f"{len(distinct)} outcomes: {sorted(distinct)[:3]}"
        yield Comparison(len(distinct) == 1, "the same outcome for every rollout", observed)


def _outcome(rollout: Rollout) -> tuple[object, ...]:
    roles = tuple(message.get("role") for message in final_messages(rollout) if isinstance(message, dict))
    return (*end_of(rollout)[:2], roles)
