"""Which backend serves: by weight, by affinity, and another one after a failure."""

import json
from typing import Any

import pytest

from rollout_conformance.rollout_server.router.app import create_app
from rollout_conformance.rollout_server.router.settings import BackendSpec, Settings
from rollout_conformance.rollout_server.tests.router import support
from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import KEY, PATH, Caller, error, play_with
from rollout_conformance.rollout_server.tests.tls import WITHOUT_CERTIFICATES


def test_weights() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for _ in range(200):
            assert (await c.ask()).headers["x-routing-decision"] == "PRIMARY"
        # Five standard deviations: equal weights would be 4.5 of theirs outside, and one backend alone is outside as well.
        assert abs(fakes[0].calls - 160) < 5 * (200 * 0.8 * 0.2) ** 0.5
        assert fakes[0].calls + fakes[1].calls == 200

    play_with(scenario, weights=[80, 20])


TROUBLES: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 503},
    {"status": 529},
    {"status": 302},
    {"url": "http://127.0.0.1:1"},
]
UNARY: list[dict[str, Any]] = [{"answer": b"<html>"}, {"pause_s": 9.0}]


@pytest.mark.parametrize(
    ("trouble", "stream"),
    [*((trouble, stream) for trouble in TROUBLES for stream in (False, True)), *((one, False) for one in UNARY)],
    ids=str,
)
def test_another_one_answers(trouble: dict[str, Any], stream: bool) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        vars(fakes[0]).update(trouble)
        response = await c.ask(stream=stream)
        assert response.status_code == 200, response.text
        assert (response.headers["x-routing-backend"], response.headers["x-routing-decision"]) == ("b", "FAILOVER")
        decision = (await c.admin("GET", "/routing/decisions?limit=1")).json()["data"][0]
        assert [attempt["backend"] for attempt in decision["attempts"]] == ["a", "b"]

    if "url" in trouble:
        play_with_dead(scenario, Fake("a"))
    else:
        play_with(scenario, Fake("a"), Fake("b"), weights=[1, 0], backend_timeout_s=0.1)


def play_with_dead(scenario: Any, fake: Fake) -> None:
    """A backend that told its models and has gone."""

    async def whole_of_it() -> None:
        async with support.backends(Fake("b")) as (other,):
            specs = (
                BackendSpec(name="a", url="http://127.0.0.1:1", models=("toy",)),
                BackendSpec(name="b", url=other.url, weight=0),
            )
            settings = support.configured([]).model_copy(update={"backends": specs})
            assert isinstance(settings, Settings)
            app = create_app(settings=settings)
            async with (
                support.listening(app, lifespan="on") as url,
                Caller(base_url=url, verify=WITHOUT_CERTIFICATES, trust_env=False) as caller,
            ):
                caller.app_state = app.state.app_state
                await scenario(caller, [fake, other])

    support.play(whole_of_it)


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [({"status": 500}, 502, "backend_error"), ({"pause_s": 9.0}, 504, "backend_timeout")],
    ids=str,
)
def test_all_failed(trouble: dict[str, Any], status: int, code: str) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for fake in fakes:
            vars(fake).update(trouble)
        response = await c.ask()
        assert (response.status_code, error(response)["code"]) == (status, code)
        assert [fake.calls for fake in fakes] == [1, 1]
        for hidden in ("127.0.0.1", "secret", *(fake.url for fake in fakes)):
            assert hidden not in response.text
        assert "x-routing-backend" not in response.headers

    play_with(scenario, backend_timeout_s=0.1)


def test_no_backend_is_reachable() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        c.app_state.pool.backends[0].models = {"toy": {}}
        response = await c.ask()
        assert (response.status_code, error(response)["code"]) == (503, "backend_unavailable")
        assert int(response.headers["retry-after"]) >= 1

    async def nobody(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].url = ""
        spec = c.app_state.pool.backends[0].spec.model_copy(update={"url": "http://127.0.0.1:1"})
        c.app_state.pool.backends[0].spec = spec
        await scenario(c, fakes)

    play_with(nobody, Fake("a"))


