"""The interception server of verifiers, with rollouts that it starts by itself: `serve.py PYTHON_OF_THE_SUITE ROLLOUT_SERVER PORT`.

A rollout of verifiers runs a program with `OPENAI_BASE_URL` and a key of its own; here the program is a start request to the rollout server.
The engine behind is the reference inference server."""

import asyncio
import itertools
import logging
import os
import sys
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from behind import engine
from verifiers.v1.agent import AgentConfig
from verifiers.v1.clients import ModelContext
from verifiers.v1.configs.client import EvalClientConfig
from verifiers.v1.interception.server import InterceptionServer, InterceptionServerConfig
from verifiers.v1.interception.tunnel.custom import CustomTunnel, CustomTunnelConfig
from verifiers.v1.session import RolloutSession
from verifiers.v1.state import State
from verifiers.v1.task import TaskData
from verifiers.v1.trace import AgentInfo, Trace, TraceTask
from verifiers.v1.types import Sampling

SUITE_PYTHON, ROLLOUT_SERVER, PORT = sys.argv[1], sys.argv[2].rstrip("/"), int(sys.argv[3])
SAMPLING = {"temperature": 1.0, "max_tokens": 512}
WIDTH = 8
CustomTunnel.bind_host = "127.0.0.1"


def session(context: ModelContext, question: str) -> RolloutSession:
    data = TaskData(idx=0, prompt=question)
    trace: Trace = Trace(task=TraceTask(type="Task", data=data), agent=AgentInfo(config=AgentConfig()), state=State())
    return RolloutSession(ctx=context, trace=trace)


async def rollouts(server: InterceptionServer, context: ModelContext, client: httpx.AsyncClient) -> None:
    for n in itertools.count():
        messages: list[dict[str, Any]] = [{"role": "user", "content": f"Please calculate {n} plus 3."}]
        one = session(context, messages[0]["content"])
        async with server.acquire(one) as (base_url, secret, _):
            body = {
                "rollout_id": one.trace.id,
                "server_url": base_url,
                "messages": messages,
                "sampling_params": SAMPLING,
                "tokenizer_name": "toy",
                "callback_api_key": secret,
            }
            while True:
                try:
                    response = await client.post(f"{ROLLOUT_SERVER}/rollout", json=body)
                except httpx.HTTPError:
                    await asyncio.sleep(1)
                    continue
                if response.status_code != 429:
                    break
                await asyncio.sleep(float(response.headers.get("retry-after", 1)))


async def main() -> None:
    os.environ.setdefault("ENGINE_KEY", "any")
    extra = {"return_token_ids": True, "logprobs": True}
    client = EvalClientConfig(base_url=f"{engine(SUITE_PYTHON)}/v1", api_key_var="ENGINE_KEY")
    context = ModelContext(model="toy", client=client, sampling=Sampling.model_validate(extra))
    config = InterceptionServerConfig(tunnel=CustomTunnelConfig(url=f"http://127.0.0.1:{PORT}", port=PORT))
    server = InterceptionServer(config, requires_tunnel=True)
    async with server, httpx.AsyncClient(timeout=None) as http:
        await asyncio.gather(*(rollouts(server, context, http) for _ in range(WIDTH)))


logging.basicConfig(level=logging.WARNING)
asyncio.run(main())
