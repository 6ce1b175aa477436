"""The trainer whose generations are real: it issues what the engine said, and its faults stay those of the script."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.live.trainer import LiveTrainer, first_difference, said, stable_number
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import asgi_binding, tokens
from rollout_conformance.steps.peers.calculator import tools
from rollout_conformance.steps.peers.script import Ack, Fault, Line, Reply, Script
from rollout_conformance.steps.peers.trainer import Enrolled
from rollout_conformance.steps.tests.test_live_inference_client import URL, FakeEngine, completion, of, refused, wired

TOKENS = tokens.load(TOKENIZER)
QUESTION = [{"role": "user", "content": "5 plus 3?"}]
PROMPT = tuple(TOKENS.prompt_ids(QUESTION))
END = TOKENS.end_of_turn or 0
IDS = (*TOKENS.encode("The result is 8."), END)
NONCE = "rc-00000000-1x"
ASK = {"rollout_id": "r", "messages": QUESTION}


def generated(ids: Sequence[int] = IDS, prompt: Sequence[int] = PROMPT, **choice: Any) -> Response:
    message = choice.pop("message", {"role": "assistant", "content": "The result is 8.", "refusal": None})
    return of(200, completion(tuple(ids), tuple(prompt), message, **choice))


class Played:
    """A live trainer with one rollout, and a client that asks it."""

    def __init__(self, trainer: LiveTrainer, rollout: Enrolled, client: httpx.AsyncClient) -> None:
        self.trainer, self.rollout, self.client = trainer, rollout, client

    async def ask(self, **body: Any) -> httpx.Response:
        return await self.client.post("http://trainer.test/v1/chat/completions", json={**ASK, **body})

    @property
    def events(self) -> list[str]:
        return [event.name for event in self.rollout.trace.events]


@contextlib.asynccontextmanager
async def playing(
    fake: FakeEngine,
    lines: Sequence[Line] = (),
    gate: asyncio.Event | None = None,
    tools: Sequence[Any] | None = None,
    sampled: bool = False,
) -> AsyncIterator[Played]:
    opened = gate or asyncio.Event()
    async with wired(fake) as engine:
        trainer = LiveTrainer(engine, Engine(URL, "tiny"))
        script = Script(tuple(lines), (Ack(503),))
        rollout = Enrolled("", "r", None, NONCE, Trace(), TOKENS, script, lambda _: opened, tools, sampled)
        trainer.enroll(rollout)
        async with wired(trainer) as client:
            yield Played(trainer, rollout, client)


def test_what_was_generated_is_issued_as_it_came() -> None:
    async def run() -> None:
        async with playing(FakeEngine((generated(),)), [Reply(text="what a script would say")]) as played:
            reply = await played.ask()
            body = reply.json()
            (issued,) = played.rollout.issued
            logprobs = [-0.25 * (n + 1) for n in range(len(IDS))]
            assert (body["token_ids"], body["prompt_token_ids"]) == (list(IDS), list(PROMPT))
            assert body["logprobs"] == logprobs == list(issued.logprobs)
            assert (issued.token_ids, issued.prompt_ids) == (IDS, PROMPT)
            assert (issued.canonical, issued.end_token, issued.lost, issued.tampered) == (True, True, False, False)
            (choice,) = body["choices"]
            assert choice["message"] == issued.message == {"role": "assistant", "content": "The result is 8."}
            assert choice["finish_reason"] == issued.finish_reason == "stop"
            assert body["usage"]["total_tokens"] == len(IDS) + len(PROMPT)
            assert played.events == ["GenerationRequested", "GenerationReturned"]
            assert (played.trainer.drifts, played.trainer.troubles) == ([], {})

    asyncio.run(run())


def test_ids_that_no_encoder_gives_and_a_turn_that_was_cut_off_are_known_as_such() -> None:
    odd = TOKENS.odd_encoding("The result is multiplication.", seed=1)
    assert odd != TOKENS.encode("The result is multiplication.")

    async def run() -> None:
        async with playing(FakeEngine((generated(odd, finish_reason="length"),))) as played:
            await played.ask()
            (issued,) = played.rollout.issued
            assert (issued.canonical, issued.end_token, issued.finish_reason) == (False, False, "length")

    asyncio.run(run())


def test_the_engine_is_asked_for_what_the_server_asks_greedily() -> None:
    async def run(sampled: bool) -> dict[str, Any]:
        fake = FakeEngine((generated(),))
        async with playing(fake, tools=tools(), sampled=sampled) as played:
            await played.ask(
                temperature=0.7, top_p=0.9, max_tokens=5, stop=None, n=3, metadata={"a": 1}, model="default"
            )
        return fake.bodies[0]

    body = asyncio.run(run(sampled=False))
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["model"]) == (0.0, 0.9, 5, "tiny")
    assert (body["messages"], body["tools"]) == (QUESTION, tools())
    assert {"stop", "n", "metadata", "rollout_id"}.isdisjoint(body)
    assert asyncio.run(run(sampled=True))["temperature"] == 0.7


def test_faults_are_still_those_of_the_script() -> None:
    fake = FakeEngine((generated(),))

    async def run() -> None:
        lines: list[Line] = [Fault(status=503, headers=(("retry-after", "7"),)), Fault(loss="reset"), Reply()]
        async with playing(fake, lines) as played:
            refusal = await played.ask()
            assert (refusal.status_code, refusal.headers["retry-after"]) == (503, "7")
            with pytest.raises(httpx.RemoteProtocolError):
                await played.ask()
            assert fake.asked == []
            assert (await played.ask()).status_code == 200
            assert (await played.ask(messages=None)).status_code == 422
            acks = [await played.client.post("http://t.test/v1/rollout/completed", json=ASK) for _ in range(2)]
            assert [ack.status_code for ack in acks] == [503, 200]
        assert len(fake.asked) == 1

    asyncio.run(run())


@pytest.mark.parametrize("loss", ["reset", "cut"])
def test_a_generation_can_be_lost_on_the_way(loss: Any) -> None:
    async def run() -> None:
        async with playing(FakeEngine((generated(),)), [Reply(lost=loss)]) as played:
            with pytest.raises(httpx.HTTPError):
                await played.ask()
            (issued,) = played.rollout.issued
            assert (issued.lost, issued.token_ids) == (True, IDS)
            assert played.rollout.trace.exchanges[0].fault == f"scripted: {loss}"
            assert played.events == ["GenerationRequested", "GenerationFailed"]

    asyncio.run(run())


def test_a_script_can_change_a_reply_and_its_headers() -> None:
    async def run() -> None:
        line = Reply(put={"usage": None}, drop=("token_ids",), content_type="text/json", close=True, drip=True)
        async with playing(FakeEngine((generated(),)), [line]) as played:
            reply = await played.ask()
            assert (reply.headers["content-type"], reply.headers["connection"]) == ("text/json", "close")
            assert (reply.json()["usage"], "token_ids" in reply.json()) == (None, False)

    asyncio.run(run())


def test_a_held_reply_is_generated_when_it_is_released() -> None:
    async def run() -> None:
        gate, fake = asyncio.Event(), FakeEngine((generated(),))
        async with playing(fake, [Reply(hold="later")], gate) as played:
            asking = asyncio.ensure_future(played.ask())
            while not played.events:
                await asyncio.sleep(0)
            assert fake.asked == []
            gate.set()
            assert (await asking).status_code == 200

    asyncio.run(run())


@pytest.mark.parametrize(
    ("theirs", "position"),
    [
        ((0, *PROMPT[1:]), 0),
        ((*PROMPT[:4], PROMPT[4] + 1, *PROMPT[5:]), 4),
        (PROMPT[:-2], len(PROMPT) - 2),
        ((*PROMPT, 7), len(PROMPT)),
    ],
)
def test_a_prompt_that_was_read_otherwise_is_noted_with_its_place(theirs: tuple[int, ...], position: int) -> None:
    async def run() -> None:
        async with playing(FakeEngine((generated(prompt=theirs), generated()))) as played:
            assert (await played.ask()).json()["prompt_token_ids"] == list(theirs)
            assert (await played.ask()).json()["prompt_token_ids"] == list(PROMPT)
            (drift,) = played.trainer.drifts
            assert (drift.rollout, drift.position, drift.ours, drift.theirs) == ("r", position, PROMPT, theirs)
            around = played.trainer.decoded(drift.ours, drift.position)
            assert around == TOKENS.decode(PROMPT[max(0, position - 4) : position + 8])

    asyncio.run(run())


def test_the_text_around_nothing_is_empty() -> None:
    assert LiveTrainer(httpx.AsyncClient(), Engine(URL, "tiny")).decoded(PROMPT, 1) == ""


@pytest.mark.parametrize(
    ("fake", "told"),
    [
        (FakeEngine((refused(500, "kaput"),)), "answered 500: kaput"),
        (FakeEngine((of(200, b"Hi."),)), "no chat completion: no JSON"),
        (FakeEngine((generated(token_ids=None),)), "returned no token ids"),
        (FakeEngine(loss="reset"), "broke off"),
    ],
)
def test_an_engine_that_fails_is_a_trouble_and_502(fake: FakeEngine, told: str) -> None:
    async def run() -> None:
        async with playing(fake) as played:
            reply = await played.ask()
            assert reply.status_code == 502
            assert reply.json()["error"]["message"] == "the engine did not generate"
            assert list(played.trainer.troubles) == [NONCE]
            assert told in played.trainer.troubles[NONCE]
            assert played.rollout.issued == []
            assert played.events == ["GenerationRequested", "GenerationFailed"]

    asyncio.run(run())


def test_the_first_trouble_of_a_rollout_stands() -> None:
    async def run() -> str:
        async with playing(FakeEngine((refused(500, "first"), refused(500, "second")))) as played:
            assert [(await played.ask()).status_code for _ in range(2)] == [502, 502]
            return played.trainer.troubles[NONCE]

    assert asyncio.run(run()).endswith("first")


SURPRISES: dict[str, dict[str, Any]] = {
    "a message that is null": {"message": None},
    "an id that no vocabulary has": {"ids": (-1,)},
}


@pytest.mark.parametrize("what", SURPRISES)
def test_a_surprise_is_a_trouble_too(what: str) -> None:
    async def run() -> None:
        async with playing(FakeEngine((generated(**SURPRISES[what]),))) as played:
            play: Any = played.trainer.receive(Request("POST", "/v1/chat/completions", (), json.dumps(ASK).encode()))
            await asyncio.wait({play.task})
            surprise = play.task.exception()
            assert (list(played.trainer.troubles), play.response.status) == ([NONCE], 502), surprise

    asyncio.run(run())


def test_who_hangs_up_ends_the_generation() -> None:
    async def run() -> None:
        fake = FakeEngine(hold=asyncio.Event())
        async with asgi_binding.serve(fake) as url, http_client.client() as engine, http_client.client() as client:
            trainer, trace = LiveTrainer(engine, Engine(url, "tiny")), Trace()
            gate = asyncio.Event()
            trainer.enroll(Enrolled("", "r", None, NONCE, trace, TOKENS, Script(), lambda _: gate))
            async with asgi_binding.serve(trainer) as at:
                asking = asyncio.ensure_future(client.post(f"{at}/v1/chat/completions", json=ASK))
                async with asyncio.timeout(5):
                    while not fake.asked:
                        await asyncio.sleep(0)
                    assert not fake.gone.is_set()
                    asking.cancel()
                    await fake.gone.wait()
            assert [event.name for event in trace.events] == ["GenerationRequested", "GenerationDisconnected"]
            assert "closed the connection" in (trace.exchanges[0].fault or "")
            assert trainer.troubles == {}

    asyncio.run(run())


CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ({"role": "assistant", "content": "Hi."}, {"content": "Hi."}),
        ({"content": None, "tool_calls": [CALL]}, {"content": None, "tool_calls": [CALL]}),
        ({"content": "", "tool_calls": [], "refusal": None, "audio": None}, {"content": ""}),
        ({"content": "Hi.", "tool_calls": None, "reasoning": None}, {"content": "Hi."}),
        ({"content": "Hi.", "reasoning": "Hm."}, {"content": "Hi.", "reasoning_content": "Hm."}),
        ({"content": "Hi.", "reasoning_content": "Hm."}, {"content": "Hi.", "reasoning_content": "Hm."}),
        ({}, {"content": None}),
    ],
)
def test_a_message_is_passed_on_without_what_is_null(message: dict[str, Any], kept: dict[str, Any]) -> None:
    assert said(message) == {"role": "assistant", **kept}


def test_the_first_difference() -> None:
    pairs = [((), ()), ((1,), ()), ((1, 2), (1, 3)), ((1, 2), (1, 2, 3)), ((4, 2), (1, 2))]
    assert [first_difference(a, b) for a, b in pairs] == [0, 0, 1, 2, 0]


def test_a_stable_number_is_one() -> None:
    # The values themselves: what was recorded is asked for again under names that are made of them.
    assert [stable_number(name) for name in ("", "a", "x.yaml::c[sync]")] == [1261000, 892661000, 771832500]
    numbers = {stable_number(f"case {n}") for n in range(1000)}
    assert len(numbers) > 990
    assert all(number % 100 == 0 and 0 <= number < 1_000_000_000 for number in numbers)
