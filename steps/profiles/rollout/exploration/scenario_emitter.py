"""What the trainer's events in the lifecycle table are in words of a scenario.

A walk knows the table; this module knows that `GenerationReturned` is a line of the trainer's script and `StartSent`, after the first, is
`resend_start`. The server's own events are not chosen: they follow from what it was answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Line = dict[str, Any]

# Simple ones first: a walk that fails is shrunk towards the front.
ANSWERS: tuple[Line, ...] = (
    {"text": "Done."},
    {"call": "any"},
    {"call": "any"},
    {"calls": ["any", "any"]},
    {"call": "any", "non_canonical": True},
    {"call": "any", "reasoning": "One step at a time."},
    {"text": "Cut", "finish": "length"},
)
FAULTS: tuple[Any, ...] = (503, "reset", 429, "cut", 500, 400)
ACKS: tuple[Any, ...] = (200, 204)
LOST_ACKS: tuple[Any, ...] = (503, "reset", 500)
STARTS: tuple[dict[str, Any], ...] = ({}, {}, {}, {"max_turns": 2}, {"max_turns": 1})
WEIGHTS = {"GenerationReturned": 3}  # a walk that goes on is worth more than one that ends early


@dataclass(slots=True)
class Part:
    """One rollout of a walk: what its trainer will send, and where the table thinks it is.

    `calls` counts the generation calls that the walk expects, `posts` the completions. A rollout that met a fault is `loose`: what
    its server does next is its own affair, so nothing more is timed on it.
    """

    label: str
    state: str = "IDLE"
    start: Mapping[str, Any] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    acks: list[Any] = field(default_factory=list)
    calls: int = 0
    posts: int = 0
    loose: bool = False

    @property
    def turns(self) -> int:
        return int(self.start.get("max_turns", 10))

    @property
    def hold(self) -> str:
        """The name under which the answer to the newest call is held back."""
        return f"{self.label}{self.calls}"


def ends(line: Line, part: Part) -> bool:
    """Whether a rollout has no further turn after this answer."""
    return "text" in line or part.calls >= part.turns


def document(dialect: str, parts: list[Part], steps: list[Any], requirement: str, name: str) -> dict[str, Any]:
    """The scenario file that a walk is."""
    rollouts = {part.label: _part(part) for part in parts if part.calls or part.state != "IDLE"}
    case: dict[str, Any] = {"name": name, "requirements": [requirement], "dialects": [dialect]}
    expect = [{"ended": label} for label in rollouts]
    if any("cancel" in step for step in steps if isinstance(step, Mapping)):
        case["needs"] = ["cancel"]
    return unlabelled({"cases": [{**case, "rollouts": rollouts, "steps": steps, "expect": expect}]})


def alone(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same scenario on an instance of its own, which it may stop."""
    (case,) = document["cases"]
    own = {"name": case["name"], "needs": ["restart", *case.get("needs", ())], "alone": True}
    return {"cases": [{**own, **case, **own}]}


def unlabelled(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same scenario; one with a single rollout does not name it."""
    (case,) = document["cases"]
    if len(case.get("rollouts", ())) != 1:
        return dict(document)
    ((label, only),) = case["rollouts"].items()
    rest = {key: value for key, value in case.items() if key not in ("rollouts", "steps", "expect")}
    own = [_unlabelled(step, label) for step in case["steps"]]
    return {"cases": [{**rest, **only, "steps": own, "expect": ["ended"]}]}


def _part(part: Part) -> dict[str, Any]:
    said = {"start": dict(part.start), "trainer": part.lines, "acks": part.acks}
    return {name: value for name, value in said.items() if value}


def _unlabelled(step: object, label: str) -> Any:
    """A step of a case with one rollout does not name it."""
    if not isinstance(step, Mapping):
        return step
    ((verb, value),) = step.items()
    if verb == "cancel":
        return verb
    if value in (label, "all"):
        return verb
    if not isinstance(value, Mapping):
        return step
    rest = {key: inner for key, inner in value.items() if key != "rollout"}
    if not rest:
        return verb
    is_short = len(rest) == 1 and verb in ("wait_for_generation_request", "wait_for_callback")
    return {verb: next(iter(rest.values())) if is_short else rest}
