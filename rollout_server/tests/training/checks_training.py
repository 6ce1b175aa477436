"""Checks of training arithmetic, order and repetition over the wire of `tinker-json`: what a test and a mutant's trial both run.

Their names begin with the number of the requirement of the dossier that they follow.
"""

import asyncio

import numpy as np

from rollout_conformance.rollout_server.tests.training.support import (
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

TARGETS = [6, 7, 8]
ADVANTAGES = [1.0, -2.0, 0.5]


async def pair(c: Client) -> tuple[Model, Model]:
    return await c.model(), await c.model()


async def check_01_accumulation(c: Client, _: Client) -> None:
    one, two = await pair(c)
    only_b = await c.model()
    for data in (A, B):
        await one.backward(data)
    await two.backward(A, B)
    await only_b.backward(B)
    for model in (one, two, only_b):
        await model.step()
    together = await two.logprobs(A, B)
    assert near(await one.logprobs(A, B), together)
    assert differ(await only_b.logprobs(A, B), together)


async def check_01_equal_batches_are_two(c: Client, _: Client) -> None:
    one, two, single = await c.model(), await c.model(), await c.model()
    await one.backward(datum([5, 6, 7, 8], weights=[2.0, 2.0, 1.0]))
    for model in (two, two, single):
        await model.backward(A)
    for model in (one, two, single):
        await model.step(eps=1.0)
    twice = await one.logprobs(A)
    assert near(await two.logprobs(A), twice)
    assert differ(await single.logprobs(A), twice)


async def check_45_every_token_has_a_gradient(c: Client, _: Client) -> None:
    long, many = [*[1, 2, 3] * 60, 5, 6], [datum([1, 2, 3], weights=[0.0, 0.0])] * 95
    for data in ([datum(long, weights=[*[0.0] * (len(long) - 2), 1.0])], [*many, A]):
        model = await c.model()
        before = await model.logprobs(A, B)
        await model.backward(*data)
        await model.step()
        assert differ(await model.logprobs(A, B), before)


async def check_02_zero_gradients_keep_earlier_ones(c: Client, _: Client) -> None:
    one, two = await pair(c)
    await one.backward(A)
    await two.backward(A)
    await two.backward(datum([1, 2, 3], weights=[0.0, 0.0]))
    for model in (one, two):
        await model.step()
    assert near(await one.logprobs(A), await two.logprobs(A))


async def check_03_order_by_number(c: Client, _: Client) -> None:
    one, two = await pair(c)
    await one.backward(A)
    await one.step()
    await one.backward(B)
    await one.step()
    bodies = [
        ("forward_backward", {"forward_backward_input": batch(A)}),
        ("optim_step", {"adam_params": {"learning_rate": 0.1}}),
        ("forward_backward", {"forward_backward_input": batch(B)}),
        ("optim_step", {"adam_params": {"learning_rate": 0.1}}),
    ]
    posted = [await two.post(kind, seq_id=n, **body) for n, (kind, body) in reversed(list(enumerate(bodies, 1)))]
    results = [await c.finish(one) for one in posted]
    assert not any("error" in one for one in results), results
    two.seq = 4
    assert near(await one.logprobs(A, B), await two.logprobs(A, B))


async def check_03_a_hole_ends(c: Client, _: Client) -> None:
    model = await c.model()
    await model.backward(A)
    model.seq = 4
    assert (await model.step())["metrics"]
    late = await model.post("optim_step", seq_id=3, adam_params={"learning_rate": 0.1})
    assert late.status_code == 400


async def check_04_a_repetition_has_one_effect(c: Client, _: Client) -> None:
    one, two = await pair(c)
    for model in (one, two):
        await model.backward(A)
    first, second = [await two.post("optim_step", seq_id=2, adam_params={"learning_rate": 0.1}) for _ in range(2)]
    assert first.json()["request_id"] == second.json()["request_id"]
    await c.finish(second)
    two.seq = 2
    await one.step()
    assert near(await one.logprobs(A), await two.logprobs(A))
    again = await two.post("optim_step", seq_id=2, adam_params={"learning_rate": 0.1})
    assert again.json()["request_id"] == first.json()["request_id"]


async def check_04_a_repeated_gradient_counts_once(c: Client, _: Client) -> None:
    model = await c.model()
    body = {"forward_backward_input": batch(A)}
    same = await asyncio.gather(*(model.post("forward_backward", seq_id=1, **body) for _ in range(3)))
    assert len({one.json()["request_id"] for one in same}) == 1
    model.seq = 1
    once = await c.model()
    await once.backward(A)
    metrics = [(await one.step())["metrics"]["grad_norm:max"] for one in (once, model)]
    assert near(*metrics)


async def check_05_another_request_under_a_number(c: Client, _: Client) -> None:
    model = await c.model()
    await model.backward(A)
    await model.step()
    before = await model.logprobs(A)
    other = await model.post("optim_step", seq_id=2, adam_params={"learning_rate": 0.5})
    assert other.status_code == 409
    assert near(before, await model.logprobs(A), 0)


async def check_06_no_rate_no_change(c: Client, _: Client) -> None:
    model = await c.model()
    before = await model.logprobs(A)
    await model.backward(A)
    await model.step(0.0)
    assert before == await model.logprobs(A)


async def check_07_a_step_uses_the_gradients_up(c: Client, _: Client) -> None:
    model = await c.model()
    assert (await model.step())["category"] == "user"
    await model.backward(A)
    await model.step()
    assert (await model.step())["category"] == "user"
    path = (await model.save("after-one-step"))["path"]
    loaded = await c.model()
    await loaded.load(path, optimizer=True)
    for each in (model, loaded):
        await each.backward(B)
    norms = [(await each.step())["metrics"]["grad_norm:max"] for each in (model, loaded)]
    assert near(*norms)


async def check_08_forward_changes_nothing(c: Client, _: Client) -> None:
    model = await c.model()
    await model.forward(A)
    assert "error" in await model.step()
    one, two = await pair(c)
    await one.backward(A)
    await two.backward(A)
    await two.forward(B)
    for each in (one, two):
        await each.step()
    assert await one.logprobs(A) == await two.logprobs(A)


async def check_09_loss_is_the_weighted_sum(c: Client, _: Client) -> None:
    model = await c.model()
    result = await model.forward(A, B)
    expected = -sum(
        w * lp
        for one, given in zip(result["loss_fn_outputs"], (A, B), strict=True)
        for w, lp in zip(given["loss_fn_inputs"]["weights"]["data"], one["logprobs"]["data"], strict=True)
    )
    assert near(result["metrics"]["loss:sum"], expected, 1e-4)
    assert result["loss_fn_output_type"]


async def policy(model: Model, loss: str, old: list[float], **config: float) -> float:
    data = datum([5, 6, 7, 8], logprobs=old, advantages=ADVANTAGES)
    return float((await model.forward(data, loss=loss, **config))["metrics"]["loss:sum"])


async def check_10_on_policy_ratio_is_one(c: Client, _: Client) -> None:
    model = await c.model()
    lp = await model.logprobs(A)
    assert near(await policy(model, "importance_sampling", lp), -sum(ADVANTAGES))


async def check_11_ppo_table(c: Client, _: Client) -> None:
    model = await c.model()
    lp = await model.logprobs(A)
    for ratio in (0.5, 0.8, 1.0, 1.2, 2.0):
        old = [value - np.log(ratio) for value in lp]
        clipped = min(max(ratio, 0.8), 1.2)
        value = await policy(model, "ppo", old, clip_low_threshold=0.8, clip_high_threshold=1.2)
        assert near(value, -sum(min(ratio * a, clipped * a) for a in ADVANTAGES), 1e-4), ratio
        value = await policy(model, "cispo", old, clip_low_threshold=0.8, clip_high_threshold=1.2)
        assert near(value, -sum(clipped * a * p for a, p in zip(ADVANTAGES, lp, strict=True)), 1e-4), ratio
        value = await policy(model, "dro", old, beta=0.5)
        expected = -sum(a * p - 0.25 * np.log(ratio) ** 2 for a, p in zip(ADVANTAGES, lp, strict=True))
        assert near(value, expected, 1e-4), ratio


async def check_11_a_clipped_token_has_no_gradient(c: Client, _: Client) -> None:
    model = await c.model()
    lp = (await model.logprobs(A))[:1]
    data = datum([5, 6], logprobs=[lp[0] - np.log(2.0)], advantages=[1.0])
    await model.backward(data, loss="ppo", clip_low_threshold=0.8, clip_high_threshold=1.2)
    assert (await model.step())["metrics"]["grad_norm:max"] == 0


async def check_12_one_logprob_per_target(c: Client, _: Client) -> None:
    result = await (await c.model()).forward(A, B)
    lengths = [len(one["logprobs"]["data"]) for one in result["loss_fn_outputs"]]
    assert lengths == [3, 2]
    assert all(value <= 0 for one in result["loss_fn_outputs"] for value in one["logprobs"]["data"])


async def check_13_zero_weights_change_nothing(c: Client, _: Client) -> None:
    model = await c.model()
    before = await model.logprobs(A)
    result = await model.backward(datum([5, 6, 7, 8], weights=[0.0, 0.0, 0.0]))
    assert result["metrics"]["loss:sum"] == 0
    await model.step()
    assert before == await model.logprobs(A)


async def check_14_weights_scale_the_loss(c: Client, _: Client) -> None:
    model = await c.model()
    one = await model.forward(datum([5, 6, 7], weights=[1.0, 0.5]))
    two = await model.forward(datum([5, 6, 7], weights=[2.0, 1.0]))
    assert near(two["metrics"]["loss:sum"], 2 * one["metrics"]["loss:sum"])
    assert one["loss_fn_outputs"] == two["loss_fn_outputs"]


async def check_15_batch_mates_change_nothing(c: Client, _: Client) -> None:
    model = await c.model()
    long = datum(list(range(40)), weights=[1.0] * 39)
    together = await model.logprobs(A, long, B)
    assert together[:3] == await model.logprobs(A)
    assert together[-2:] == (await model.logprobs(B, A))[:2]


async def check_16_weights_of_each_datum(c: Client, _: Client) -> None:
    model = await c.model()
    bare = datum([9, 8, 7])
    result = await model.forward(A, bare)
    own = result["loss_fn_outputs"][1]["logprobs"]["data"]
    alone = await model.forward(A)
    assert near(result["metrics"]["loss:sum"], alone["metrics"]["loss:sum"] - sum(own), 1e-4)


async def check_17_loss_falls(c: Client, _: Client) -> None:
    model = await c.model()
    losses = []
    for _n in range(4):
        losses.append((await model.backward(A))["metrics"]["loss:sum"])
        await model.step(0.02)
    assert losses == sorted(losses, reverse=True)


async def check_31_names_of_metrics(c: Client, _: Client) -> None:
    model = await c.model()
    results = [await model.forward(A), await model.backward(A), await model.step()]
    assert all(name.count(":") == 1 for one in results for name in one["metrics"])


async def check_34_supplied_logprobs_enter(c: Client, _: Client) -> None:
    model = await c.model()
    lp = await model.logprobs(A)
    one = await policy(model, "importance_sampling", lp)
    half = await policy(model, "importance_sampling", [value + np.log(2.0) for value in lp])
    assert near(half, one / 2)


async def check_35_bounds_as_tensors(c: Client, _: Client) -> None:
    model = await c.model()
    lp = await model.logprobs(A)
    old = [value - np.log(2.0) for value in lp]
    bounds = {"clip_low_threshold": [0.5] * 3, "clip_high_threshold": [1.5] * 3}
    data = datum([5, 6, 7, 8], logprobs=old, advantages=ADVANTAGES, **bounds)
    value = (await model.forward(data, loss="ppo"))["metrics"]["loss:sum"]
    assert near(value, -sum(min(2 * a, 1.5 * a) for a in ADVANTAGES), 1e-4)


async def check_35_two_dimensions_and_sparse(c: Client, _: Client) -> None:
    model = await c.model()
    dense = datum([5, 6, 7])
    dense["loss_fn_inputs"] = {
        "target_tokens": tensor([[6, 9], [7, 0]], "int64"),
        "weights": tensor([[0.25, 0.75], [1.0, 0.0]]),
    }
    sparse = {"data": [0.25, 0.75, 1.0], "dtype": "float32", "shape": [2, 2]}
    sparse |= {"sparse_crow_indices": [0, 2, 3], "sparse_col_indices": [0, 1, 0]}
    other = {**dense, "loss_fn_inputs": {**dense["loss_fn_inputs"], "weights": sparse}}
    one, two = await model.forward(dense), await model.forward(other)
    assert one == two
    lp = one["loss_fn_outputs"][0]["logprobs"]
    assert lp["shape"] == [2, 2]
    assert near(one["metrics"]["loss:sum"], -(0.25 * lp["data"][0] + 0.75 * lp["data"][1] + lp["data"][2]), 1e-4)


async def check_36_sessions_end(c: Client, _: Client) -> None:
    model = await c.model()
    beat = {"session_id": model.session}
    assert (await c.post(API + "session_heartbeat", json=beat)).status_code == 200
    assert (await c.post(f"{API}sessions/{model.session}/finish")).status_code == 200
    assert (await c.post(API + "session_heartbeat", json=beat)).status_code == 410
    assert (await model.post("forward", forward_input=batch(A))).status_code == 410


async def check_38_seeds(c: Client, _: Client) -> None:
    models = [await c.model(seed) for seed in (3, 3, 4)]
    start = [await model.logprobs(A) for model in models]
    assert start[0] == start[1] == start[2]
    for model in models:
        await model.backward(A)
        await model.step()
    after = [await model.logprobs(A) for model in models]
    assert after[0] == after[1]
    assert differ(after[0], after[2], 1e-4)


async def check_00_create_model_once(c: Client, _: Client) -> None:
    session = await c.session()
    body = {"session_id": session, "model_seq_id": 0, "base_model": BASE, "lora_config": {"rank": 4, "seed": 1}}
    made = [await c.ok("create_model", **body) for _n in range(2)]
    assert made[0]["request_id"] == made[1]["request_id"]
    other = {**body, "lora_config": {"rank": 8, "seed": 1}}
    assert (await c.post(API + "create_model", json=other)).status_code == 409


async def check_00_adam_formula(c: Client, _: Client) -> None:
    """Decay alone: the adapter shrinks, by the product of both factors."""
    model = await c.model()
    for _n in range(2):
        await model.backward(A)
        await model.step(0.05)
    before = await model.logprobs(A)
    base = await (await c.model()).logprobs(A)
    await model.backward(datum([5, 6, 7, 8], weights=[0.0, 0.0, 0.0]))
    await model.step(0.5, weight_decay=2.0, beta1=0.0, beta2=0.0, eps=1.0)
    assert near(await model.logprobs(A), base)
    assert differ(before, base)


async def check_00_clipping_is_by_the_whole_norm(c: Client, _: Client) -> None:
    """With a large eps a step is proportional to its gradient."""
    moves = []
    for clip in (0.0, 0.25):
        model = await c.model()
        start = await model.logprobs(A)
        norm = (
            await model.backward(A),
            (await model.step(1.0, eps=1e4, grad_clip_norm=clip))["metrics"]["grad_norm:max"],
        )
        moves.append((np.asarray(await model.logprobs(A)) - start, norm[1]))
    (free, norm), (clipped, _norm) = moves
    assert norm > 0.25
    assert near(clipped, free * 0.25 / norm, 2e-6)
    assert differ(clipped, free, 2e-5)
