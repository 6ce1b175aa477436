"""One class for each path, so that a wrong method is answered with 405 and the allowed ones (RFC 9110, 15.5.6)."""

import time
import uuid
from typing import Any, TypeVar, cast

from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ValidationError
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.contracts.chat import wire as contract
from rollout_conformance.rollout_server.common import auth, request_parsing
from rollout_conformance.rollout_server.common.disconnect import CLIENT_CLOSED_REQUEST, until_disconnect
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.inference import (
    chat_completion,
    chat_prompt,
    chat_stream,
    errors,
    request_validation,
)
from rollout_conformance.rollout_server.inference.generation import EventStream
from rollout_conformance.rollout_server.inference.service import InferenceServer
from rollout_conformance.rollout_server.inference.settings import Settings
from rollout_conformance.rollout_server.inference.wire import ChatRequest, TokenizeRequest

Model = TypeVar("Model", bound=BaseModel)


def server_of(request: Request) -> InferenceServer:
    return cast(InferenceServer, request.app.state.server)


class Health(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response()


class Version(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response({"version": "0.0.0-toy"})


class Metrics(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response(server_of(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)


class Models(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        check_key(request)
        return json_response(models(server_of(request).settings))


def models(settings: Settings) -> dict[str, Any]:
    model = {"id": settings.model, "object": "model", "created": int(time.time()), "owned_by": "vllm"}
    more = {"root": settings.model, "parent": None, "max_model_len": settings.max_model_len}
    return {"object": "list", "data": [model | more]}


class Tokenize(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        server = server_of(request)
        body = parse_as(TokenizeRequest, await read(request))
        request_validation.check_model(body.model, server.settings)
        ids = chat_prompt.tokenize_ids(server.tokenizer, body)
        longest = server.settings.max_model_len
        return json_response({"count": len(ids), "max_model_len": longest, "tokens": ids, "token_strs": None})


class ChatCompletions(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        check_key(request)
        server = server_of(request)
        body = await read(request)
        context = server.context(parse_as(ChatRequest, body), response_id(request))
        parse_as(contract.ChatRequest, body)  # vLLM's own messages come first; the contract rejects some more
        generation = server.generate(context)
        if context.request.stream:
            return EventStream(generation, chat_stream.events(context, generation))
        try:
            finished = await until_disconnect(request.receive, generation.complete())
        finally:
            generation.end()
        if not finished:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        return json_response(chat_completion.body(context, generation.choices))


def response_id(request: Request) -> str:
    return f"chatcmpl-{request.headers.get('x-request-id') or uuid.uuid4().hex}"


async def read(request: Request) -> Any:
    """The body as JSON. Raises `ApiError` 400, or `RequestError`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise errors.malformed("Unsupported Media Type: Only 'application/json' is allowed")
    return request_parsing.parse(await request_parsing.read_body(request, server_of(request).settings.body_limit))


def parse_as(model: type[Model], body: Any) -> Model:
    """The body as one of the requests. Raises `ApiError` 400."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise errors.invalid(error) from error


def check_key(request: Request) -> None:
    key = server_of(request).settings.key
    if not auth.is_allowed(request, key.get_secret_value() if key else None):
        raise errors.unauthorized()
