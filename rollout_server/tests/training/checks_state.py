"""Checks of futures, tenants and bad input over the wire of `tinker-json`."""

import asyncio
from typing import Any

from rollout_conformance.rollout_server.tests.training.checks_checkpoints import trained
from rollout_conformance.rollout_server.tests.training.checks_sampling import sampler
from rollout_conformance.rollout_server.tests.training.support import (
    ALICE,
    API,
    BASE,
    A,
    B,
    Client,
    Model,
    batch,
    datum,
    differ,
    near,
    tensor,
)


async def check_27_futures_are_read_again(c: Client, _: Client) -> None:
    model = await c.model()
    request_id = (await model.post("forward_backward", forward_backward_input=batch(A))).json()["request_id"]
    one, two = [await c.retrieve(request_id) for _n in range(2)]
    assert one.status_code == 200
    assert one.content == two.content
    assert (await c.retrieve("no-such-id")).status_code == 404


async def check_27_a_pending_future_is_no_result(c: Client, _: Client) -> None:
    """Of a request that waits for an earlier number."""
    model = await c.model()
    posted = await model.post("forward", seq_id=3, forward_input=batch(A))
    first = await c.retrieve(posted.json()["request_id"])
    assert first.status_code == 200
    assert first.json()["loss_fn_outputs"]


async def foreign(c: Client, model: Model, path: str, request_id: str, session: str) -> list[Any]:
    """Each route with the ids of another tenant."""
    own = await c.model()
    data, chunks = batch(A), {"chunks": [{"type": "encoded_text", "tokens": [5]}]}
    there = {"model_id": model.id, "seq_id": 99}
    bodies = [
        ("forward", {**there, "forward_input": data}),
        ("forward_backward", {**there, "forward_backward_input": data}),
        ("optim_step", {**there, "adam_params": {"learning_rate": 0.5}}),
        ("save_weights", {**there, "path": "x"}),
        ("save_weights_for_sampler", {**there, "path": "x"}),
        ("load_weights", {**there, "path": path, "optimizer": False}),
        ("load_weights", {"model_id": own.id, "seq_id": 1, "path": path, "optimizer": False}),
        ("unload_model", {"model_id": model.id}),
        ("get_info", {"model_id": model.id}),
        ("weights_info", {"tinker_path": path}),
        ("retrieve_future", {"request_id": request_id}),
        ("session_heartbeat", {"session_id": model.session}),
        ("create_model", {"session_id": model.session, "model_seq_id": 7, "base_model": BASE}),
        ("create_sampling_session", {"session_id": model.session, "sampling_session_seq_id": 7, "base_model": BASE}),
        ("create_sampling_session", {"session_id": own.session, "sampling_session_seq_id": 7, "model_path": path}),
        ("asample", {"prompt": chunks, "sampling_params": {"max_tokens": 1}, "model_path": path}),
        (
            "asample",
            {"prompt": chunks, "sampling_params": {"max_tokens": 1}, "sampling_session_id": session, "seq_id": 8},
        ),
        (f"sessions/{model.session}/finish", {}),
    ]
    responses = [await c.post(API + route, json=body) for route, body in bodies]
    gets = (
        f"training_runs/{model.id}",
        f"training_runs/{model.id}/checkpoints",
        f"sessions/{model.session}",
        f"samplers/{session}",
    )
    responses += [await c.get(API + route) for route in gets]
    return [*responses, await c.delete(f"{API}training_runs/{model.id}/checkpoints/weights/one")]


async def check_28_another_tenants_ids(c: Client, other: Client) -> None:
    model = await trained(c)
    path = (await model.save("one"))["path"]
    posted = await model.post("forward_backward", forward_backward_input=batch(A))
    session = await sampler(model, 0)
    before = await model.logprobs(A)
    for response in await foreign(other, model, path, posted.json()["request_id"], session):
        assert response.status_code in (403, 404), (response.request.url, response.text)
        assert "loss" not in response.text
        assert "alice" not in response.text
    assert await model.logprobs(A) == before
    assert (await c.post(API + "weights_info", json={"tinker_path": path})).status_code == 200


