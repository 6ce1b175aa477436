"""Asking an engine behind the chat API of OpenAI, and saying in plain words what is wrong with one that does not answer well."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.trace import NotJson, parse
from rollout_conformance.steps.http.keys import bearer

ANSWER_S = 120.0  # one generation, on two cores that also do something else
LOOK_S = 10.0
OLD = "0.10.2"


class EngineError(SuiteError):
    """The engine did not generate: nothing that follows can be judged."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine. `base_url` is without `/v1`; `lacks` says of each missing capability why it is missing."""

    base_url: str
    model: str
    key: str | None = None
    version: str = ""
    log: str = ""
    lacks: Mapping[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return {"content-type": "application/json"} | bearer(self.key)


@dataclass(frozen=True, slots=True)
class Generation:
    """What an engine generated. `message` is as it came; the ids and logprobs are equally long, or this would not exist."""

    message: Mapping[str, Any]
    finish_reason: str
    prompt_token_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    raw: Mapping[str, Any]


async def ask(
    client: httpx.AsyncClient, engine: Engine, body: Mapping[str, object], within_s: float = ANSWER_S
) -> httpx.Response:
    """One chat completion. Raises `EngineError` when there is no answer at all."""
    url = f"{engine.base_url}/v1/chat/completions"
    try:
        async with asyncio.timeout(within_s):
            return await client.post(url, content=json.dumps(body).encode(), headers=engine.headers)
    except TimeoutError as error:
        raise EngineError(f"the engine at {engine.base_url} did not answer within {within_s:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
        raise EngineError(
            f"the engine at {engine.base_url} broke off: {error or type(error).__name__}. Its log says why{_log(engine)}."
        ) from error


async def generate(client: httpx.AsyncClient, engine: Engine, body: Mapping[str, object]) -> Generation:
    """Generate with ids and logprobs. Raises `EngineError` for everything that is no generation, with what to do about it."""
    asked = {**body, "model": engine.model, "stream": False, "logprobs": True, "return_token_ids": True}
    reply = await ask(client, engine, asked)
    if reply.status_code != 200:
        raise EngineError(refusal(reply, engine))
    return read(parse(reply.content), engine)


def read(raw: Any, engine: Engine) -> Generation:
    """Raises `EngineError` for a reply that is no chat completion with ids and logprobs."""
    try:
        choice = raw["choices"][0]
        message, finish = dict(choice["message"]), choice.get("finish_reason")
    except (TypeError, KeyError, IndexError, AttributeError, ValueError) as error:
        shown = "no JSON" if isinstance(raw, NotJson) else str(raw)[:200]
        told = f"{engine.base_url} answered 200 with something that is no chat completion: {shown}"
        raise EngineError(told) from error
    ids, prompt = _ids(choice.get("token_ids")), _ids(raw.get("prompt_token_ids"))
    if ids is None or prompt is None:
        says = f"; this one says it is {engine.version}" if engine.version else ""
        raise EngineError(
            f"{engine.base_url} returned no token ids although return_token_ids was true. vLLM has them from {OLD} on{says}. If it "
            "is newer, a proxy in between drops unknown members: point VLLM_BACKEND_URL at the engine itself."
        )
    logprobs = _logprobs(choice.get("logprobs"))
    if len(logprobs) != len(ids):
        raise EngineError(
            f"{engine.base_url} returned {len(logprobs)} logprobs for {len(ids)} token ids. Start it with --max-logprobs 1 or "
            "more, and without a proxy that drops them."
        )
    return Generation(message, str(finish or "stop"), prompt, ids, logprobs, raw)


def _ids(value: Any) -> tuple[int, ...] | None:
    good = isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)
    return tuple(value) if good else None


def _logprobs(value: object) -> tuple[float, ...]:
    """Those that are numbers: what is none is missing."""
    entries = value.get("content") if isinstance(value, dict) else None
    found = [one.get("logprob") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    return tuple(float(one) for one in found if isinstance(one, int | float) and not isinstance(one, bool))


def refusal(reply: httpx.Response, engine: Engine) -> str:
    """What a status that is no success means, and what to do."""
    text = _message(reply)
    status = reply.status_code
    if status in (401, 403):
        wrong = "it refuses the key in VLLM_API_KEY" if engine.key else "it asks for a key. Set VLLM_API_KEY"
        return f"{engine.base_url} answered {status}: {wrong}."
    if status == 404 and "model" in text.lower():
        return f"{engine.base_url} does not serve the model {engine.model!r}: {text}. Set VLLM_MODEL_NAME."
    if status in (429, 503):
        return f"{engine.base_url} answered {status}: it is overloaded or not ready. Wait, or lower the load with --jobs 4. It said: {text}"
    if "context length" in text or "max_model_len" in text:
        return f"the conversation does not fit the engine: {text}. Serve the model with a larger --max-model-len."
    return f"{engine.base_url} answered {status}: {text}"


def _message(reply: httpx.Response) -> str:
    body = parse(reply.content)
    error = body.get("error") if isinstance(body, dict) else None
    told = error.get("message") if isinstance(error, dict) else error
    return str(told or reply.text)[:300]


def _log(engine: Engine) -> str:
    return f": {engine.log}" if engine.log else ""


async def probe_engine(base_url: str, model: str | None, key: str | None, log: str = "") -> Engine:
    """An engine that answers, with what it can do. Raises `SuiteError` with what to set or to start otherwise."""
    base_url = base_url.rstrip("/").removesuffix("/v1")
    async with http_client.client() as client:
        engine = Engine(base_url, model or "", key, await _version(client, base_url), log)
        served = await _models(client, engine)
        if model and model not in served:
            raise SuiteError(f"VLLM_MODEL_NAME={model}: {base_url} does not serve it. It serves: {', '.join(served)}.")
        engine = Engine(base_url, model or served[0], key, engine.version, log)
        await generate(client, engine, {**_HELLO, "max_tokens": 1})
        return Engine(base_url, engine.model, key, engine.version, log, await _lacks(client, engine))


_HELLO: Mapping[str, object] = {"messages": [{"role": "user", "content": "Hello!"}], "temperature": 0}
_TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}


async def _version(client: httpx.AsyncClient, base_url: str) -> str:
    try:
        async with asyncio.timeout(LOOK_S):
            body = parse((await client.get(f"{base_url}/version")).content)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError):
        return ""
    return str(body.get("version", "")) if isinstance(body, dict) else ""


