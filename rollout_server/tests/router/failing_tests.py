"""Tests that mutants of the router fail, beside those of the other modules; `failing_by_name.py` says which fails which."""

import json
from collections.abc import Callable
from typing import Any

from rollout_conformance.rollout_server.tests.router import test_forwarding as passing
from rollout_conformance.rollout_server.tests.router import test_rejections as refusals
from rollout_conformance.rollout_server.tests.router import test_routing_decisions as decisions
from rollout_conformance.rollout_server.tests.router import test_state as state
from rollout_conformance.rollout_server.tests.router import test_streams as streams
from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import HI, KEY, PATH, Caller, error, play_with

FAST = ({"key": KEY, "rps": 1000, "burst": 1000},)


def public_paths() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert [(await c.get(path)).status_code for path in ("/health", "/v1/status/healthz", "/metrics")] == [200] * 3

    play_with(scenario, Fake("a"))


def told_healthy() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.get("/health")).json()["status"] == "healthy"

    play_with(scenario, Fake("a"))


def no_decisions() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.admin("GET", "/routing/decisions?limit=0")).status_code == 400

    play_with(scenario, Fake("a"))


def not_ready() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        await c.admin("POST", "/routing/backends/a/degrade")
        assert (await c.get("/v1/status/readyz")).status_code == 503

    play_with(scenario, Fake("a"))


def well_formed() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        response = await c.ask()
        answer = response.json()
        assert (answer["model"], len(answer["choices"])) == ("toy", 1)
        usage = answer["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert answer["system_fingerprint"] == "a"
        assert response.headers["x-routing-backend"] == "a"

    play_with(scenario, Fake("a"))


def bearer_wins() -> None:
    refusals.test_a_valid_key({"x-api-key": KEY, "authorization": "Bearer nobody"})


def rich_deltas() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        head = {"id": "x", "model": "toy", "object": "chat.completion.chunk"}
        rich = {"index": 0, "delta": {"content": "a", "reasoning": "Hm", "tool_calls": []}, "logprobs": None}

        async def chunks(body: Any) -> Any:
            yield {**head, "choices": [rich], "unknown": 0}
            yield b"[DONE]"

        fakes[0].chunks = chunks  # type: ignore[method-assign]
        response = await c.ask(stream=True)
        assert json.loads(response.text.split("\n")[0].removeprefix("data: "))["choices"] == [rich]

    play_with(scenario, Fake("a"))


def finish_with_usage() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}], "usage": {"completion_tokens": 2}}

        async def chunks(body: Any) -> Any:
            yield last
            yield b"[DONE]"

        fakes[0].chunks = chunks  # type: ignore[method-assign]
        assert '"finish_reason": "length"' in (await c.ask(stream=True)).text

    play_with(scenario, Fake("a"))


def options_of_a_stream() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        await c.ask()
        assert "stream_options" not in fakes[0].bodies[0]
        await c.ask(stream=True, stream_options={"rc": 0})
        assert fakes[0].bodies[1]["stream_options"]["rc"] == 0

    play_with(scenario, Fake("a"))


def developers() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        said = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello!"}]
        assert (await c.ask(messages=said)).status_code == 200

    play_with(scenario, Fake("a"))


def starved() -> None:
    decisions.test_frequent_requests_do_not_prevent_the_refill()


def busy() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        c.app_state.running = 100
        assert error(await c.ask())["code"] == "overloaded"

    play_with(scenario, Fake("a"), max_concurrent=100)


def unknown_json() -> None:
    refusals.test_no_valid_body(b"{", None)


def missing(member: str) -> Callable[[], None]:
    return lambda: refusals.test_no_valid_body({"model": "toy", "messages": HI} | {member: None}, member)


def method() -> None:
    refusals.test_wrong_methods_and_paths("GET", PATH, 405, "POST")


def stranger() -> None:
    refusals.test_no_valid_key({}, refusals.GOOD)


def expired() -> None:
    refusals.test_no_valid_key({"x-api-key": "gone"}, refusals.GOOD)


def odd_key() -> None:
    refusals.test_no_valid_key({"x-api-key": "klüé".encode()}, refusals.GOOD)