async def check_28_listings_are_ones_own(c: Client, other: Client) -> None:
    model = await trained(c)
    await model.save("one")
    for route in ("training_runs", "sessions", "checkpoints"):
        assert model.id not in (await other.get(API + route)).text
        assert model.session not in (await other.get(API + route)).text
    assert model.id in (await c.get(API + "training_runs")).text


async def check_28_no_key_no_answer(c: Client, _: Client) -> None:
    model = await c.model()
    for headers in ({"X-API-Key": ""}, {"X-API-Key": "tml-unknown-key"}, {"X-API-Key": ALICE + "x"}):
        response = await c.post(API + "get_info", json={"model_id": model.id}, headers=headers)
        assert response.status_code == 401
    assert ALICE not in (await c.get("/metrics")).text


async def check_29_interleaved_tenants(c: Client, other: Client) -> None:
    async def loop(client: Client, *data: dict[str, Any]) -> list[float]:
        model = await client.model()
        for each in data:
            await model.backward(each)
            await model.step()
        return await model.logprobs(A, B)

    alone = [await loop(c, A, B), await loop(other, B, A)]
    together = await asyncio.gather(loop(c, A, B), loop(other, B, A))
    assert list(together) == alone
    assert differ(alone[0], alone[1])


async def check_30_a_new_model_is_the_base_model(c: Client, _: Client) -> None:
    first = await c.model()
    base = await first.logprobs(A)
    await first.backward(A)
    await first.step()
    assert "model_id" in await c.finish(await c.post(API + "unload_model", json={"model_id": first.id}))
    second = await c.model(session=first.session, number=1)
    assert await second.logprobs(A) == base
    assert (await first.post("forward", forward_input=batch(A))).status_code in (200, 404, 410)


BAD: list[tuple[str, dict[str, Any]]] = [
    ("unknown loss", batch(A, loss="nonsense")),
    ("no data", {"data": [], "loss_fn": "cross_entropy"}),
    ("no targets", {"data": [{**A, "loss_fn_inputs": {}}], "loss_fn": "cross_entropy"}),
    ("no advantages", batch(datum([5, 6], logprobs=[-1.0]), loss="ppo")),
    ("ragged", batch(datum([5, 6, 7], weights=[1.0]))),
    ("targets shorter", batch({**datum([5, 6, 7]), "loss_fn_inputs": {"target_tokens": tensor([6], "int64")}})),
    ("token beyond", batch(datum([5, 5000]))),
    ("negative token", batch(datum([-1, 5]))),
    ("token is text", batch({**A, "model_input": {"chunks": [{"type": "encoded_text", "tokens": ["5"]}]}})),
    ("no tokens", batch({**A, "model_input": {"chunks": []}})),
    ("targets are floats", batch({**datum([5, 6]), "loss_fn_inputs": {"target_tokens": tensor([6.0])}})),
    ("shape is wrong", batch({**datum([5, 6]), "loss_fn_inputs": {"target_tokens": {"data": [6], "dtype": "int64", "shape": [3]}}})),
    ("shape is huge", batch({**datum([5, 6]), "loss_fn_inputs": {"target_tokens": {"data": [6], "dtype": "int64", "shape": [1, 2**40]}}})),
    ("shape is negative", batch({**datum([5, 6]), "loss_fn_inputs": {"target_tokens": {"data": [6], "dtype": "int64", "shape": [-1]}}})),
    ("bounds upside down", batch(datum([5, 6], logprobs=[-1.0], advantages=[1.0]), loss="ppo", clip_low_threshold=2.0, clip_high_threshold=1.0)),
    ("unknown option", batch(A, no_such_option=1.0)),
    ("option of another loss", batch(A, clip_low_threshold=0.5)),
    ("unknown tensor", batch(datum([5, 6], rewards=[1.0]))),
    ("unknown member", {**batch(A), "extra": 1}),
    ("image", batch({**A, "model_input": {"chunks": [{"type": "image", "data": "x", "format": "png"}]}})),
]  # fmt: skip


