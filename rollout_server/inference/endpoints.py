"""The HTTP face of the engine: one class for each path, so that a wrong method is answered with every right one."""

import time
import uuid
from typing import Any, TypeVar, cast

from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ValidationError
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.contracts.chat import wire as law
from rollout_conformance.rollout_server.common import auth, json_text, request_parsing
from rollout_conformance.rollout_server.inference import (
    chat_completion,
    chat_prompt,
    chat_stream,
    errors,
    generation,
    request_validation,
)
from rollout_conformance.rollout_server.inference.generation import Streamed
from rollout_conformance.rollout_server.inference.service import Engine
from rollout_conformance.rollout_server.inference.settings import Settings
from rollout_conformance.rollout_server.inference.wire import ChatRequest, TokenizeRequest

Model = TypeVar("Model", bound=BaseModel)
GONE = 499  # nobody reads it


def json_response(value: Any, status: int = 200) -> Response:
    return Response(json_text.dumps(value), status, media_type="application/json")


def engine_of(request: Request) -> Engine:
    return cast(Engine, request.app.state.engine)


class Health(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response()


class Version(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response({"version": "0.0.0-toy"})


class Metrics(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response(engine_of(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)


class Models(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        check_key(request)
        return json_response(models(engine_of(request).settings))


def models(settings: Settings) -> dict[str, Any]:
    model = {"id": settings.model, "object": "model", "created": int(time.time()), "owned_by": "vllm"}
    more = {"root": settings.model, "parent": None, "max_model_len": settings.max_model_len}
    return {"object": "list", "data": [model | more]}


class Tokenize(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        engine = engine_of(request)
        asked = shaped(TokenizeRequest, await read(request))
        request_validation.check_model(asked.model, engine.settings)
        ids = chat_prompt.of_tokenize(engine.tokens, asked)
        longest = engine.settings.max_model_len
        return json_response({"count": len(ids), "max_model_len": longest, "tokens": ids, "token_strs": None})


class ChatCompletions(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        check_key(request)
        engine = engine_of(request)
        body = await read(request)
        told = engine.told(shaped(ChatRequest, body), answer_id(request))
        shaped(law.ChatRequest, body)  # the sentences of vLLM come first; what they let pass, the contract may refuse
        run = engine.run(told)
        if told.request.stream:
            return Streamed(run, chat_stream.events(told, run))
        try:
            stayed = await generation.unless_left(request, run.whole())
        finally:
            run.end()
        return json_response(chat_completion.body(told, run.choices)) if stayed else Response(status_code=GONE)


def answer_id(request: Request) -> str:
    return f"chatcmpl-{request.headers.get('x-request-id') or uuid.uuid4().hex}"


async def read(request: Request) -> Any:
    """The body as JSON. Raises `EngineError` 400, or a refusal."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise errors.malformed("Unsupported Media Type: Only 'application/json' is allowed")
    return request_parsing.parse(await request_parsing.read_body(request, engine_of(request).settings.body_limit))


def shaped(model: type[Model], body: Any) -> Model:
    """The body as one of the requests. Raises `EngineError` 400."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise errors.invalid(error) from error


def check_key(request: Request) -> None:
    key = engine_of(request).settings.key
    if not auth.is_allowed(request, key.get_secret_value() if key else None):
        raise errors.unauthorized()