def test_degraded_by_an_operator() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        answer = (await c.admin("POST", "/routing/backends/a/degrade", json={"reason": "hot"})).json()
        assert (answer["name"], answer["status"], answer["reason"]) == ("a", "degraded", "hot")
        model_entry = (await c.admin("GET", "/routing/backends")).json()["data"]
        assert [one["status"] for one in model_entry] == ["degraded", "unknown"]
        for _ in range(10):
            assert (await c.ask()).headers["x-routing-backend"] == "b"
        fakes[1].status = 500
        assert (await c.ask()).headers["x-routing-backend"] == "a"  # better than nothing
        fakes[1].status = 200
        assert (await c.admin("POST", "/routing/backends/a/healthy")).json()["status"] == "healthy"
        assert "a" in [(await c.ask()).headers["x-routing-backend"] for _ in range(20)]
        missing = await c.admin("POST", "/routing/backends/z/degrade")
        assert (missing.status_code, error(missing)["code"]) == (404, "not_found")
        assert (await c.admin("POST", "/routing/backends/a/degrade", json={"reason": 3})).status_code == 400

    play_with(scenario, weights=[9, 1])


def test_a_conversation_stays_where_it_is_cached() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        messages = [{"role": "user", "content": "Hello."}]
        first = (await c.ask(messages=messages)).headers["x-routing-backend"]
        for _ in range(10):
            messages = [*messages, {"role": "assistant", "content": "!"}, {"role": "user", "content": "And?"}]
            response = await c.ask(messages=messages)
            assert response.headers["x-routing-backend"] == first
            assert response.headers["x-routing-decision"] == "AFFINITY"
        others = [await c.ask(messages=[{"role": "user", "content": str(n)}]) for n in range(20)]
        assert {one.headers["x-routing-backend"] for one in others} == {"a", "b"}
        await c.admin("POST", f"/routing/backends/{first}/degrade")
        moved = await c.ask(messages=messages)
        assert moved.headers["x-routing-backend"] != first
        assert moved.headers["x-routing-decision"] == "PRIMARY"

    play_with(scenario, affinity=True)


def test_a_full_backend_is_not_waited_for() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        first = (await c.ask()).headers["x-routing-backend"]
        c.app_state.pool.get(first).running = c.app_state.settings.backend_capacity
        assert (await c.ask()).headers["x-routing-decision"] == "PRIMARY"
        c.app_state.pool.get(first).running = 0

    play_with(scenario, affinity=True, backend_capacity=1)


def test_probes_notice_failures_and_recoveries() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.get("/v1/status/readyz")).status_code == 200
        fakes[0].well = False
        while (await c.admin("GET", "/routing/backends")).json()["data"][0]["status"] != "down":
            pass
        assert {(await c.ask()).headers["x-routing-decision"] for _ in range(10)} == {"PRIMARY"}
        assert fakes[0].calls == 0
        fakes[0].well, fakes[0].models = True, ("toy", "new")
        while (await c.ask(model="new")).status_code != 200:
            pass
        assert {m["id"] for m in await models(c)} == {"toy", "new"}

    play_with(scenario, health_interval_s=0.02)


async def models(c: Caller) -> list[dict[str, Any]]:
    response = await c.get("/v1/models", headers={"authorization": f"Bearer {KEY}"})
    assert response.json()["object"] == "list"
    return list(response.json()["data"])


def test_the_models_of_all() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert [(m["id"], m["object"]) for m in await models(c)] == [("x", "model"), ("toy", "model"), ("y", "model")]
        assert (await c.ask(model="y")).headers["x-routing-backend"] == "b"
        assert json.loads(fakes[1].raws[0])["model"] == "y"
        assert (await c.get("/v1/models")).status_code == 401
        assert (await c.get(PATH)).status_code == 405

    play_with(scenario, Fake("a", models=("x", "toy")), Fake("b", models=("toy", "y")))
