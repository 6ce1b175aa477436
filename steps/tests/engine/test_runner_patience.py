"""How long a silent target is waited for: the first looks as long as its card says, later ones less long."""

import asyncio

import pytest

from rollout_conformance.steps.engine.findings import Finding, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.retry_alone import CONFIRMATIONS
from rollout_conformance.steps.engine.runner import HURRIED_S, Options, Runner
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.tests import virtual_time
from rollout_conformance.steps.tests.engine.runner_cases import Do, Expect, Peers, Profile, case

PATIENCE_S = 10.0
SILENT = Finding("R-1", "a response", "none", timing=True)


def patience_of(count: int, *tags: str, finding: Finding = SILENT) -> tuple[list[float], list[Outcome]]:
    """How long each of so many cases that are begun at once waits, one at a time, and their outcomes."""
    waited: list[float] = []

    async def wait(session: Session) -> None:
        waited.append(session.patience_s)
        await asyncio.sleep(session.patience_s)

    async def main() -> list[Outcome]:
        options = Options("http://127.0.0.1:1", Card(patience_s=PATIENCE_S, settle_s=0.0), jobs=1)
        async with Runner(options, Profile(), Peers(), lambda one: "") as runner:
            silent = [case(f"case {n}", Do(wait, 1), *tags, expect=Expect((finding,))) for n in range(count)]
            return list(await asyncio.gather(*map(runner.play, silent)))

    return waited, virtual_time.run(main())


@pytest.mark.parametrize("tags", [("disturbs",), ("exclusive",)])
def test_what_is_confirmed_is_waited_for_less_long(tags: tuple[str, ...]) -> None:
    """Also by cases that have the target to themselves, and had begun to wait for their turn before it was confirmed."""
    waited, outcomes = patience_of(CONFIRMATIONS + 3, *tags)
    assert waited == [PATIENCE_S] * CONFIRMATIONS + [HURRIED_S] * 3
    assert {one.judgement.verdict for one in outcomes} == {Verdict.FAIL}
    assert [one.hurried for one in outcomes] == [False] * CONFIRMATIONS + [True] * 3


def test_what_was_seen_and_not_waited_for_shortens_nothing() -> None:
    waited, _ = patience_of(CONFIRMATIONS + 3, "exclusive", finding=Finding("R-1", "200", "500"))
    assert waited == [PATIENCE_S] * (CONFIRMATIONS + 3)
