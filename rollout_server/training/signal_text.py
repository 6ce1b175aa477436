"""The endpoints of the dialect `signal` around text: tokens, the chat template, and sampling as a stream."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from rollout_conformance.contracts.training import wire_signal as wire
from rollout_conformance.rollout_server.common import json_text, sse
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.training import adapter, errors, tensors
from rollout_conformance.rollout_server.training.app_state import AppState
from rollout_conformance.rollout_server.training.base_model import MAX_CONTEXT, VOCABULARY, WIDTH
from rollout_conformance.rollout_server.training.database import Row
from rollout_conformance.rollout_server.training.model_store import about_of
from rollout_conformance.rollout_server.training.request_input import bearer_caller, read_json, state_of, validate
from rollout_conformance.rollout_server.training.signal_endpoints import finished_result, own_run, submit_body


def found(request: Request) -> tuple[AppState, Row]:
    """Raises `UserError` 401, 404."""
    app_state, caller = state_of(request), bearer_caller(request)
    return app_state, own_run(app_state, caller.user, request)


class Tokenize(HTTPEndpoint):
    """The tokenizer adds no special tokens, with `add_special_tokens` and without."""

    async def post(self, request: Request) -> Response:
        app_state, _ = found(request)
        given = validate(await read_json(request), wire.Tokenize)
        texts = [given.text] if isinstance(given.text, str) else given.text
        ids = [app_state.codec.encode(text) for text in texts]
        tokens = [[app_state.codec.token(one) for one in row] for row in ids]
        return json_response({"token_ids": ids, "tokens": tokens})


class Detokenize(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        app_state, _ = found(request)
        given = validate(await read_json(request), wire.Detokenize)
        rows = [row for row in given.token_ids if isinstance(row, list)]
        flat = [one for one in given.token_ids if isinstance(one, int)]
        for row in [*rows, flat]:
            if row:
                tensors.token_ids(row, "token_ids")
        texts = [app_state.codec.decode(row) for row in rows]
        return json_response({"text": texts if rows else app_state.codec.decode(flat)})


class TokenizerInfo(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, _ = found(request)
        return json_response({"vocab_size": VOCABULARY, "eos_token_id": app_state.codec.end})


class ModelInfo(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        _, row = found(request)
        shape = adapter.Shape(int(about_of(row)["config"]["lora_r"]))
        sizes = {"parameters": 2 * VOCABULARY * WIDTH + shape.size, "trainable_parameters": shape.size}
        return json_response({"architecture": "softmax", "max_context_length": MAX_CONTEXT, **sizes})


class ChatTemplate(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        app_state, _ = found(request)
        given = validate(await read_json(request), wire.ChatTemplate)
        messages = [message.model_dump() for message in given.messages]
        text = app_state.codec.render(messages, generation=given.add_generation_prompt)
        return json_response({"text": text, "token_ids": app_state.codec.encode(text)})


class SampleStream(HTTPEndpoint):
    """Errors are responses: the stream begins when its tokens are there, and each chunk has one of them."""

    async def post(self, request: Request) -> Response:
        app_state, row = found(request)
        given = validate(await read_json(request), wire.SampleStream)
        options = given.model_dump(exclude={"prompt"})
        body = {**options, "prompts": [given.prompt], "return_logprobs": True}
        request_id = submit_body(app_state, row["user"], row, "sample", body)
        done = await finished_result(app_state, row["user"], request_id)
        if done["code"] != 200:
            raise errors.UserError(done["code"], json_text.loads(bytes(done["result"]))["error"])
        return StreamingResponse(chunks(json_text.loads(bytes(done["result"]))), media_type=sse.MEDIA_TYPE)


async def chunks(result: dict[str, Any]) -> AsyncIterator[bytes]:
    ids, tokens, logprobs = (result[name][0] for name in ("token_ids", "tokens", "logprobs"))
    for n, (token_id, token, logprob) in enumerate(zip(ids, tokens, logprobs, strict=True)):
        chunk = {"token": token, "token_id": token_id, "logprob": logprob, "is_finished": n == len(ids) - 1}
        yield b"data: " + json_text.dumps(chunk) + b"\n\n"
