"""One terminal result, whatever the trainer answers."""

import asyncio
import json

import httpx
import pytest

from rollout_conformance.rollout_server.tests.rollout.support import Caller, Effect, Trainer, hang, init, serve


async def deliver(caller: Caller) -> None:
    response = await caller.post("/v1/rollout/init", init())
    assert response.status_code == 202
    await asyncio.gather(*caller.app.state.service.reports)


OK = httpx.Response(200)
ACKS: list[tuple[str, list[Effect], int]] = [
    ("200", [OK], 1),
    ("201", [httpx.Response(201)], 1),
    ("202 with no JSON", [httpx.Response(202, content=b"thanks")], 1),
    ("204", [httpx.Response(204)], 1),
    ("500 and then 200", [httpx.Response(500), OK], 2),
    ("429, a reset and then 204", [httpx.Response(429), httpx.ReadError("reset"), httpx.Response(204)], 3),
    ("silence and then 200", [hang, OK], 2),
    ("500 for ever", [httpx.Response(500)], 4),
    ("unreachable for ever", [httpx.ConnectError("refused")], 4),
    ("400", [httpx.Response(400)], 1),
    ("409", [httpx.Response(409)], 1),
    ("307", [httpx.Response(307, headers={"location": "http://elsewhere.test/"})], 1),
]


@pytest.mark.parametrize("dead", [False, True], ids=["completed", "failed"])
@pytest.mark.parametrize(("acks", "posts"), [a[1:] for a in ACKS], ids=[a[0] for a in ACKS])
def test_ack(acks: list[Effect], posts: int, dead: bool) -> None:
    trainer = Trainer(acks=list(acks))
    if dead:
        trainer.chats = [httpx.Response(400)]
    caller = serve(trainer, completion_retries=3, completion_timeout_s=0.02)
    asyncio.run(deliver(caller))
    bodies = [r.content for r in trainer.requests if r.url.path.endswith("/completed")]
    assert len(bodies) == posts
    assert len(set(bodies)) == 1
    assert json.loads(bodies[0])["status"] == ("ERROR" if dead else "COMPLETED")
    assert caller.app.state.service.slots.admitted == 0
    assert caller.app.state.service.active == 0


def test_a_result_has_every_part() -> None:
    trainer = Trainer()
    result = asyncio.run(serve(trainer).callback(trainer))
    assert list(result) == ["rollout_id", "status", "final_messages", "finish_reason", "metrics", "extra_fields"]


def test_the_server_survives_an_unreachable_trainer() -> None:
    async def scenario() -> list[int]:
        trainer = Trainer([httpx.ConnectError("x")], [httpx.ConnectError("x")])
        caller = serve(trainer, max_concurrent=1, max_queued=0)
        await deliver(caller)
        again = await caller.post("/v1/rollout/init", init(rollout_id="r-2"))
        return [again.status_code, (await caller.get("/health")).status_code]

    assert asyncio.run(scenario()) == [202, 200]