async def _models(client: httpx.AsyncClient, engine: Engine) -> list[str]:
    try:
        async with asyncio.timeout(LOOK_S):
            reply = await client.get(f"{engine.base_url}/v1/models", headers=engine.headers)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
        raise SuiteError(
            f"VLLM_BACKEND_URL: no engine answers at {engine.base_url} ({error or type(error).__name__}). Start one there, or "
            "leave the variable out and the suite starts vLLM with its tiny model."
        ) from error
    body = parse(reply.content)
    listed = body.get("data") if isinstance(body, dict) else None
    rows = listed if isinstance(listed, list) else []
    names = [str(one["id"]) for one in rows if isinstance(one, dict) and "id" in one]
    if reply.status_code != 200:
        raise SuiteError(refusal(reply, engine))
    if not names:
        raise SuiteError(
            f"{engine.base_url}/v1/models lists no model ({reply.text[:100]!r}). Is this an engine of the OpenAI API?"
        )
    return names


async def _lacks(client: httpx.AsyncClient, engine: Engine) -> dict[str, str]:
    """Whether the engine calls tools: it may have been started without a parser for them."""
    body = {**_HELLO, "model": engine.model, "max_tokens": 1, "tools": [_TOOL], "tool_choice": "auto"}
    reply = await ask(client, engine, body)
    if reply.status_code == 200:
        return {}
    if reply.status_code not in (400, 404, 422, 501):
        raise EngineError(refusal(reply, engine))
    why = "the engine does not call tools (vLLM: --enable-auto-tool-choice --tool-call-parser NAME)"
    return {"tools": why, "tool_calls": why, "calculator": why, "part_of_calculator": why}
