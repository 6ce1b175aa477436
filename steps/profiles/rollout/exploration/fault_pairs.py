"""Pairs of faults: every value of one aspect with every value of each other one, at least once.

Defects hide where two things go wrong together: a retry and a lost acknowledgement, a repeated start and a cut reply. All
combinations are too many; all pairs are about thirty cases.
"""

import random
from collections.abc import Iterator
from typing import Any

from allpairspy import AllPairs

from rollout_conformance.steps.profiles.rollout.exploration.scenario_emitter import Line
from rollout_conformance.steps.profiles.rollout.exploration.walk import ABOUT

ASPECTS: dict[str, tuple[object, ...]] = {
    "fault": (None, 503, "reset", "cut", 429, 500, 400, "not_json"),
    "fault_at": (1, 2),
    "turn": ("call", "calls", "non_canonical", "reasoning"),
    "ack": (200, 204, 503, "reset", 500),
    "again": (None, "while it waits", "unacknowledged", "at the end"),
    "end": ("stop", "length", "max_turns"),
    "company": (1, 3),
}
"""What can differ, the ordinary value first."""

TURNS: dict[str, Line] = {
    "call": {"call": "any"},
    "calls": {"calls": ["any", "any"]},
    "non_canonical": {"call": "any", "non_canonical": True},
    "reasoning": {"call": "any", "reasoning": "One step at a time."},
}
ENDS: dict[str, Line] = {
    "stop": {"text": "Done."},
    "length": {"text": "Cut", "finish": "length"},
    "max_turns": {"call": "any"},
}


def pairs(dialect: str, number: int = 1) -> Iterator[dict[str, Any]]:
    """Scenario documents that hold every pair. `number` decides which pairs share a case."""
    order = random.Random(number)
    aspects = [order.sample(values, len(values)) for values in ASPECTS.values()]
    for n, values in enumerate(AllPairs(aspects)):
        yield {"cases": [_case(dialect, n + 1, dict(zip(ASPECTS, values, strict=True)))]}


def _case(dialect: str, n: int, chosen: dict[str, object]) -> dict[str, object]:
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in chosen.items() if value is not None)
    case: dict[str, object] = {
        "name": f"pair {n}: {told}",
        "requirements": [ABOUT],
        "dialects": [dialect],
        "start": {"max_turns": 2} if chosen["end"] == "max_turns" else {},
        "trainer": list(_lines(chosen)),
        "steps": list(_steps(dialect, chosen)),
        "expect": ["ended"],
    }
    if dialect in ("callback", "routed"):
        case["acks"] = [chosen["ack"], 200]
    return {key: value for key, value in case.items() if value != {}}


def _lines(chosen: dict[str, Any]) -> Iterator[Line]:
    held = chosen["again"] == "while it waits"
    for turn, line in ((1, TURNS[chosen["turn"]]), (2, ENDS[chosen["end"]])):
        if chosen["fault"] is not None and chosen["fault_at"] == turn:
            yield {"fail": chosen["fault"]}
        yield {**line, "hold": "it"} if held and turn == 1 else line
    yield {"text": "Done."}


def _steps(dialect: str, chosen: dict[str, Any]) -> Iterator[Any]:
    yield "start" if chosen["company"] == 1 else {"start": {"copies": chosen["company"]}}
    alone = chosen["company"] == 1
    if chosen["again"] == "while it waits":
        if alone:
            yield {"wait_for_generation_request": 1}
            yield "resend_start"
        yield {"release": "it"}
    if chosen["again"] == "unacknowledged" and alone and dialect in ("callback", "routed"):
        yield {"wait_for_callback": 1}
        yield "resend_start"
    yield {"wait_for_end": "all"}
    if chosen["again"] == "at the end" and alone:
        yield "resend_start"
        yield {"wait_for_end": "all"}
