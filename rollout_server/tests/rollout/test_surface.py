"""Paths, methods, metrics and documentation."""

import asyncio
import gc

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rollout_conformance.rollout_server.rollout import openapi_document
from rollout_conformance.rollout_server.rollout.app import create_app
from rollout_conformance.rollout_server.rollout.settings import Settings
from rollout_conformance.rollout_server.tests.rollout.support import (
    Caller,
    Trainer,
    call,
    init,
    reply,
    serve,
    sync_start,
)


def test_health() -> None:
    trainer = Trainer()
    caller = serve(trainer)
    asyncio.run(caller.callback(trainer))
    health = asyncio.run(caller.get("/health"))
    assert health.json() == {
        "status": "healthy",
        "service": "rollout-server",
        "agent_loop": "tool_loop",
        "active_rollouts": 0,
        "completed_rollouts": 1,
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nope", 404, None),
        ("GET", "/rollout", 405, "POST"),
        ("GET", "/v1/rollout/init", 405, "POST"),
        ("DELETE", "/health", 405, "GET, HEAD"),
        ("HEAD", "/health", 200, None),
    ],
)
def test_method(method: str, path: str, status: int, allow: str | None) -> None:
    response = asyncio.run(serve(Trainer()).request(method, path))
    assert response.status_code == status
    assert response.headers.get("allow") == allow


def test_metrics_count_every_rollout_once() -> None:
    async def scenario() -> str:
        trainer = Trainer([reply(), {**reply(), "choices": [{**reply()["choices"][0], "finish_reason": "made-up"}]}])
        caller = serve(trainer)
        for rollout_id in ("a", "a", "b"):
            await caller.post("/v1/rollout/init", init(rollout_id=rollout_id))
            await asyncio.gather(*caller.app.state.service.reports)
        await caller.get("/metrics")
        return (await caller.get("/metrics")).text

    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(asyncio.run(scenario()))
        for sample in family.samples
    }
    assert samples["rollouts_started_total", "callback"] == 2
    assert samples["rollouts_completed_total", "callback", "stop", "COMPLETED"] == 1
    assert samples["rollouts_completed_total", "callback", "other", "COMPLETED"] == 1
    assert samples["completions_total", "acknowledged"] == 2
    assert samples["rollouts_active",] == 0
    assert samples["http_requests_total", "/v1/rollout/init", "POST", "202"] == 3


def test_docs_show_every_operation_and_fetch_nothing_from_elsewhere() -> None:
    page = openapi_document.page().decode()
    for path in ("/rollout", "/v1/rollout/init", "/tools", "/health", "/v1/chat/completions"):
        assert path in page
    assert "Please calculate 5 plus 3." in page
    assert "src=" not in page
    assert "<link" not in page


def test_the_openapi_document_has_both_dialects_and_no_dangling_reference() -> None:
    document = openapi_document.document()
    assert {"/rollout", "/v1/rollout/init", "/tools", "/health"} <= set(document["paths"])
    for reference in references(document):
        value = document
        for step in reference.removeprefix("#/").split("/"):
            value = value[step]


def references(value: object) -> list[str]:
    if isinstance(value, list):
        return [reference for item in value for reference in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [reference for item in value.values() for reference in references(item)]


def test_an_unexpected_error_exposes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise KeyError("secret")

    caller = serve(Trainer(), log_level="error")
    caller.app.state.service.app_state.toolbox.describe = broken
    with pytest.raises(KeyError):  # for the server that runs the app; it has sent the answer by then
        asyncio.run(caller.get("/tools"))
    logged = capsys.readouterr().err
    assert "KeyError at" in logged
    assert "secret" not in logged


@pytest.mark.parametrize(
    ("where", "category"), [("generation.generate", "internal_error"), ("tools.run_calls", "tool_error")]
)
def test_an_unexpected_error_ends_a_rollout(where: str, category: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(f"rollout_conformance.rollout_server.rollout.{where}", broken)
    result = asyncio.run(serve(Trainer([reply("", call())])).sync())
    assert result["extra_fields"] == {"error_category": category}
    assert "secret" not in str(result)


def test_the_life_of_a_server() -> None:
    async def scenario() -> int:
        app = create_app(settings=Settings(log_level="off", drain_s=0))
        async with app.router.lifespan_context(app):
            health = await Caller(app).get("/health")
        assert (await Caller(app).post("/rollout", sync_start())).status_code == 503
        return health.status_code

    before = gc.get_threshold()
    try:
        assert asyncio.run(scenario()) == 200
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
