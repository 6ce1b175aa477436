"""Keys of clients, and that no secret is logged."""

import asyncio

import pytest

from rollout_conformance.rollout_server.tests.rollout.support import Trainer, init, serve, sync_start

STARTS = {"/rollout": sync_start(), "/v1/rollout/init": init()}
REFUSED = [
    [],
    [b""],
    [b"Bearer"],
    [b"Bearer "],
    [b"Bearer wrong"],
    [b"secret"],
    [b"Basic secret"],
    [b"Bearer secret secret"],
    [b"Bearer secre"],
    [b"Bearer secrett"],
    [b"Bearer \xff\xfe"],
    [b"Bearer " + b"x" * 10_000],
    [b"Bearer secret", b"Bearer secret"],
]


@pytest.mark.parametrize("path", STARTS)
@pytest.mark.parametrize("values", REFUSED, ids=lambda values: repr(values)[:30])
def test_rejected(path: str, values: list[bytes]) -> None:
    trainer = Trainer()
    caller = serve(trainer, server_key="secret")
    headers = [(b"authorization", value) for value in values]
    for body in (STARTS[path], b"{"):
        response = asyncio.run(caller.post(path, body, headers=headers))
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json() == {"detail": "Invalid or missing API key"}
    assert trainer.requests == []


@pytest.mark.parametrize("value", [b"Bearer secret", b"bearer secret", b"BEARER  secret"])
def test_a_valid_key_is_accepted(value: bytes) -> None:
    caller = serve(Trainer(), server_key="secret")
    response = asyncio.run(caller.post("/rollout", sync_start(), headers=[(b"authorization", value)]))
    assert response.status_code == 200


def test_a_key_may_be_any_text() -> None:
    caller = serve(Trainer(), server_key="schlüssel")
    header = (b"authorization", "Bearer schlüssel".encode())
    assert asyncio.run(caller.post("/rollout", sync_start(), headers=[header])).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/tools", "/metrics", "/docs", "/openapi.json"])
def test_open_to_everybody(path: str) -> None:
    assert asyncio.run(serve(Trainer(), server_key="secret").get(path)).status_code == 200


PLATFORM = [(None, b"Bearer x", 404), ("secret", b"Bearer x", 401), ("secret", b"Bearer secret", 200)]


@pytest.mark.parametrize(("key", "value", "status"), PLATFORM)
def test_platform_health(key: str | None, value: bytes, status: int) -> None:
    caller = serve(Trainer(), server_key=key)
    response = asyncio.run(caller.get("/platform/health", headers=[(b"authorization", value)]))
    assert response.status_code == status


def test_no_secret_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = Trainer()
    caller = serve(trainer, server_key="server-secret", log_level="debug")
    headers = [(b"authorization", b"Bearer server-secret")]
    good = sync_start(callback_api_key="trainer-secret", messages=[{"role": "user", "content": "private words"}])
    bad = good | {"max_turns": 0, "callback_api_key": "trainer-secret\n"}
    said = [asyncio.run(caller.post("/rollout", body, headers=headers)) for body in (good, bad)]
    assert [response.status_code for response in said] == [200, 422]
    logs = capsys.readouterr().err
    assert "rollout_ended" in logs
    everything = logs + "".join(response.text for response in said)
    assert "trainer-secret" not in everything
    assert "server-secret" not in everything
    assert "private words" not in logs
