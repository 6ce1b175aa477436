"""How the trainer starts rollouts: the control API, the start requests, and every way a rollout can end."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.common.settings import SHIPPED_TOKENIZER, SettingsError
from rollout_conformance.rollout_server.tests.trainer.support import ID, USER, RolloutServer, bench, play, tool
from rollout_conformance.rollout_server.trainer.rollout_starter import KEPT_TOOLS, pause
from rollout_conformance.rollout_server.trainer.settings import Settings, load

each = pytest.mark.parametrize("dialect", ["sync", "callback"])


def test_the_sync_dialect_asks_for_the_tools_once_and_first() -> None:
    async def scenario() -> None:
        b = bench("sync", server_key="server-key")
        await b.open()
        await b.open("r-2")
        while len(b.server.requests) < 3:
            await asyncio.sleep(0)
        assert [(r.method, r.url.path) for r in b.server.requests] == [
            ("GET", "/tools"),
            ("POST", "/rollout"),
            ("POST", "/rollout"),
        ]
        assert {r.headers["authorization"] for r in b.server.requests} == {"Bearer server-key"}

    play(scenario)


def test_the_requests_of_the_sync_dialect() -> None:
    async def scenario() -> None:
        b = bench("sync")
        await b.open(sampling_params={"temperature": 0.2, "seed": 7}, max_turns=3, metadata={"step": 1})
        await b.called()
        assert b.server.starts == [
            {
                "rollout_id": ID,
                "server_url": "http://trainer.test:9001",
                "messages": [USER],
                "max_turns": 3,
                "metadata": {"step": 1},
                "sampling_params": {"temperature": 0.2, "seed": 7},
                "callback_api_key": b.session().key,
                "tokenizer_name": str(SHIPPED_TOKENIZER),
            }
        ]

    play(scenario)


def test_the_requests_of_the_callback_dialect() -> None:
    async def scenario() -> None:
        b = bench("callback", public_url="http://elsewhere:1/")
        await b.open(max_tokens_total=99)
        assert [r.url.path for r in b.server.requests] == ["/v1/rollout/init"]
        assert b.server.starts == [
            {
                "rollout_id": ID,
                "server_url": "http://elsewhere:1",
                "messages": [USER],
                "max_tokens_total": 99,
                "completion_params": {},
                "api_key": b.session().key,
            }
        ]

    play(scenario)


@pytest.mark.parametrize("host", [[], [(b"host", b"a/b?c")], [(b"host", b"user@a")]], ids=["none", "a query", "a user"])
def test_an_invalid_host_is_rejected(host: list[tuple[bytes, bytes]]) -> None:
    async def scenario() -> None:
        b = bench("callback")
        body = {"dialect": "callback", "server_url": "http://rollouts.test", "messages": [USER]}
        response = await b.caller.post("/rollouts", body, headers=host)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_host")
        assert b.server.requests == []

    play(scenario)


@each
def test_the_prompt_has_the_tools_of_this_rollout(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect, RolloutServer(tools=[tool("subtract")]))
        await b.open()
        reply = await b.said([USER])
        assert "tool_calls" not in reply
        text = b.session().trajectory.text
        assert "subtract(a)" in text
        assert "add(a)" not in text

    play(scenario)


def test_each_202_has_its_own_tools() -> None:
    async def scenario() -> None:
        b = bench("callback", RolloutServer(tools=[tool("add")]))
        await b.open()
        b.server.tools = [tool("divide")]
        await b.open("r-2")
        assert (await b.said([USER]))["tool_calls"]
        response = await b.ask([USER], rollout_id="r-2")
        assert "tool_calls" not in response.json()["choices"][0]["message"]

    play(scenario)


@each
def test_a_whole_rollout(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        messages, mask = await b.called()
        answer = await b.said(messages, mask)
        assert (await b.record())["status"] == "running"
        await b.finish(final_messages=[*messages, answer])
        record = await b.record()
        assert (record["status"], record["finish_reason"], record["error_message"]) == ("COMPLETED", "stop", None)
        assert record["result"]["final_messages"][-1]["content"] == "The result is 8."

    play(scenario)


@each
def test_a_full_server_is_asked_again(dialect: str) -> None:
    async def scenario() -> None:
        busy = [httpx.Response(429, headers={"retry-after": "0"}, json={"detail": "full"}) for _ in range(2)]
        b = bench(dialect, RolloutServer(answers=[*busy]))
        await b.open()
        await b.said([USER])
        while len(b.server.starts) < 3:
            await asyncio.sleep(0)
        first, second, third = b.server.starts
        assert first == second == third

    play(scenario)


ANSWERS = {
    "400": httpx.Response(400, json={"detail": "no"}),
    "401": httpx.Response(401, json={"detail": "no"}),
    "500": httpx.Response(500, json={"detail": "no"}),
    "503": httpx.Response(503, headers={"retry-after": "0"}, json={}),
    "a redirect": httpx.Response(307, headers={"location": "http://elsewhere.test/"}),
    "204": httpx.Response(204),
    "no JSON": httpx.Response(200, content=b"<html>"),
    "a list": httpx.Response(202, json=[]),
    "another rollout": httpx.Response(202, json={"rollout_id": "r-9", "tools": []}),
    "a lost connection": httpx.ConnectError("refused by 10.0.0.1"),
}


@each
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_any_other_answer_is_the_end(dialect: str, answer: Any) -> None:
    async def scenario() -> None:
        b = bench(dialect, RolloutServer(answers=[answer]))
        assert (await b.start(rollout_id=ID)).status_code == 202
        await b.end()
        record = await b.record()
        assert (record["status"], record["result"]) == ("ERROR", None)
        assert record["error_message"].startswith(("The rollout server ", "The response of", "The connection"))
        assert "10.0.0.1" not in record["error_message"]
        assert len(b.server.starts) == 1
        assert (await b.ask([USER])).status_code == 409

    play(scenario)


@each
def test_a_silent_server_times_out(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open(timeout_s=0.05)
        await b.end()
        record = await b.record()
        assert (record["status"], record["error_message"]) == ("TIMEOUT", "No result within 0.05 s")
        if dialect == "callback":  # too late: the first end stays, and the server is thanked all the same
            response = await b.finish()
            assert response is not None
            assert response.status_code == 200
        assert await b.record() == record

    play(scenario)


@each
def test_a_failed_rollout_keeps_its_error_message(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        await b.said([USER])
        await b.finish(status="ERROR", finish_reason="error", error_message="It broke.", final_messages=[])
        record = await b.record()
        assert (record["status"], record["finish_reason"], record["error_message"]) == ("ERROR", "error", "It broke.")
        assert len(record["turns"]) == 1

    play(scenario)


@each
def test_an_id_is_used_once(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        assert (await b.start(rollout_id=ID)).status_code == 409
        await b.called()
        await b.finish()
        assert (await b.start(rollout_id=ID)).status_code == 409
        invented = (await b.start()).json()["rollout_id"]
        assert (await b.record(invented))["status"] == "running"

    play(scenario)


def test_running_and_stored_sessions_are_limited() -> None:
    async def scenario() -> None:
        b = bench("callback", max_active=1, max_records=1)
        await b.open("r-1")
        response = await b.start(rollout_id="r-2")
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")
        for rollout_id in ("r-1", "r-2"):
            await b.finish(rollout_id=rollout_id)
            while b.caller.app.state.service.sessions._running:
                await asyncio.sleep(0)
            if rollout_id == "r-1":
                await b.open("r-2")
        assert (await b.caller.get("/rollouts/r-1")).status_code == 404
        assert (await b.record("r-2"))["status"] == "COMPLETED"

    play(scenario)


WRONG = [
    ({"dialect": "routed"}, "dialect: "),
    ({"server_url": "ftp://a"}, "server_url: "),
    ({"messages": []}, "messages: "),
    ({"max_turns": 0}, "max_turns: "),
    ({"timeout_s": 0}, "timeout_s: "),
    ({"rollout_id": " "}, "rollout_id: "),
    ({"sampling_params": {"messages": []}}, "sampling_params: "),
    ({"max_turns": "3", "timeout_s": "1"}, "max_turns: Input should be a valid integer; timeout_s: "),
]


@pytest.mark.parametrize(("change", "said"), WRONG, ids=[said for _, said in WRONG])
def test_an_invalid_request_is_reported_member_by_member(change: dict[str, Any], said: str) -> None:
    async def scenario() -> None:
        b = bench("sync")
        response = await b.start(**change)
        assert response.status_code == 422
        assert response.json()["error"]["message"].startswith(said)
        assert b.server.requests == []

    play(scenario)


BODIES = [
    (b"{", 400, "invalid_json"),
    (b'{"a": NaN}', 400, "invalid_json"),
    (b"[]", 422, "invalid_body"),
    (b'"' + b"x" * 2000 + b'"', 413, "body_too_large"),
]


@pytest.mark.parametrize("path", ["/rollouts", "/v1/chat/completions", "/v1/rollout/completed"])
@pytest.mark.parametrize(("body", "status", "code"), BODIES, ids=[code for *_, code in BODIES])
def test_an_invalid_body(path: str, body: bytes, status: int, code: str) -> None:
    async def scenario() -> None:
        b = bench("sync", body_limit=1000)
        response = await b.caller.post(path, body)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)

    play(scenario)


def test_paths_and_methods() -> None:
    async def scenario() -> None:
        b = bench("sync")
        assert (await b.caller.get("/health")).json() == {"status": "healthy"}
        for path, status, code in (("/nothing", 404, "no_such_path"), ("/rollouts", 405, "method_not_allowed")):
            response = await b.caller.get(path)
            assert (response.status_code, response.json()["error"]["code"]) == (status, code)

    play(scenario)


PAUSES = [
    ("3", 3.0),
    ("0", 0.05),
    ("-1", 0.05),
    ("86400", 60.0),
    ("nan", 1.0),
    ("inf", 1.0),
    ("soon", 1.0),
    (None, 1.0),
]


@pytest.mark.parametrize(("header", "seconds"), PAUSES, ids=[str(header) for header, _ in PAUSES])
def test_how_long_to_wait(header: str | None, seconds: float) -> None:
    assert pause(header) == seconds


def test_retry_after_may_be_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < pause(soon) <= 30
    assert pause("Wed, 21 Oct 2015 07:28:00 GMT") == 0.05


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINER_CONTROL_KEY", "secret-key")
    monkeypatch.setenv("TRAINER_BACKEND_URL", "http://localhost:8000/v1/")
    settings = load(port=1)
    assert (settings.port, settings.backend_url) == (1, "http://localhost:8000/v1")
    assert "secret-key" not in repr(settings)


@pytest.mark.parametrize(("name", "value"), [("TRAINER_PORT", "x"), ("TRAINER_ROLLOUT_TIMEOUT_S", "0")])
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: "):
        load()


def test_an_unusable_tokenizer_is_named(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match=r"^TRAINER_TOKENIZER: no usable tokenizer in"):
        bench("sync", tokenizer=tmp_path)
    assert Settings().tokenizer == SHIPPED_TOKENIZER


def test_an_answer_that_is_too_long_is_the_end() -> None:
    async def scenario() -> None:
        b = bench("callback", RolloutServer(answers=[httpx.Response(202, content=b"x" * 2000)]), reply_limit=1000)
        await b.start(rollout_id=ID)
        await b.end()
        assert (await b.record())["error_message"] == "The response of the rollout server is too long"

    play(scenario)


def test_the_tools_of_many_servers_are_not_kept_for_ever() -> None:
    async def scenario() -> None:
        b = bench("sync")
        starter = b.caller.app.state.service.app_state.starter
        for n in range(KEPT_TOOLS + 2):
            assert await starter.tools_of(f"http://server-{n}.test") == b.server.tools
        assert len(starter._tools) == len(starter._asking) == KEPT_TOOLS

    play(scenario)
