"""The rollout gateway of the RL toolkit of Amazon Bedrock AgentCore in front of the reference worker: `serve.py PYTHON_OF_THE_SUITE PORT`.

A session is created with its first request. `GET /rollouts/{key}` is the record of the suite, made of the trace records of the session.
"""

import copy
import hashlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from agentcore_rl_toolkit.rollout_gateway import (
    BaseTrace,
    HfTemplateRenderer,
    RolloutGateway,
    TraceRecord,
    response_schemas,
)
from agentcore_rl_toolkit.rollout_gateway.adapters.common import sid_from_bearer
from agentcore_rl_toolkit.rollout_gateway.sampling_backends.sglang_http import SglangHttpBackend
from aiohttp import web
from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import sequences
from behind import engine

CONTEXT = 4096  # of the tiny model
TOKENIZER = AutoTokenizer.from_pretrained(Path(__file__).resolve().parents[2] / "tokenizer")
# What it advises for a chat template that it does not know: its hash among the known ones. The tiny model writes calls as Qwen 3 does.
response_schemas._TEMPLATE_HASHES[hashlib.sha256(TOKENIZER.chat_template.encode()).hexdigest()] = "qwen3"


def branch(trace: TraceRecord) -> dict[str, object]:
    """The mask and the logprobs of a trace record begin behind its first prompt."""
    prompt = len(trace.token_ids) - len(trace.loss_mask)
    return sequences.branch(trace.token_ids, [0] * prompt + trace.loss_mask, [0.0] * prompt + trace.logprobs)


@web.middleware
async def created(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    name = sid_from_bearer(request)
    if name and request.method == "POST" and name not in gateway.adapters[0].store:
        gateway.create_session(name, max_context_tokens=CONTEXT)
    return await handler(request)


async def get_rollout(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if not gateway.manager.has_session(name):
        return web.json_response({"detail": "not found"}, status=404)
    traces = copy.deepcopy(gateway.manager).get_trajectory(name, base_sample=BaseTrace())  # which takes them out
    return web.json_response(sequences.record(name, [branch(trace) for trace in traces]))


suite_python, port = sys.argv[1:]
backend = SglangHttpBackend(engine(suite_python, "worker"))
gateway = RolloutGateway(backend=backend, renderer=HfTemplateRenderer(TOKENIZER), tokenizer=TOKENIZER)
gateway.app.middlewares.append(created)
gateway.app.router.add_get("/rollouts/{name}", get_rollout)
web.run_app(gateway.app, host="127.0.0.1", port=int(port), handler_cancellation=True, access_log=None, print=None)
