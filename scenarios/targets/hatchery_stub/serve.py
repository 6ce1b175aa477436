"""Hatchery's gateway with its scripted worker, as `python -m hatchery.core.local_dev` starts them, on 127.0.0.1 and without its limit of 100
models. That worker has no model: its losses and logprobs are made up. Usage: python serve.py PORT
"""

import asyncio
import sys

import uvicorn
from hatchery.core.backends.auth.api_key import APIKeyAuthProvider
from hatchery.core.backends.compute.local import LocalComputeBackend
from hatchery.core.backends.metadata.memory import InMemoryMetadataStore
from hatchery.core.backends.metrics.log import LogMetrics
from hatchery.core.backends.object_store.memory import InMemoryObjectStore
from hatchery.core.backends.queue.memory import InMemoryJobQueue
from hatchery.core.config import Config
from hatchery.core.gateway import create_app, set_config
from hatchery.core.stub_worker import StubTrainer, StubWorker

KEYS = {"hatchery-key-one": "one", "hatchery-key-two": "two"}


def configured() -> Config:
    auth = APIKeyAuthProvider()
    for key, user in KEYS.items():
        auth.add_key(key, user_id=user, tier="enterprise", max_concurrent_sessions=100_000, max_rank=256)
    return Config(
        auth=auth,
        metadata=InMemoryMetadataStore(),
        objects=InMemoryObjectStore(),
        queue=InMemoryJobQueue(),
        compute=LocalComputeBackend(),
        metrics=LogMetrics(),
    )


async def serve(port: int) -> None:
    config = configured()
    set_config(config)
    app = create_app(config=config)
    await config.metadata.initialize()
    await config.queue.initialize()
    StubWorker("scripted", config, StubTrainer()).start()
    await uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")).serve()


asyncio.run(serve(int(sys.argv[1])))
