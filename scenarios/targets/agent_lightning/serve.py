"""The LLM proxy of Agent Lightning 0.3 in front of the reference inference server: `serve.py PYTHON_OF_THE_SUITE PORT`."""

import asyncio
import sys
from pathlib import Path

from agentlightning.llm_proxy import LLMProxy
from agentlightning.store.memory import InMemoryLightningStore

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from behind import engine


async def main(suite_python: str, port: str) -> None:
    deployment = {"model": "hosted_vllm/toy", "api_base": f"{engine(suite_python)}/v1", "api_key": "key-behind"}
    models = [{"model_name": "toy", "litellm_params": deployment}]
    store = InMemoryLightningStore()
    proxy = LLMProxy(port=int(port), host="127.0.0.1", model_list=models, store=store, launch_mode="asyncio")
    await proxy.start()
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
