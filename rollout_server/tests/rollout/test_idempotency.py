"""A repeated start is one rollout; an equal id or key with another start is a conflict."""

import asyncio
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.rollout import start_request
from rollout_conformance.rollout_server.rollout.idempotency import ConflictError, IdempotencyStore
from rollout_conformance.rollout_server.tests.rollout.support import USER, Caller, Trainer, init, reply, serve

FIRST = {"rollout_id": "a", "idempotency_key": "k"}
SECOND = [
    ("exactly the same", FIRST, 202, 1),
    ("the same rollout under another key", {"rollout_id": "a", "idempotency_key": "other"}, 202, 1),
    ("the same rollout without a key", {"rollout_id": "a"}, 202, 1),
    ("a default written out", {**FIRST, "max_turns": 10}, 202, 1),
    ("an unknown member", {**FIRST, "sent_at": 12}, 202, 1),
    ("other content", {**FIRST, "messages": [{**USER, "content": "Hello"}]}, 409, 1),
    ("other sampling", {**FIRST, "completion_params": {"seed": 1}}, 409, 1),
    ("another rollout under the same key", {"rollout_id": "b", "idempotency_key": "k"}, 409, 1),
    ("another rollout", {"rollout_id": "b"}, 202, 2),
    ("a key that reads like the other id", {"rollout_id": "b", "idempotency_key": "a"}, 202, 2),
    ("an id that reads like the other key", {"rollout_id": "k"}, 202, 2),
]


async def wait_for(caller: Caller) -> None:
    await asyncio.gather(*caller.app.state.service.reports)


@pytest.mark.parametrize("after", [False, True], ids=["running", "finished"])
@pytest.mark.parametrize(("second", "status", "runs"), [s[1:] for s in SECOND], ids=[s[0] for s in SECOND])
def test_a_second_start(second: dict[str, Any], status: int, runs: int, after: bool) -> None:
    async def scenario() -> None:
        trainer = Trainer()
        caller = serve(trainer)
        one = await caller.post("/v1/rollout/init", init(**FIRST))
        if after:
            await wait_for(caller)
        two = await caller.post("/v1/rollout/init", init(**second))
        await wait_for(caller)
        assert (one.status_code, two.status_code) == (202, status)
        assert len(trainer.asked) == len(trainer.results) == runs
        if status == 202:
            assert two.json() == {**one.json(), "rollout_id": second["rollout_id"]}

    asyncio.run(scenario())


def test_many_at_once_are_one() -> None:
    async def scenario() -> None:
        trainer = Trainer()
        caller = serve(trainer)
        answers = await asyncio.gather(*(caller.post("/v1/rollout/init", init()) for _ in range(20)))
        await wait_for(caller)
        assert {(a.status_code, a.content) for a in answers} == {(202, answers[0].content)}
        assert len(trainer.results) == 1

    asyncio.run(scenario())


def test_a_rejected_start_may_be_sent_again() -> None:
    async def scenario() -> list[int]:
        release = asyncio.Event()

        async def held(request: httpx.Request) -> httpx.Response:
            await release.wait()
            return httpx.Response(200, json=reply())

        trainer = Trainer([held])
        caller = serve(trainer, max_concurrent=1, max_queued=0)
        statuses = [
            (await caller.post("/v1/rollout/init", init(rollout_id=rollout_id))).status_code
            for rollout_id in ("a", "b")
        ]
        release.set()
        await wait_for(caller)
        return [*statuses, (await caller.post("/v1/rollout/init", init(rollout_id="b"))).status_code]

    assert asyncio.run(scenario()) == [202, 429, 202]


def asked(rollout_id: str, key: str | None = None) -> start_request.StartRequest:
    return start_request.from_callback(init(rollout_id=rollout_id, idempotency_key=key))


def test_finished_rollouts_are_forgotten_when_their_time_is_over() -> None:
    idempotency = IdempotencyStore(ttl_s=60, max_records=10)
    idempotency.add(asked("a", "k"), {})
    assert idempotency.find(asked("a"), now=1e9) is not None, "a running rollout is never forgotten"
    idempotency.finish("a", now=0)
    assert idempotency.find(asked("a"), now=59.9) is not None
    with pytest.raises(ConflictError):
        idempotency.find(asked("b", "k"), now=59.9)
    assert idempotency.find(asked("a"), now=60) is None
    assert idempotency.find(asked("b", "k"), now=60) is None


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    idempotency = IdempotencyStore(ttl_s=60, max_records=2)
    for number in range(5):
        idempotency.add(asked(str(number)), {})
        idempotency.finish(str(number), now=0)
    assert len(idempotency) == 2
    assert [idempotency.find(asked(str(n)), now=0) is not None for n in range(5)] == [False, False, False, True, True]
