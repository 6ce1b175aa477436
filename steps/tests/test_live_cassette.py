"""A session on tape: played again it is the same to the letter, and a tape that does not fit says so."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollout_conformance.steps.engine import http_client, redaction
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.trace import Request, Response
from rollout_conformance.steps.live import backend_option, cassette
from rollout_conformance.steps.live.backend_option import BackendChoice, Model
from rollout_conformance.steps.live.engine import EngineOptions
from rollout_conformance.steps.live.inference_client import Engine, generate
from rollout_conformance.steps.peers import asgi_binding
from rollout_conformance.steps.tests.test_live_inference_client import URL, FakeEngine, completion, of, refused, wired

CHAT = "/v1/chat/completions"
SPACED = b'{ "choices" : [ {"message":{"content":"Gr\\u00fc\xc3\x9fe \xf0\x9f\xa7\xae"}} ]\n}\n'
ANSWERS = (
    of(200, SPACED),
    Response(429, (("content-type", "text/plain; charset=utf-8"),), b"slow down\n"),
    of(200, b""),
    of(200, completion()),
)
Said = tuple[int, str | None, bytes]
Ask = tuple[str, str, bytes]
HEADER = {"type": "header", "version": 1, "tokenizer": "hash", "model": "tiny", "run": "0123abcd", "lacks": {}}


def chat(*bodies: Any) -> list[Ask]:
    return [("POST", CHAT, body if isinstance(body, bytes) else json.dumps(body).encode()) for body in bodies]


async def said(client: httpx.AsyncClient, asks: Sequence[Ask], url: str = URL) -> list[Said]:
    replies = [await client.request(method, url + path, content=body) for method, path, body in asks]
    return [(reply.status_code, reply.headers.get("content-type"), reply.content) for reply in replies]


def recorded(fake: FakeEngine, file: Path, asks: Sequence[Ask], key: str | None = None) -> list[Said]:
    async def run() -> list[Said]:
        async with wired(fake) as engine:
            recorder = cassette.Recorder(engine, Engine(URL, "tiny", key), file, HEADER)
            with contextlib.closing(recorder):
                async with wired(recorder) as client:
                    return await said(client, asks)

    return asyncio.run(run())


def replayed(file: Path, asks: Sequence[Ask]) -> list[Said]:
    async def run() -> list[Said]:
        async with wired(cassette.Replayer(file)) as client:
            return await said(client, asks)

    return asyncio.run(run())


def opened(file: Path, tokenizer: str = "hash") -> tuple[Engine, str]:
    """What `replaying` makes of a file."""

    async def run() -> tuple[Engine, str]:
        async with cassette.replaying(file, tokenizer) as found:
            return found

    return asyncio.run(run())


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "rollout.ndjson"


def test_a_session_is_played_again_bit_for_bit(tape: Path) -> None:
    asks = [*chat({"n": 1}, {"n": 2}, b"no JSON \xe2\x82\xac", {"n": 4}), ("GET", "/v1/models", b"")]
    first = recorded(FakeEngine(ANSWERS), tape, asks)
    assert [(status, body) for status, _, body in first[:4]] == [(one.status, one.body) for one in ANSWERS]
    assert replayed(tape, asks) == first
    assert replayed(tape, asks[::-1]) == first[::-1]


def test_over_sockets_it_is_the_same_and_the_engine_of_the_tape_is_the_recorded_one(tape: Path) -> None:
    asks, lacks = chat({"n": 1}, {"n": 2}), {"tools": "none there", **cassette.LACKS}

    async def run() -> tuple[list[Said], list[Said], Engine, str]:
        async with http_client.client() as client:
            async with asgi_binding.serve(FakeEngine(ANSWERS, key="sesame")) as url:
                real = Engine(url, "tiny", "sesame", "0.11.2", "/log", {"tools": "none there"})
                async with cassette.recording(real, tape, "hash", "0123abcd") as taped:
                    assert (taped.model, taped.key, taped.lacks) == ("tiny", None, lacks)
                    first = await said(client, asks, taped.base_url)
            async with cassette.replaying(tape, "hash") as (engine, name):
                return first, await said(client, asks, engine.base_url), engine, name

    first, second, engine, name = asyncio.run(run())
    assert first == second
    assert (engine.model, engine.version, engine.lacks, engine.key) == ("tiny", "0.11.2", lacks, None)
    assert (engine.log, name) == (str(tape), "0123abcd")


def test_the_same_request_gets_its_answers_in_order_and_then_the_last(tape: Path) -> None:
    answers = tuple(of(200, {"n": n}) for n in range(3))
    first = recorded(FakeEngine(answers), tape, chat(*[{"same": True}] * 3))
    assert replayed(tape, chat(*[{"same": True}] * 5)) == [*first, first[-1], first[-1]]


def test_what_was_not_asked_then_is_404_and_says_so(tape: Path) -> None:
    recorded(FakeEngine(), tape, chat({"n": 1}))
    for ask in [*chat({"n": 2}), ("GET", CHAT, b'{"n": 1}'), ("POST", f"{CHAT}?x=1", b'{"n": 1}')]:
        ((status, _, body),) = replayed(tape, [ask])
        assert status == 404
        text = json.loads(body)["error"]["message"]
        assert text.startswith(f"the cassette has no answer to this {ask[0]} {ask[1]}")
        assert "not asked so when it was recorded" in text


def test_how_a_body_is_spaced_and_ordered_does_not_matter(tape: Path) -> None:
    first = recorded(FakeEngine(), tape, chat(b'{"a": [1, 2], "b": "\xc3\xbc"}'))
    assert replayed(tape, chat(b'{"b":"\\u00fc",\n "a":[1,2]}')) == first


def test_what_a_body_says_does_matter() -> None:
    bodies = [
        b'{"a": [1, 2]}',
        b'{"a": [2, 1]}',
        b'{"a": [1, 2.5]}',
        b'{"a": "1, 2"}',
        b'{"a": null}',
        b"{}",
        b"",
        b"a",
    ]
    assert len({cassette.key(Request("POST", CHAT, (), body)) for body in bodies}) == len(bodies)


def test_an_engine_that_dies_is_504_and_not_on_the_tape(tape: Path) -> None:
    ((status, _, body),) = recorded(FakeEngine(loss="reset"), tape, chat({"n": 1}))
    assert status == 504
    assert "the engine did not answer" in json.loads(body)["error"]["message"]
    assert len(tape.read_text().splitlines()) == 2  # header and footer


def test_secrets_are_not_on_the_tape(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_given", set[str]())
    redaction.remember("open-sesame")
    own = "tk-rc-0123abcd-7x-it"
    fake = FakeEngine((refused(401, f"open-sesame is no key, nor is {own}"),), key="open-sesame")
    asks = chat({"callback_api_key": "hidden", "text": f"my key is open-sesame, or {own}"})
    (answer,) = recorded(fake, tape, asks, "open-sesame")
    assert fake.asked[0].header("authorization") == "Bearer open-sesame"
    assert b"open-sesame" in answer[2]  # whoever asks hears what the engine says
    text = tape.read_text()
    assert [secret for secret in ("open-sesame", own, "hidden") if secret in text] == []
    assert json.loads(replayed(tape, asks)[0][2])["error"]["message"] == "*** is no key, nor is ***"


def test_a_request_is_known_by_another_key_of_the_suite() -> None:
    bodies = [json.dumps({"api_key": f"tk-rc-0123abcd-{n}x-it"}).encode() for n in (1, 2)]
    assert len({cassette.key(Request("POST", CHAT, (), body)) for body in bodies}) == 1


def test_a_tape_of_another_tokenizer_is_refused(tape: Path) -> None:
    recorded(FakeEngine(), tape, chat({"n": 1}))
    with pytest.raises(SuiteError) as told:
        opened(tape, "other")
    assert f"{tape}: was recorded with the tokenizer hash, this run has other" in str(told.value)
    assert "--tokenizer" in str(told.value)


def test_a_tape_that_is_not_there_is_told_how_to_record(tape: Path) -> None:
    with pytest.raises(SuiteError) as told:
        opened(tape)
    assert f"--backend replay:{tape.parent}: there is no rollout.ndjson" in str(told.value)
    assert f"--backend live --record {tape.parent}" in str(told.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no cassette that can be read"),
        ("<html>", "no cassette that can be read"),
        ("[]", "no cassette that can be read"),
        (json.dumps({**HEADER, "version": 2}), "its version is 2, this suite reads 1"),
        (json.dumps({**HEADER, "type": "report"}), "no cassette that can be read"),
        (json.dumps({"type": "header"}), "no cassette that can be read"),
        (json.dumps(HEADER), "it has no end: the recording was broken off"),
        (json.dumps(HEADER) + '\n"exchange"', "no cassette that can be read"),
        (json.dumps(HEADER) + "\n{}", "no cassette that can be read"),
    ],
)
def test_a_file_that_is_no_tape_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "rollout.ndjson"
    file.write_text(text)
    with pytest.raises(SuiteError) as error:
        opened(file)
    assert str(error.value).startswith(f"{file}: is no cassette")
    assert told in str(error.value)
    assert str(error.value).endswith("Record it anew.")


def test_a_tape_that_was_torn_is_refused(tape: Path) -> None:
    recorded(FakeEngine(), tape, chat({"n": 1}, {"n": 2}))
    whole = tape.read_bytes()
    tape.write_bytes(whole[:-40])
    with pytest.raises(SuiteError, match=r"no cassette that can be read \(.+\)\. Record it anew"):
        opened(tape)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"type": "header", "version": 1, "tokenizer": "hash"}),
        json.dumps(HEADER) + '\n{"type": "exchange", "key": "x"}',
    ],
)
def test_a_tape_that_lacks_members_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rollout.ndjson"
    file.write_text(text)
    with pytest.raises(SuiteError):
        opened(file)


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\u0085"])
def test_every_character_can_be_taped(tape: Path, end: str) -> None:
    asks = chat(json.dumps({"text": f"a{end}b"}, ensure_ascii=False).encode())
    first = recorded(FakeEngine((of(200, f'"x{end}y"'.encode()),)), tape, asks)
    assert replayed(tape, asks) == first


def test_every_byte_can_be_taped(tape: Path) -> None:
    async def run() -> Response:
        async with wired(FakeEngine((of(200, b"\xff\xfe\x00"),))) as engine:
            with contextlib.closing(cassette.Recorder(engine, Engine(URL, "tiny"), tape, HEADER)) as recorder:
                play = recorder.receive(Request("POST", CHAT, (), b"{}"))
                assert play.task is not None
                await play.task
                return play.response

    first = asyncio.run(run())
    assert replayed(tape, chat({})) == [(200, "application/json", first.body)]


async def _opened(asked: BackendChoice, talk: Callable[[Model], Coroutine[Any, Any, Any]]) -> Any:
    async with backend_option.opened(asked) as model:
        return await talk(model)


def test_a_live_run_that_is_recorded_can_be_replayed_under_its_name(tmp_path: Path) -> None:
    async def talk(model: Model) -> tuple[str, tuple[int, ...]]:
        assert model.engine is not None
        async with http_client.client() as client:
            made = await generate(client, model.engine, {"messages": [{"role": "user", "content": model.run}]})
        return model.run, made.token_ids

    async def live() -> Any:
        async with asgi_binding.serve(FakeEngine()) as url:
            return await _opened(BackendChoice("live", "hash", "rollout", tmp_path, EngineOptions(url)), talk)

    first = asyncio.run(live())
    assert asyncio.run(_opened(BackendChoice(f"replay:{tmp_path}", "hash", "rollout"), talk)) == first


def test_a_script_is_no_engine() -> None:
    async def talk(model: Model) -> Engine | None:
        return model.engine

    assert asyncio.run(_opened(BackendChoice("scripted", "hash", "rollout"), talk)) is None


@pytest.mark.parametrize(
    ("wanted", "record", "told"),
    [
        ("scripted", Path("x"), r"--record keeps a live session; with --backend scripted there is none"),
        ("replay:x", Path("x"), r"with --backend replay:x there is none\. Write --backend live"),
        ("alive", None, r"--backend alive: write scripted, tiny, live, both, or replay:DIR"),
        ("replay:/nowhere", None, r"there is no rollout\.ndjson"),
    ],
)
def test_what_cannot_be_had_is_told(wanted: str, record: Path | None, told: str) -> None:
    async def talk(model: Model) -> None:
        raise AssertionError(model)

    with pytest.raises(SuiteError, match=told):
        asyncio.run(_opened(BackendChoice(wanted, "hash", "rollout", record), talk))