def two_keys_alike() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for key in (KEY, "other"):
            assert [(await c.ask(key=key)).status_code for _ in range(3)] == [200, 200, 429]

    play_with(scenario, Fake("a"), keys=tuple({"key": key, "rps": 0.1, "burst": 2} for key in (KEY, "other")))


def idempotency_cache() -> None:
    state.test_the_same_request_is_answered_once("idempotency-key", False)


def migrates() -> None:
    streams.test_another_backend_resumes_a_stream_on_request({})


def migrates_with_usage() -> None:
    streams.test_another_backend_resumes_a_stream_on_request({"stream_options": streams.USAGE})


def strict_usage() -> None:
    answer = b'{"choices":[{"message":{"tool_calls":[{"function":{"arguments":"{\\"a\\":5}"}}]}}],"usage":{"rc":0}}'
    passing.test_a_response_is_forwarded_byte_for_byte(answer)


def usage_of_a_stream() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].usage = lambda completion: {"rc": completion}  # type: ignore[method-assign]
        assert '"usage": {"rc": 7}' in (await c.ask(stream=True, stream_options={"include_usage": True})).text

    play_with(scenario, Fake("a"))


def same_at_second_attempt() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].status = 500
        await c.ask(seed=2**53 + 1)
        assert fakes[1].bodies[0]["seed"] == 2**53 + 1

    play_with(scenario, weights=[1, 0])


def end_beside_usage() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async def chunks(body: Any) -> Any:
            yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
            yield {"choices": [], "usage": {"completion_tokens": 2}}
            yield b"[DONE]"

        fakes[0].chunks = chunks  # type: ignore[method-assign]
        assert '"length"' in (await c.ask(stream=True, stream_options=streams.USAGE)).text

    play_with(scenario, Fake("a"))


def torn_characters() -> None:
    streams.forwarded_in_parts('data: {"choices": [{"delta": {"content": "héllo"}}]}\n\n'.encode())


def body_of_the_second_attempt() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].status = 500
        assert (await c.ask()).status_code == 200

    play_with(scenario, weights=[1, 0])


def tools_in_order() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        tools = [{"z": False, "a": 1}]
        await c.ask(tools=tools)
        assert json.dumps(fakes[0].bodies[0]["tools"]) == json.dumps(tools)

    play_with(scenario, Fake("a"))


def large(stream: bool) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].words = ["x" * 3_000_000]
        assert "x" * 3_000_000 in (await c.ask(stream=stream)).text

    play_with(scenario, Fake("a"))


def a_call() -> None:
    streams.forwarded(streams.CALL)


def served_after_rejections() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].status = fakes[1].status = 400
        assert {(await c.ask()).status_code for _ in range(60)} == {400}
        fakes[0].status = fakes[1].status = 200
        assert (await c.ask()).status_code == 200

    play_with(scenario, keys=FAST)


def spread_after_streams() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for _ in range(3):
            await c.ask(stream=True)
        before = [fake.calls for fake in fakes]
        for _ in range(30):
            await c.ask()
        assert min(fake.calls - known for fake, known in zip(fakes, before, strict=True)) > 1

    play_with(scenario, keys=FAST)


def own_keys() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].status = 500
        await c.ask()
        assert fakes[1].headers[0]["authorization"] == "Bearer key-of-b"

    play_with(scenario, weights=[1, 0], backend_keys=["key-of-a", "key-of-b"])


def no_backend_keys_back() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert not [value for value in (await c.ask()).headers.values() if "key-of-a" in value]

    play_with(scenario, backend_keys=["key-of-a", "key-of-b"], weights=[1, 0])


def half_a_body() -> None:
    """A body that is not read to its end, here because of its size."""

    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].answer = b"x" * 5000
        assert (await c.ask()).headers["x-routing-backend"] == "b"

    play_with(scenario, weights=[1, 0], reply_limit=2000)


def not_forwarded(method: str) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        response = await c.request(method, PATH, headers={"x-api-key": KEY})
        assert (response.status_code, response.headers["content-type"]) == (405, "application/json")

    play_with(scenario, Fake("a"))
