"""A training server behind a socket, and clients of its two dialects."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from rollout_conformance.rollout_server.tests.rollout.support import DEADLINE_S
from rollout_conformance.rollout_server.tests.router.support import listening
from rollout_conformance.rollout_server.training.settings import KeySpec, Settings

ALICE, BOB = "tml-alice-000000", "tml-bob-00000000"
BASE = "reference/tiny-softmax"
API = "/api/v1/"
WAIT_S = 0.05  # for a number that is missing; a hole that a test makes costs this


def settings(**more: Any) -> Settings:
    keys = (KeySpec(key=ALICE, user="alice"), KeySpec(key=BOB, user="bob"))
    return Settings(**{"keys": keys, "log_level": "off", "order_wait_s": WAIT_S, "poll_s": 5, **more})


def tensor(values: Any, dtype: str = "float32") -> dict[str, Any]:
    array = np.asarray(values)
    return {"data": array.reshape(-1).tolist(), "dtype": dtype, "shape": list(array.shape)}


def datum(tokens: list[int], **inputs: Any) -> dict[str, Any]:
    """The last of `tokens` is a target only."""
    given = {name: tensor(values) for name, values in inputs.items()}
    return {
        "model_input": {"chunks": [{"type": "encoded_text", "tokens": tokens[:-1]}]},
        "loss_fn_inputs": {"target_tokens": tensor(tokens[1:], "int64"), **given},
    }


def batch(*data: dict[str, Any], loss: str = "cross_entropy", **config: float) -> dict[str, Any]:
    return {"data": list(data), "loss_fn": loss, **({"loss_fn_config": config} if config else {})}


A = datum([5, 6, 7, 8], weights=[1.0, 1.0, 0.5])
B = datum([100, 200, 300], weights=[1.0, 2.0])


class Model:
    """A model in training, with the counter of a client."""

    def __init__(self, client: "Client", model_id: str, session: str, seq: int = 0) -> None:
        self.client, self.id, self.session, self.seq = client, model_id, session, seq

    def next(self) -> int:
        self.seq += 1
        return self.seq

    async def post(self, kind: str, **body: Any) -> httpx.Response:
        """The response to the submit."""
        seq = body.pop("seq_id", None)
        return await self.client.post(
            API + kind, json={"model_id": self.id, "seq_id": self.next() if seq is None else seq, **body}
        )

    async def do(self, kind: str, **body: Any) -> Any:
        """The result."""
        return await self.client.finish(await self.post(kind, **body))

    async def forward(self, *data: dict[str, Any], **more: Any) -> Any:
        return await self.do("forward", forward_input=batch(*data, **more))

    async def backward(self, *data: dict[str, Any], **more: Any) -> Any:
        return await self.do("forward_backward", forward_backward_input=batch(*data, **more))

    async def step(self, lr: float = 0.1, **more: float) -> Any:
        return await self.do("optim_step", adam_params={"learning_rate": lr, **more})

    async def logprobs(self, *data: dict[str, Any]) -> list[float]:
        outputs = (await self.forward(*data))["loss_fn_outputs"]
        return [value for one in outputs for value in one["logprobs"]["data"]]

    async def save(self, name: str | None = None, **more: Any) -> Any:
        return await self.do("save_weights", **({"path": name} if name else {}), **more)

    async def load(self, path: str, optimizer: bool) -> Any:
        return await self.do("load_weights", path=path, optimizer=optimizer)


class Client(httpx.AsyncClient):
    sessions: dict[str, int]

    async def ok(self, path: str, **body: Any) -> Any:
        response = await self.post(API + path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    async def finish(self, submitted: httpx.Response) -> Any:
        assert submitted.status_code == 200, submitted.text
        return (await self.retrieve(submitted.json()["request_id"])).json()

    async def retrieve(self, request_id: str) -> httpx.Response:
        return await self.post(API + "retrieve_future", json={"request_id": request_id})

    async def session(self) -> str:
        made = await self.ok("create_session", tags=[], user_metadata={}, sdk_version="test")
        return str(made["session_id"])

    async def model(self, seed: int | None = 1, rank: int = 4, session: str | None = None, number: int = 0) -> Model:
        session = session or await self.session()
        lora = {"rank": rank, **({} if seed is None else {"seed": seed})}
        body = {"session_id": session, "model_seq_id": number, "base_model": BASE, "lora_config": lora}
        made = await self.finish(await self.post(API + "create_model", json=body))
        return Model(self, made["model_id"], session)

    async def sample(self, prompt: list[int], params: dict[str, Any], **more: Any) -> Any:
        chunks = {"chunks": [{"type": "encoded_text", "tokens": prompt}]}
        return await self.finish(
            await self.post(API + "asample", json={"prompt": chunks, "sampling_params": params, **more})
        )

    async def run(self, **config: Any) -> str:
        response = await self.post("/runs", json={"base_model": BASE, "lora_r": 4, **config})
        assert response.status_code == 200, response.text
        return str(response.json()["run_id"])

    async def call(self, run: str, verb: str, **body: Any) -> Any:
        response = await self.post(f"/runs/{run}/{verb}", json=body)
        assert response.status_code == 200, response.text
        return response.json()


def client(url: str, key: str | None = ALICE) -> Client:
    headers = {} if key is None else {"X-API-Key": key, "Authorization": f"Bearer {key}"}
    return Client(base_url=url, headers=headers, trust_env=False, timeout=DEADLINE_S)


@contextlib.asynccontextmanager
async def serving(**more: Any) -> AsyncIterator[str]:
    # The module is looked up here: a mutant replaces parts of it.
    from rollout_conformance.rollout_server.training import app

    async with listening(app.create_app(settings=settings(**more)), lifespan="on") as url:
        yield url


Check = Callable[[Client, Client], Coroutine[Any, Any, None]]


def play(check: Check, folder: Path | None = None, **more: Any) -> None:
    """The check with the clients of two tenants."""

    async def whole() -> None:
        async with asyncio.timeout(DEADLINE_S):
            async with serving(folder=folder, **more) as url, client(url) as alice, client(url, BOB) as bob:
                await check(alice, bob)

    asyncio.run(whole())


def near(a: Any, b: Any, tolerance: float = 1e-5) -> bool:
    return bool(np.allclose(a, b, rtol=0, atol=tolerance))


def differ(a: Any, b: Any, by: float = 1e-3) -> bool:
    return bool(np.abs(np.asarray(a) - np.asarray(b)).max() > by)
