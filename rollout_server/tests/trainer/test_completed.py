"""Terminal results and keys: the first result is kept, and a key is required."""

from typing import Any

import pytest

from rollout_conformance.rollout_server.tests.trainer.support import ID, USER, bench, play

each = pytest.mark.parametrize("dialect", ["sync", "callback"])
DONE = {"rollout_id": ID, "status": "COMPLETED", "final_messages": [USER], "finish_reason": "stop"}
FAILED = {"rollout_id": ID, "status": "ERROR", "final_messages": [], "error_message": "It broke."}
PATH = "/v1/rollout/completed"


def test_a_repeated_result_gets_the_same_acknowledgement() -> None:
    async def scenario() -> None:
        b = bench("callback")
        await b.open()
        first, second = [await b.caller.post(PATH, DONE, headers=b.key()) for _ in range(2)]
        assert (first.status_code, second.status_code) == (200, 200)
        assert first.json() == second.json() == {"status": "ok", "rollout_id": ID}
        assert (await b.record())["result"] == DONE

    play(scenario)


@pytest.mark.parametrize(("first", "second"), [(DONE, FAILED), (FAILED, DONE)], ids=["success", "failure"])
def test_the_first_of_two_results_stays(first: dict[str, Any], second: dict[str, Any]) -> None:
    async def scenario() -> None:
        b = bench("callback")
        await b.open()
        answers = [await b.caller.post(PATH, result, headers=b.key()) for result in (first, second)]
        assert [a.json() for a in answers] == [{"status": "ok", "rollout_id": ID}] * 2
        record = await b.record()
        assert (record["status"], record["result"]) == (first["status"], first)

    play(scenario)


WRONG = [{"status": "RUNNING"}, {"status": None}, {"final_messages": {}}, {"metrics": 1}]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_an_invalid_result_is_rejected(change: dict[str, Any]) -> None:
    async def scenario() -> None:
        b = bench("callback")
        await b.open()
        response = await b.caller.post(PATH, DONE | change, headers=b.key())
        assert response.status_code == 422
        assert response.json()["error"]["param"].startswith(next(iter(change)))
        assert (await b.record())["status"] == "running"

    play(scenario)


def test_the_sync_dialect_has_no_reports() -> None:
    async def scenario() -> None:
        b = bench("sync")
        await b.open()
        response = await b.caller.post(PATH, DONE, headers=b.key())
        assert (response.status_code, response.json()["error"]["code"]) == (409, "wrong_dialect")
        assert (await b.record())["status"] == "running"

    play(scenario)


KEYS: dict[str, list[tuple[bytes, bytes]]] = {
    "none": [],
    "empty": [(b"authorization", b"")],
    "another": [(b"authorization", b"Bearer something-else")],
    "no text": [(b"authorization", b"Bearer \xff\xfe")],
    "another scheme": [(b"authorization", b"Basic something")],
}


@each
@pytest.mark.parametrize("headers", KEYS.values(), ids=KEYS.keys())
def test_the_key_of_the_rollout_is_demanded(dialect: str, headers: list[tuple[bytes, bytes]]) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        before = await b.record()
        for path, body in (("/v1/chat/completions", {"rollout_id": ID, "messages": [USER]}), (PATH, DONE)):
            response = await b.caller.post(path, body, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert b.session().key not in response.text
        assert await b.record() == before

    play(scenario)


@each
def test_the_key_of_another_rollout_is_rejected(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        await b.open("r-2")
        body = {"rollout_id": ID, "messages": [USER]}
        assert (await b.caller.post("/v1/chat/completions", body, headers=b.key("r-2"))).status_code == 401
        assert b.session().key != b.session("r-2").key

    play(scenario)


@each
def test_the_control_key_opens_the_control_api_and_nothing_else(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect, control_key="control")
        key = [(b"authorization", b"Bearer control")]
        assert (await b.start(rollout_id=ID)).status_code == 401
        body = {"rollout_id": ID, "dialect": dialect, "server_url": "http://rollouts.test", "messages": [USER]}
        found = [*key, (b"host", b"trainer.test")]
        assert (await b.caller.post("/rollouts", body, headers=found)).status_code == 202
        assert (await b.caller.get(f"/rollouts/{ID}")).status_code == 401
        assert (await b.caller.get(f"/rollouts/{ID}", headers=key)).status_code == 200
        asked = {"rollout_id": ID, "messages": [USER]}
        assert (await b.caller.post("/v1/chat/completions", asked, headers=key)).status_code == 401
        assert (await b.caller.get("/health")).status_code == 200

    play(scenario)


def test_a_result_may_overtake_the_202() -> None:
    async def scenario() -> None:
        b = bench("callback")
        b.server.first = b.finish
        await b.start(rollout_id=ID)
        await b.end()
        assert (await b.record())["status"] == "COMPLETED"

    play(scenario)


@each
def test_a_trainer_that_stops_ends_its_rollouts(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        await b.caller.app.state.service.stop()
        record = await b.record()
        assert (record["status"], record["error_message"]) == ("ERROR", "The trainer failed")

    play(scenario)