async def check_32_bad_input_is_the_users_fault(c: Client, _: Client) -> None:
    model, control = await c.model(), await c.model()
    for name, body in BAD:
        response = await model.post("forward_backward", forward_backward_input=body)
        assert 400 <= response.status_code < 500, (name, response.status_code)
        assert response.json()["category"] == "user", name
    await model.backward(A)
    await control.backward(A)
    assert (await model.step())["metrics"]["grad_norm:max"] == (await control.step())["metrics"]["grad_norm:max"]


async def check_32_not_finite(c: Client, _: Client) -> None:
    model = await c.model()
    for text in ("NaN", "Infinity", "-Infinity", "1e999"):
        raw = f'{{"model_id": "{model.id}", "seq_id": 1, "adam_params": {{"learning_rate": {text}}}}}'
        response = await c.post(API + "optim_step", content=raw.encode(), headers={"Content-Type": "application/json"})
        assert response.status_code in (400, 422), text
    data = datum([5, 6], logprobs=[-1e30], advantages=[1.0])
    assert (
        await model.backward(
            data,
            loss="importance_sampling",
        )
    )["category"] == "user"
    assert "error" in await model.step()
    assert near((await model.logprobs(A))[0], (await (await c.model()).logprobs(A))[0], 0)


async def check_32_ranks_and_rates(c: Client, _: Client) -> None:
    session = await c.session()
    for n, rank in enumerate((0, -1, 100_000, 2.5, "8", None)):
        body = {"session_id": session, "model_seq_id": n, "base_model": BASE, "lora_config": {"rank": rank}}
        assert (await c.post(API + "create_model", json=body)).status_code in (400, 422), rank
    model = await c.model(session=session, number=50)
    for params in (
        {"learning_rate": -0.1},
        {"beta1": 1.0},
        {"beta2": 1.5},
        {"eps": 0},
        {"weight_decay": -1},
        {"momentum": 1},
    ):
        assert (await model.post("optim_step", adam_params=params)).status_code in (400, 422), params
    body = {"session_id": session, "model_seq_id": 51, "base_model": "no/such", "lora_config": {"rank": 4}}
    assert (await c.post(API + "create_model", json=body)).status_code == 400


async def check_32_the_next_number_runs_at_once(c: Client, _: Client) -> None:
    """After a refused submit nothing waits for its number."""
    model = await c.model()
    refused = await model.post("forward_backward", forward_backward_input=batch(A, loss="nonsense"))
    assert refused.status_code == 400
    await model.backward(A)
    lane = "optim_step", {"adam_params": {"learning_rate": 0.1}}
    assert (await model.post(lane[0], seq_id=4, adam_params={"learning_rate": "x"})).status_code == 422
    model.seq = 2
    assert "metrics" in await model.step()


async def check_33_options_are_not_ignored(c: Client, _: Client) -> None:
    session = await c.session()
    options: tuple[dict[str, Any], ...] = (
        {"train_mlp": False}, {"train_unembed": False}, {"alpha": 16}, {"target_modules": ["q"]},
    )  # fmt: skip
    for n, option in enumerate(options):
        body = {"session_id": session, "model_seq_id": n, "base_model": BASE, "lora_config": {"rank": 4, **option}}
        assert (await c.post(API + "create_model", json=body)).status_code in (400, 422), option
    model = await c.model()
    token = {"path": "tinker://x/weights/y", "optimizer": False, "weights_access_token": "t"}
    assert (await model.post("load_weights", **token)).status_code in (400, 404)


async def check_37_compressed_bodies(c: Client, _: Client) -> None:
    import gzip

    raw = b'{"tags": []}'
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert (await c.post(API + "create_session", content=gzip.compress(raw), headers=headers)).status_code == 200
    bomb = gzip.compress(b"[" + b" " * (40 * 2**20) + b"]")
    assert (await c.post(API + "create_session", content=bomb, headers=headers)).status_code == 413
    assert (await c.post(API + "create_session", content=b"\x1f\x8b", headers=headers)).status_code == 400
    other = {**headers, "Content-Encoding": "br"}
    assert (await c.post(API + "create_session", content=raw, headers=other)).status_code == 415
