"""The server of Agent Lightning 1.0 with its proxy in front of the reference inference server: `serve.py PYTHON_OF_THE_SUITE PORT`.

A rollout has to be enqueued before its agent generates; here that is done with its first request.
"""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import uvicorn
from agentlightning.schemas import Model, RolloutCreate
from agentlightning.server.app import create_app
from agentlightning.server.routes.models import register_models
from agentlightning.server.routes.rollouts import enqueue_rollouts

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from behind import engine

ROLLOUT = re.compile(r"^/proxy/rollout/([^/]+)/")
PROXY = {"model_name": "toy", "train": {"temperature": 1.0}, "val": {"temperature": 0.7}}


class Enqueued:
    """Enqueues the rollout of each request that names one; one that is there already stays as it is."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        named = ROLLOUT.match(scope.get("path", ""))
        if named:
            await enqueue_rollouts([RolloutCreate(rollout_id=named[1], input={}, is_train=True)])
        await self.app(scope, receive, send)


suite_python, port = sys.argv[1:]
asyncio.run(register_models([Model(model="toy", endpoint=f"{engine(suite_python)}/v1")]))
app = create_app({"key": "key-of-the-agents", "default_proxy": PROXY})
uvicorn.run(Enqueued(app), host="127.0.0.1", port=int(port), log_level="warning")
