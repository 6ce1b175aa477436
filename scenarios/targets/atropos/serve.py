"""The managed proxy of Atropos in front of the reference worker with the tiny model: `serve.py PYTHON_OF_THE_SUITE PORT`.

A session has to be created before its agent generates; here that is done with its first request. `GET /rollouts/{name}` is the record of
the suite, made of the sequences of the session.
"""

import sys
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from atroposlib.envs.server_handling.managed_server_proxy import create_app
from atroposlib.envs.server_handling.server_baseline import APIServerConfig
from atroposlib.envs.server_handling.server_manager import ServerManager
from fastapi import Request
from fastapi.responses import JSONResponse
from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import sequences
from behind import engine

TOKENIZER = str(Path(__file__).resolve().parents[2] / "tokenizer")
PROMPT = -100  # in `masked_tokens`: a token that was not sampled


class Created:
    """Creates the session of each name that is new, and replaces the name in the path by the id of its session."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.ids: dict[str, str] = {}
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://proxy")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name, _, rest = scope.get("path", "/")[1:].partition("/")
        if rest == "v1/chat/completions":
            scope = scope | {"path": f"/{await self.id_of(name)}/{rest}"}
        await self.app(scope, receive, send)

    async def id_of(self, name: str) -> str:
        if name not in self.ids:
            created = await self.client.post("/sessions/create", json={"tool_parser": "hermes"})
            self.ids.setdefault(name, created.json()["uuid"])
        return self.ids[name]


def branch(node: dict[str, Any]) -> dict[str, Any]:
    mask = [int(id != PROMPT) for id in node["masked_tokens"]]
    return sequences.branch(node["tokens"], mask, node["logprobs"])


suite_python, port = sys.argv[1:]
config = APIServerConfig(
    model_name="tiny",
    base_url=f"{engine(suite_python, 'worker')}/v1",
    api_key="any",
    server_type="sglang",
    tokenizer_name=TOKENIZER,
    health_check=False,  # it asks /v1/completions, which the worker does not have
)
app = create_app(ServerManager(configs=[config]), AutoTokenizer.from_pretrained(TOKENIZER), "tiny")
created = Created(app)


@app.get("/rollouts/{name}")
async def get_rollout(name: str, request: Request) -> JSONResponse:
    if name not in created.ids:
        return JSONResponse({"detail": "not found"}, 404)
    answer = await created.client.get(f"/{created.ids[name]}/nodes")
    return JSONResponse(sequences.record(name, [branch(node) for node in answer.json()["nodes"]]))


uvicorn.run(created, host="127.0.0.1", port=int(port), log_level="warning")
