"""An engine that misbehaves in every way that people meet: each has its own message, and that says what to do."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from rollout_conformance.steps.engine import http_client, targets
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.trace import Request, Response, parse
from rollout_conformance.steps.live import inference_client
from rollout_conformance.steps.live.inference_client import Engine, EngineError, Generation, generate, probe_engine
from rollout_conformance.steps.peers import asgi_binding, respx_binding
from rollout_conformance.steps.peers.script import Loss

HELLO = {"messages": [{"role": "user", "content": "Hello!"}]}
MESSAGE: dict[str, Any] = {"role": "assistant", "content": "Hi.", "refusal": None, "tool_calls": []}


def completion(
    ids: tuple[int, ...] = (11, 12, 13), prompt: tuple[int, ...] = (1, 2), message: Any = MESSAGE, **choice: Any
) -> dict[str, Any]:
    """What vLLM says; `choice` changes members of the choice."""
    entries = [{"token": "x", "logprob": -0.25 * (n + 1)} for n, _ in enumerate(ids)]
    said = {"index": 0, "message": message, "finish_reason": "stop", "token_ids": list(ids)}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{**said, "logprobs": {"content": entries}, **choice}],
        "prompt_token_ids": list(prompt),
    }


def of(status: int, body: Any) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, (("content-type", "application/json"),), raw)


def refused(status: int, text: str) -> Response:
    return of(status, {"error": {"message": text, "type": "Error", "code": status}})


GOOD = of(200, completion())
LISTED = of(200, {"object": "list", "data": [{"id": "tiny"}, {"id": "second"}]})
VERSION = of(200, {"version": "0.11.2"})


@dataclass(slots=True)
class Answer:
    """How the fake engine answers one request; carried out by the binding of the scripted trainer."""

    response: Response
    loss: Loss | None = None
    hold: asyncio.Event | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    drip: bool = False
    delay_s: float = 0.0

    def delivered(self) -> None:
        """The engine keeps no book."""

    def failed(self) -> None:
        """It was to fail."""

    def abandoned(self) -> None:
        self.gone.set()


@dataclass(slots=True)
class FakeEngine:
    """vLLM as far as the suite asks it. `chat` is what every generation is answered, in their order and then the last one."""

    chat: tuple[Response, ...] = (GOOD,)
    listed: Response = LISTED
    version: Response = VERSION
    tools: Response | None = None
    loss: Loss | None = None
    key: str | None = None
    hold: asyncio.Event | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Request] = field(default_factory=list)

    def receive(self, request: Request) -> Answer:
        if request.path == "/version":
            return Answer(self.version)
        if self.key and request.header("authorization") != f"Bearer {self.key}":
            return Answer(of(401, {"error": "Unauthorized"}))
        if request.path == "/v1/models":
            return Answer(self.listed)
        if request.path != "/v1/chat/completions":
            return Answer(of(404, {"detail": "Not Found"}))
        self.asked.append(request)
        if self.tools is not None and "tools" in self.bodies[-1]:
            return Answer(self.tools)
        return Answer(self.chat[min(len(self.asked), len(self.chat)) - 1], self.loss, self.hold, self.gone)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [parse(request.body) for request in self.asked]


def wired(peer: Any) -> httpx.AsyncClient:
    """A client of a peer, without a socket."""
    return httpx.AsyncClient(transport=respx_binding.transport(peer))


URL = "http://engine.test"


def look(fake: FakeEngine, model: str | None = None, key: str | None = None, url: str = URL) -> Engine:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_client, "client", lambda: wired(fake))
        return asyncio.run(probe_engine(url, model, key))


def asked(fake: FakeEngine, body: Mapping[str, Any] = HELLO) -> Generation:
    async def run() -> Generation:
        async with wired(fake) as client:
            return await generate(client, Engine(URL, "tiny"), body)

    return asyncio.run(run())


def test_a_good_engine_is_what_it_says() -> None:
    async def run() -> Engine:
        async with asgi_binding.serve(FakeEngine()) as url:
            return await probe_engine(url, None, None)

    engine = asyncio.run(run())
    assert (engine.model, engine.version, engine.lacks, engine.key) == ("tiny", "0.11.2", {}, None)


def test_a_generation_is_as_it_came() -> None:
    made = asked(FakeEngine())
    assert (made.prompt_token_ids, made.token_ids) == ((1, 2), (11, 12, 13))
    assert made.logprobs == (-0.25, -0.5, -0.75)
    assert (made.finish_reason, made.message, made.raw["id"]) == ("stop", MESSAGE, "chatcmpl-1")


def test_ids_and_logprobs_are_asked_for_whatever_else_is() -> None:
    fake = FakeEngine()
    asked(fake, {**HELLO, "model": "default", "stream": True, "logprobs": False, "temperature": 0.5})
    wanted = {"model": "tiny", "stream": False, "logprobs": True, "return_token_ids": True, "temperature": 0.5}
    assert fake.bodies == [{**HELLO, **wanted}]


def test_a_reply_without_a_reason_stopped() -> None:
    assert asked(FakeEngine((of(200, completion(finish_reason=None)),))).finish_reason == "stop"


def test_an_empty_generation_is_one() -> None:
    assert asked(FakeEngine((of(200, completion(ids=(), logprobs=None)),))).token_ids == ()


@pytest.mark.parametrize("below", ["", "/", "/v1", "/v1/"])
def test_a_url_may_end_as_people_write_it(below: str) -> None:
    assert look(FakeEngine(), url=URL + below).base_url == URL


def test_a_named_model_is_taken_and_the_key_goes_along() -> None:
    fake = FakeEngine(key="sesame")
    engine = look(fake, "second", "sesame")
    assert (engine.model, engine.key) == ("second", "sesame")
    assert {body["model"] for body in fake.bodies} == {"second"}
    assert engine.headers["authorization"] == "Bearer sesame"


@pytest.mark.parametrize("version", [of(404, {"detail": "Not Found"}), of(200, b"0.11"), of(200, ["0.11"])])
def test_an_engine_need_not_say_its_version(version: Response) -> None:
    assert look(FakeEngine(version=version)).version == ""


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "127.0.0.1:{port}", "http://"])
def test_an_engine_that_is_down(url: str) -> None:
    with pytest.raises(SuiteError) as told:
        asyncio.run(probe_engine(url.format(port=targets.free_port()), None, None))
    assert "VLLM_BACKEND_URL: no engine answers at" in str(told.value)
    assert "leave the variable out and the suite starts vLLM" in str(told.value)


def test_an_engine_that_goes_down_between_two_requests() -> None:
    async def run() -> None:
        async with http_client.client() as client:
            await generate(client, Engine(f"http://127.0.0.1:{targets.free_port()}", "tiny", log="/x.log"), HELLO)

    with pytest.raises(EngineError, match=r"broke off: .*Its log says why: /x\.log"):
        asyncio.run(run())


@pytest.mark.parametrize("loss", ["reset", "cut"])
def test_a_connection_that_dies(loss: Loss) -> None:
    async def run() -> None:
        async with asgi_binding.serve(FakeEngine(loss=loss)) as url, http_client.client() as client:
            await generate(client, Engine(url, "tiny"), HELLO)

    with pytest.raises(EngineError, match=r"the engine at http://127.* broke off: .+\. Its log says why"):
        asyncio.run(run())


def test_an_engine_that_takes_too_long() -> None:
    async def run() -> None:
        async with wired(FakeEngine(hold=asyncio.Event())) as client:
            await inference_client.ask(client, Engine(URL, "tiny"), HELLO, 0.05)

    with pytest.raises(EngineError, match=r"did not answer within 0\.05 s"):
        asyncio.run(run())


WITHOUT_IDS = completion(token_ids=None)
WITHOUT_PROMPT = {**completion(), "prompt_token_ids": None}
FEWER = completion(logprobs={"content": [{"logprob": -0.5}, {"logprob": -0.5}]})
OVERFLOW = "This model's maximum context length is 64 tokens. However, your request has 90 input tokens."
BAD: dict[str, tuple[Response, tuple[str, ...]]] = {
    "401": (of(401, {"error": "Unauthorized"}), ("answered 401", "it asks for a key", "Set VLLM_API_KEY")),
    "403": (refused(403, "no"), ("answered 403", "Set VLLM_API_KEY")),
    "404 of the model": (
        refused(404, "The model `tiny` does not exist."),
        ("does not serve the model 'tiny': The model `tiny` does not exist.", "Set VLLM_MODEL_NAME"),
    ),
    "404 of the path": (of(404, {"detail": "Not Found"}), ('answered 404: {"detail": "Not Found"}',)),
    "429": (refused(429, "slow down"), ("answered 429", "overloaded or not ready", "--jobs 4", "It said: slow down")),
    "503": (of(503, b"loading"), ("answered 503", "overloaded or not ready", "It said: loading")),
    "500": (refused(500, "kaput"), ("answered 500: kaput",)),
    "500 with a page": (of(500, b"<html>" + b"x" * 999), ("answered 500: <html>xxx",)),
    "an overflow": (refused(400, OVERFLOW), ("does not fit the engine", OVERFLOW, "a larger --max-model-len")),
    "an overflow, told otherwise": (
        of(400, {"error": "prompt is longer than max_model_len"}),
        ("does not fit the engine", "--max-model-len"),
    ),
    "400": (refused(400, "bad seed"), ("answered 400: bad seed",)),
    "no token ids": (of(200, WITHOUT_IDS), ("no token ids", "from 0.10.2 on. If it is newer, a proxy", "drops")),
    "no prompt ids": (of(200, WITHOUT_PROMPT), ("no token ids", "point VLLM_BACKEND_URL at the engine itself")),
    "fewer logprobs": (of(200, FEWER), ("2 logprobs for 3 token ids", "--max-logprobs 1")),
    "no logprobs": (of(200, completion(logprobs=None)), ("0 logprobs for 3 token ids", "without a proxy")),
    "no JSON": (of(200, b"Hi."), ("answered 200", "no chat completion: no JSON")),
    "an empty body": (of(200, b""), ("no chat completion: no JSON",)),
    "something else": (of(200, {"object": "list"}), ("no chat completion: {'object': 'list'}",)),
    "a list": (of(200, [1]), ("no chat completion: [1]",)),
    "no choice": (of(200, {"choices": []}), ("no chat completion: {'choices': []}",)),
    "a choice that is none": (of(200, {"choices": ["Hi."]}), ("no chat completion: {'choices': ['Hi.']}",)),
    "no message": (of(200, {"choices": [{"text": "Hi."}]}), ("no chat completion:", "'text': 'Hi.'")),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_generation_says_what_to_do(what: str) -> None:
    answer, words = BAD[what]
    with pytest.raises(EngineError) as told:
        asked(FakeEngine((answer,)))
    text = str(told.value)
    assert [word for word in words if word not in text] == [], text
    assert len(text) < 700


@pytest.mark.parametrize("what", BAD)
def test_the_first_look_finds_it_as_well(what: str) -> None:
    answer, words = BAD[what]
    with pytest.raises(SuiteError) as told:
        look(FakeEngine((answer,)))
    assert words[0] in str(told.value)


def test_an_old_engine_is_told_its_version() -> None:
    with pytest.raises(SuiteError, match=r"from 0\.10\.2 on; this one says it is 0\.9\.1\. If it is newer"):
        look(FakeEngine((of(200, WITHOUT_IDS),), version=of(200, {"version": "0.9.1"})))


def test_a_key_that_is_missing_is_found_at_the_first_look() -> None:
    with pytest.raises(SuiteError, match=r"answered 401: it asks for a key\. Set VLLM_API_KEY"):
        look(FakeEngine(key="sesame"))


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        (of(200, {"object": "list", "data": []}), r"lists no model \('{.*Is this an engine of the OpenAI API\?"),
        (of(200, {"data": [{"name": "tiny"}, "tiny"]}), "lists no model"),
        (of(200, {"models": ["tiny"]}), "lists no model"),
        (of(200, b"<html>Welcome"), r"lists no model \('<html>Welcome'\)\. Is this an engine"),
        (of(200, []), "lists no model"),
        (refused(503, "loading"), r"answered 503: it is overloaded or not ready\. .* It said: loading"),
        (of(404, {"detail": "Not Found"}), "answered 404"),
    ],
)
def test_an_engine_that_lists_no_model(listed: Response, told: str) -> None:
    with pytest.raises(SuiteError, match=told):
        look(FakeEngine(listed=listed))


def test_a_wrong_model_name_is_told_the_right_ones() -> None:
    fake = FakeEngine()
    with pytest.raises(SuiteError) as told:
        look(fake, "other")
    assert str(told.value).startswith(f"VLLM_MODEL_NAME=other: {URL} ")
    assert str(told.value).endswith("does not serve it. It serves: tiny, second.")
    assert fake.asked == []


def test_an_engine_that_calls_no_tools_lacks_them() -> None:
    engine = look(FakeEngine(tools=refused(400, '"auto" tool choice requires --enable-auto-tool-choice')))
    assert "tools" in engine.lacks
    assert {"--enable-auto-tool-choice", "--tool-call-parser"} <= set(engine.lacks["tools"].strip("()").split())


def test_the_first_look_is_short_and_greedy() -> None:
    fake = FakeEngine()
    look(fake)
    assert [(body["max_tokens"], body["temperature"], "tools" in body) for body in fake.bodies] == [
        (1, 0, False),
        (1, 0, True),
    ]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_engine_that_is_overloaded_does_not_lack_tools(status: int) -> None:
    with pytest.raises(SuiteError, match=f"answered {status}"):
        look(FakeEngine(tools=refused(status, "busy")))


ODD = {
    "logprobs that are a list": completion(logprobs=[-0.1, -0.2, -0.3]),
    "a logprob that is null": completion(ids=(1,), logprobs={"content": [{"logprob": None}]}),
    "an entry without a logprob": completion(ids=(1,), logprobs={"content": [{"token": "x"}]}),
    "a message that is null": completion(message=None),
    "ids that are text": completion(token_ids=["a", "b", "c"]),
}


@pytest.mark.parametrize("what", ODD)
def test_a_reply_with_odd_members_is_told_as_such(what: str) -> None:
    with pytest.raises(EngineError):
        inference_client.read(ODD[what], Engine(URL, "tiny"))


def test_a_list_of_models_that_is_none() -> None:
    with pytest.raises(SuiteError, match="lists no model"):
        look(FakeEngine(listed=of(200, {"data": 5})))


def test_a_host_that_cannot_be() -> None:
    with pytest.raises(SuiteError, match="no engine answers"):
        asyncio.run(probe_engine("http://a..b", None, None))
