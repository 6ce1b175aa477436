"""What passed of one rollout, in order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.contracts.rollout.wire_routed import TERMINAL
from rollout_conformance.steps.engine.lenient_json import JsonObject, mapping
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.peers.reverse_proxy import Passed

BUSY = (429, 503)  # a trainer sends such a start request again


def json_of(passed: Passed | None) -> JsonObject:
    """The members of the body of a response; none where there is no JSON object."""
    response = passed.response if passed is not None and passed.fault is None else None
    return mapping(parse(response.body)) if response is not None else {}


@dataclass(slots=True)
class RecordedRollout:
    """`number` counts the rollouts of a recording. `start` is the body of the start request as the trainer sent it, `urls` are those
    of the trainer in it, by member."""

    number: int
    dialect: str
    start: Mapping[str, Any]
    urls: Mapping[str, str]
    starts: list[Passed] = field(default_factory=list)
    generations: list[Passed] = field(default_factory=list)
    callbacks: list[Passed] = field(default_factory=list)
    grades: list[Passed] = field(default_factory=list)
    polls: list[Passed] = field(default_factory=list)
    cancel_requested: bool = False
    taken: bool = False

    @property
    def rollout_id(self) -> str:
        """The id under which it runs: that of the start request, or where that has none, of the response."""
        named = self.start.get("rollout_id") or json_of(self.accepted).get("rollout_id")
        return named if isinstance(named, str) else ""

    @property
    def accepted(self) -> Passed | None:
        return next((one for one in self.starts if one.status is not None and one.status < 300), None)

    @property
    def rejected(self) -> int | None:
        """The status with which the start was finally rejected."""
        if self.accepted is not None or not self.starts:
            return None
        status = self.starts[-1].status
        return status if status is not None and status not in BUSY else None

    @property
    def result(self) -> JsonObject | None:
        """The body that reports the end, None before there is one."""
        if self.dialect == "sync":
            return json_of(self.accepted) or None
        if self.dialect == "leased":
            return next((body for poll in self.polls if (body := json_of(poll)).get("status") in TERMINAL), None)
        return mapping(parse(self.callbacks[0].request.body)) if self.callbacks else None

    @property
    def cancelled(self) -> bool:
        return self.cancel_requested or (self.result or {}).get("status") == "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be expected."""
        if self.rejected is not None:
            return True
        if self.dialect in ("sync", "leased"):
            return self.result is not None
        if not _acknowledged(self.callbacks):
            return False
        graded = self.dialect == "routed" and self.urls.get("grader_callback_url") and self.succeeded
        return _acknowledged(self.grades) if graded else True

    @property
    def succeeded(self) -> bool:
        return (self.result or {}).get("status") in ("COMPLETED", "success")

    @property
    def sample(self) -> JsonObject:
        """What holds the messages of the result: the result itself, or the sample of the routed and leased dialects."""
        if self.dialect == "leased":
            return mapping((self.result or {}).get("sample"))
        if self.dialect == "routed":
            return mapping(mapping(parse(self.grades[0].request.body)).get("sample")) if self.grades else {}
        return self.result or {}

    @property
    def messages(self) -> list[JsonObject]:
        """The final messages, as far as the result shows them."""
        shown = self.sample.get("messages" if self.dialect in ("routed", "leased") else "final_messages")
        return [mapping(one) for one in shown] if isinstance(shown, list) else []


def _acknowledged(callbacks: list[Passed]) -> bool:
    return any(one.status is not None and 200 <= one.status < 300 for one in callbacks)
