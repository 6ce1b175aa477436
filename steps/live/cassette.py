"""A live session kept, and played again without an engine: what was asked, word for word, and what came back.

The tape lies between the client and the engine, as a server of its own, so that it does not matter which profile asks. A request that
the tape does not know is an error: something asks otherwise than when it was recorded, and what an engine would say is not made up.
"""

import asyncio
import contextlib
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.engine.trace import NotJson, Request, Response, parse
from rollout_conformance.steps.live.inference_client import ANSWER_S, Engine
from rollout_conformance.steps.peers import asgi_binding

VERSION = 1
END = {"type": "footer"}
LACKS = {"unbuffered": "a cassette gives a stream at once"}
KEPT = ("content-type",)  # headers of an answer that mean something later


@dataclass(slots=True)
class Answering:
    """An answer under way. The binding waits for `hold`."""

    response: Response = field(default_factory=lambda: Response(502, (), b""))
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    loss: None = None
    drip: bool = False
    delay_s: float = 0.0
    task: "asyncio.Task[None] | None" = None

    def delivered(self) -> None:
        """Nothing is to be noted: the request was, when it came."""

    def failed(self) -> None:
        """A tape loses nothing."""

    def abandoned(self) -> None:
        if self.task is not None:
            self.task.cancel()


def key(request: Request) -> str:
    """What a request is known by: method, path and the JSON of its body, however that is spaced."""
    body = parse(request.body)
    said = request.body.decode("utf-8", "replace") if isinstance(body, NotJson) else json.dumps(body, sort_keys=True)
    return sha256(f"{request.method} {request.path}\n{redacted(said)}".encode()).hexdigest()


class Recorder:
    """Passes every request on to the engine, and writes down what was said."""

    def __init__(self, client: httpx.AsyncClient, engine: Engine, file: Path, header: Mapping[str, object]) -> None:
        self.client, self.engine = client, engine
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = file.open("w", encoding="utf-8")
        except OSError as error:
            raise SuiteError(f"--record {file.parent}: cannot write there: {error.strerror}") from error
        self._write({"type": "header", "version": VERSION, **header})
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, request: Request) -> Answering:
        play = Answering()
        play.task = asyncio.ensure_future(self._pass_on(play, request))
        self._tasks.add(play.task)
        play.task.add_done_callback(self._tasks.discard)
        return play

    async def _pass_on(self, play: Answering, request: Request) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                url = self.engine.base_url + request.path
                reply = await self.client.request(
                    request.method, url, content=request.body, headers=self.engine.headers
                )
            headers = tuple((name, reply.headers[name]) for name in KEPT if name in reply.headers)
            play.response = Response(reply.status_code, headers, reply.content)
            self._write(_entry(request, play.response))
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            text = json.dumps({"error": {"message": f"the engine did not answer: {error or type(error).__name__}"}})
            play.response = Response(504, (("content-type", "application/json"),), text.encode())
        finally:
            play.hold.set()

    def _write(self, entry: Mapping[str, object]) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._write(END)
        self._file.close()


def _entry(request: Request, response: Response) -> dict[str, object]:
    return {
        "type": "exchange",
        "key": key(request),
        "request": {"method": request.method, "path": request.path, "body": _text(request.body)},
        "response": {"status": response.status, "headers": dict(response.headers), "body": _text(response.body)},
    }


def _text(body: bytes) -> str:
    return redacted(body.decode("utf-8", "surrogateescape"))


class Replayer:
    """Answers from a tape. The same request asked again gets the answers in their order, and from then on the last one."""

    def __init__(self, file: Path) -> None:
        self.header, entries = _read(file)
        self._answers: dict[str, deque[Response]] = defaultdict(deque)
        for asked, answer in entries:
            self._answers[asked].append(answer)

    def receive(self, request: Request) -> Answering:
        play = Answering()
        play.hold.set()
        answers = self._answers.get(key(request))
        play.response = _unknown(request) if not answers else answers.popleft() if len(answers) > 1 else answers[0]
        return play


def _unknown(request: Request) -> Response:
    told = (
        f"the cassette has no answer to this {request.method} {request.path}: it was not asked so when it was recorded"
    )
    return Response(404, (("content-type", "application/json"),), json.dumps({"error": {"message": told}}).encode())


def _response(written: Mapping[str, Any]) -> Response:
    body = written["body"].encode("utf-8", "surrogateescape")
    return Response(written["status"], tuple(written["headers"].items()), body)


def _read(file: Path) -> tuple[dict[str, Any], list[tuple[str, Response]]]:
    if not file.is_file():
        raise SuiteError(
            f"--backend replay:{file.parent}: there is no {file.name}. Record one with --backend live --record {file.parent}."
        )
    try:
        header, *entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        if header["type"] != "header" or header["version"] != VERSION:
            raise ValueError(f"its version is {header.get('version')}, this suite reads {VERSION}")
        if not entries or entries[-1] != END:
            raise ValueError("it has no end: the recording was broken off")
        if missing := {"tokenizer", "model", "run", "lacks"} - set(header):
            raise ValueError(f"its header lacks {', '.join(sorted(missing))}")
        return header, [(entry["key"], _response(entry["response"])) for entry in entries[:-1]]
    except (ValueError, KeyError, TypeError) as error:
        raise SuiteError(f"{file}: is no cassette that can be read ({error}). Record it anew.") from error


@contextlib.asynccontextmanager
async def recording(engine: Engine, file: Path, tokenizer: str, run: str) -> AsyncIterator[Engine]:
    """The engine behind a tape that runs. `run` names the run: a replay has to ask under the same names."""
    header = {
        "tokenizer": tokenizer,
        "model": engine.model,
        "engine": engine.version,
        "run": run,
        "lacks": dict(engine.lacks),
    }
    async with http_client.client() as client:
        recorder = Recorder(client, engine, file, header)
        try:
            async with asgi_binding.serve(recorder) as url:
                yield replace(engine, base_url=url, key=None, lacks={**engine.lacks, **LACKS})
        finally:
            recorder.close()


@contextlib.asynccontextmanager
async def replaying(file: Path, tokenizer: str) -> AsyncIterator[tuple[Engine, str]]:
    """The engine on a tape, and the name of the run that was recorded. Raises `SuiteError` for a tape of another tokenizer."""
    replayer = Replayer(file)
    header = replayer.header
    if header.get("tokenizer") != tokenizer:
        raise SuiteError(
            f"{file}: was recorded with the tokenizer {header.get('tokenizer')}, this run has {tokenizer}. The ids mean other "
            "texts. Give the tokenizer of the recording with --tokenizer, or record anew."
        )
    async with asgi_binding.serve(replayer) as url:
        engine = Engine(url, header["model"], None, header.get("engine", ""), str(file), {**header["lacks"], **LACKS})
        yield engine, str(header["run"])
