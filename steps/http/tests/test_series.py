"""Requests one after the other end at the first without a response in time; those of an earlier step do not count."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rollout_conformance.steps.engine.session import Session, WaitTimeout
from rollout_conformance.steps.http.requests import RequestAction


@dataclass(frozen=True, slots=True)
class Series(RequestAction):
    """Its request number `silent` has no response."""

    silent: int = 99
    sent: list[int] = field(default_factory=list)

    async def send_one(self, session: Session, name: str, nth: int) -> None:
        self.sent.append(nth)
        session.unanswered += nth == self.silent


def perform(series: Series, unanswered: int = 0) -> None:
    session = cast("Session[Any, Any]", SimpleNamespace(unanswered=unanswered, state={}))
    asyncio.run(series.perform(session))


def test_a_series_ends_at_the_first_without_a_response() -> None:
    series = Series(times=4, concurrent=False, silent=1)
    with pytest.raises(WaitTimeout, match="the response to request 2 of 4"):
        perform(series)
    assert series.sent == [0, 1]


@pytest.mark.parametrize(("silent", "unanswered"), [(99, 0), (99, 3), (3, 0)])
def test_it_is_sent_to_its_end_otherwise(silent: int, unanswered: int) -> None:
    series = Series(times=4, concurrent=False, silent=silent)
    perform(series, unanswered)
    assert series.sent == [0, 1, 2, 3]
