"""Checks of the dialect `signal`: what is done with a run."""

import asyncio
import json
from typing import Any

import httpx

from rollout_conformance.rollout_server.tests.training.support import Client, near

ONE = [{"text": "Hello world, how are you?"}, {"text": "The capital of France is Paris."}]
TWO = [{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello there"}]}]


async def loss(c: Client, run: str, data: list[dict[str, Any]]) -> float:
    return float((await c.call(run, "forward_backward", batch_data=data))["loss"])


async def check_22_schedules(c: Client, _: Client) -> None:
    run = await c.run(lr_scheduler="linear", warmup_steps=3, learning_rate=0.4)
    rates = []
    for _n in range(4):
        await loss(c, run, ONE)
        rates.append((await c.call(run, "optim_step"))["learning_rate"])
    assert near(rates[:4], [0.1, 0.2, 0.3, 0.4], 1e-3)


async def check_33_the_loop(c: Client, _: Client) -> None:
    run = await c.run(learning_rate=0.05)
    losses = []
    for step in range(1, 4):
        result = await c.call(run, "forward_backward", batch_data=ONE)
        losses.append(result["loss"])
        assert result["step"] == step - 1
        assert result["grad_norm"] > 0
        stepped = await c.call(run, "optim_step")
        assert (stepped["step"], stepped["learning_rate"]) == (step, 0.05)
    assert losses == sorted(losses, reverse=True)
    assert (await c.get(f"/runs/{run}/status")).json()["current_step"] == 3
    metrics = (await c.get(f"/runs/{run}/metrics")).json()["metrics"]
    assert [one["step"] for one in metrics] == [0, 1, 1, 2, 2, 3]


async def check_37_an_override_is_for_one_step(c: Client, _: Client) -> None:
    run = await c.run(learning_rate=0.05)
    rates = []
    for body in ({}, {"learning_rate": 0.2}, {}):
        await loss(c, run, ONE)
        rates.append((await c.call(run, "optim_step", **body))["learning_rate"])
    assert rates == [0.05, 0.2, 0.05]
    for bad in (0, -1, 1.5):
        assert (await c.post(f"/runs/{run}/optim_step", json={"learning_rate": bad})).status_code == 422


async def check_38_missing_gradients(c: Client, _: Client) -> None:
    run = await c.run()
    response = await c.post(f"/runs/{run}/optim_step", json={})
    assert response.status_code == 400
    assert "gradients" in response.text
    await loss(c, run, ONE)
    await c.call(run, "optim_step")
    assert (await c.post(f"/runs/{run}/optim_step", json={})).status_code == 400
    assert (await c.get(f"/runs/{run}/status")).json()["current_step"] == 1


async def norm(c: Client, run: str) -> float:
    return float((await c.call(run, "optim_step"))["metrics"]["grad_norm"])


async def check_39_accumulation_is_concatenation(c: Client, _: Client) -> None:
    """The gradient of B is the same for every new adapter up to its random A, so norms are compared within one run."""
    run = await c.run(learning_rate=1e-9, weight_decay=0)
    await loss(c, run, ONE + TWO)
    both = await norm(c, run)
    await loss(c, run, ONE)
    await c.call(run, "forward_backward", batch_data=TWO, accumulate=True)
    assert near(await norm(c, run), both)
    await loss(c, run, TWO)
    assert not near(await norm(c, run), both, 1e-3)


async def check_40_without_accumulate_gradients_are_replaced(c: Client, _: Client) -> None:
    run = await c.run(learning_rate=1e-9, weight_decay=0)
    await loss(c, run, TWO)
    alone = await norm(c, run)
    await loss(c, run, ONE)
    await loss(c, run, TWO)
    assert near(await norm(c, run), alone)


BAD_BATCHES: list[Any] = [
    [],
    [{"text": "x y z"}] * 129,
    [{}],
    [{"text": "a b", "messages": [{"role": "user", "content": "x"}]}],
    [{"prompt": "p", "responses": ["a", "b"], "rewards": [1.0]}],
    [{"prompt": "p", "responses": ["a"] * 17, "rewards": [1.0] * 17}],
    [{"text": "x" * 32_769}],
    [{"text": "   "}],
    [{"text": ""}],
    [{"messages": [{"role": "robot", "content": "x"}]}],
    [{"messages": [{"role": "user"}]}],
    [{"messages": [{"role": "user", "content": "x"}] * 51}],
    "text",
]


async def check_41_bad_batches(c: Client, _: Client) -> None:
    run = await c.run()
    for body in BAD_BATCHES:
        response = await c.post(f"/runs/{run}/forward_backward", json={"batch_data": body})
        assert response.status_code == 422, (str(body)[:80], response.text)
    long = await c.post(f"/runs/{run}/forward_backward", json={"batch_data": [{"text": "word " * 6553}]})
    assert long.status_code == 200
    assert long.json()["metrics"]["truncated_tokens"] > 0
    assert (
        await c.post(f"/runs/{run}/forward_backward", json={"batch_data": [{"text": "a b"}] * 128})
    ).status_code == 200


async def check_46_losses(c: Client, _: Client) -> None:
    run = await c.run()
    for name in ("nonsense", "reward_modeling"):
        response = await c.post(f"/runs/{run}/forward_backward", json={"batch_data": ONE, "loss_fn": name})
        assert response.status_code == 400, name
    pairs = [{"prompt": "Say hi", "chosen": "hello there", "rejected": "go away"}]
    dpo = await c.call(run, "forward_backward", batch_data=pairs, loss_fn="dpo")
    assert near(dpo["loss"], 0.6931471805599453, 1e-9)
    await c.call(run, "optim_step", learning_rate=0.01)
    assert (await c.call(run, "forward_backward", batch_data=pairs, loss_fn="dpo"))["loss"] < dpo["loss"]
    group = [{"prompt": "Say hi", "responses": ["hello there", "go away"], "rewards": [1.0, 0.0]}]
    assert (await c.call(run, "forward_backward", batch_data=group, loss_fn="grpo"))["grad_norm"] > 0
    text = [{"text": "a b c"}]
    length = int((await c.call(run, "forward_backward", batch_data=text))["metrics"]["tokens"])
    rows = {"old_log_probs": [[-30.0] * length], "advantages": [[1.0] * length]}
    one = await c.call(run, "forward_backward", batch_data=text, loss_fn="importance_sampling", **rows)
    two = await c.call(run, "forward_backward", batch_data=text, loss_fn="ppo", **rows)
    assert one["loss"] != two["loss"]


async def check_47_samples(c: Client, _: Client) -> None:
    run = await c.run()
    body: dict[str, Any] = {"prompts": ["Hello", "The capital", "Hi"], "max_tokens": 4}
    made = await c.call(run, "sample", **body, return_logprobs=True)
    assert [len(made[name]) for name in ("outputs", "token_ids", "tokens", "logprobs")] == [3] * 4
    assert all(len(a) == len(b) for a, b in zip(made["token_ids"], made["logprobs"], strict=True))
    assert all(value <= 0 for row in made["logprobs"] for value in row)
    assert (await c.call(run, "sample", **body))["logprobs"] is None
    cold = [await c.call(run, "sample", **body, temperature=0) for _n in range(2)]
    assert cold[0] == cold[1]
    assert cold[0]["outputs"][0] != cold[0]["outputs"][2]
    for n, prompt in enumerate(body["prompts"]):
        alone = await c.call(run, "sample", prompts=[prompt], max_tokens=4, temperature=0)
        assert alone["outputs"][0] == cold[0]["outputs"][n]
    invalid: tuple[dict[str, Any], ...] = (
        {"prompts": []}, {"max_tokens": 0}, {"temperature": -1}, {"top_p": 0}, {"top_p": 1.1},
    )  # fmt: skip
    for bad in invalid:
        assert (await c.post(f"/runs/{run}/sample", json={**body, **bad})).status_code == 422, bad


async def check_51_samples_follow_training(c: Client, _: Client) -> None:
    run = await c.run(learning_rate=0.5)
    body = {"prompts": ["Hello world"], "max_tokens": 3, "temperature": 0}
    before = await c.call(run, "sample", **body)
    for _n in range(5):
        await loss(c, run, [{"text": "Hello world, how are you?"}])
        await c.call(run, "optim_step")
    assert (await c.call(run, "sample", **body))["outputs"] != before["outputs"]


def chunks(response: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line.startswith("data: ")]


async def check_52_streams(c: Client, _: Client) -> None:
    run = await c.run()
    response = await c.post(f"/runs/{run}/sample/stream", json={"prompt": "Hello", "max_tokens": 4})
    assert response.headers["content-type"].startswith("text/event-stream")
    found = chunks(response)
    assert [one["is_finished"] for one in found] == [*([False] * (len(found) - 1)), True]


async def check_53_saves(c: Client, _: Client) -> None:
    run = await c.run()
    await loss(c, run, ONE)
    await c.call(run, "optim_step")
    made = [await c.call(run, "save_state", **body) for body in ({}, {"mode": "merged"})]
    assert made[0]["artifact_uri"] != made[1]["artifact_uri"]
    listed = (await c.get(f"/runs/{run}/artifacts")).json()["artifacts"]
    assert [(one["mode"], one["step"]) for one in listed] == [("adapter", 1), ("merged", 1)]
    assert [one["artifact_uri"] for one in listed] == [one["artifact_uri"] for one in made]
    assert (await c.post(f"/runs/{run}/save_state", json={"mode": "other"})).status_code == 422
    assert (await c.post(f"/runs/{run}/save_state", json={"push_to_hub": True})).status_code == 422
    pushed = {"push_to_hub": True, "hub_model_id": "a/b"}
    assert (await c.post(f"/runs/{run}/save_state", json=pushed)).status_code == 400


async def polled(c: Client, future: str) -> dict[str, Any]:
    while (one := (await c.get(f"/futures/{future}")).json())["status"] == "pending":
        await asyncio.sleep(0.002)
    return dict(one)


async def check_58_futures(c: Client, _: Client) -> None:
    run = await c.run()
    made = await c.call(run, "forward_backward_async", batch_data=ONE)
    assert made["status"] == "pending"
    done = await polled(c, made["future_id"])
    assert done["status"] == "completed"
    assert done["result"]["loss"] > 0
    stepped = await polled(c, (await c.call(run, "optim_step_async"))["future_id"])
    assert stepped["result"]["step"] == 1
    assert (await c.get(f"/runs/{run}/status")).json()["current_step"] == 1
    failed = await polled(c, (await c.call(run, "optim_step_async"))["future_id"])
    assert failed["status"] == "failed"
    assert "gradients" in failed["error"]
    assert (await c.get("/futures/unknown")).status_code == 404
    assert (await c.delete("/futures/unknown")).status_code == 404
    assert (await c.delete(f"/futures/{made['future_id']}")).json()["status"] == "error"
    assert (await c.get(f"/futures/{made['future_id']}")).json() == done


async def check_69_one_envelope(c: Client, _: Client) -> None:
    run = await c.run()
    found = [
        await c.get("/nothing"),
        await c.put("/runs"),
        await c.post("/runs", content=b"{"),
        await c.post("/runs", json={}),
        await c.post("/runs", json={"base_model": "no/such"}),
        await c.get("/runs/x/status"),
        await c.post(f"/runs/{run}/optim_step", json={}),
        await c.get("/runs", headers={"Authorization": ""}),
    ]
    assert [one.status_code for one in found] == [404, 405, 400, 422, 400, 404, 400, 401]
    assert all(isinstance(one.json()["error"], str) and "detail" not in one.json() for one in found)
    assert "Traceback" not in "".join(one.text for one in found)


async def check_74_tokens(c: Client, _: Client) -> None:
    run = await c.run()
    text = "Hello world — grüße, 你好!\n\ttabs"
    made = await c.call(run, "tokenize", text=text, add_special_tokens=False)
    assert (await c.call(run, "detokenize", token_ids=made["token_ids"][0]))["text"] == text
    both = await c.call(run, "tokenize", text=[text, "x"])
    assert both["token_ids"][0] == made["token_ids"][0]
    bad = await c.post(f"/runs/{run}/detokenize", json={"token_ids": [99_999]})
    assert bad.status_code == 400
    messages = [{"role": "user", "content": "hi"}]
    shown = await c.call(run, "apply_chat_template", messages=messages, add_generation_prompt=True)
    assert shown["token_ids"] == (await c.call(run, "tokenize", text=shown["text"]))["token_ids"][0]
    assert "hi" in shown["text"]


async def check_75_interleaved_users(c: Client, other: Client) -> None:
    mine, theirs = await c.run(), await other.run()
    await loss(c, mine, ONE)
    response = await other.post(f"/runs/{theirs}/optim_step", json={})
    assert response.status_code == 400
    await c.call(mine, "optim_step", learning_rate=0.1)
    assert (await other.get(f"/runs/{theirs}/status")).json()["current_step"] == 0
    first = await loss(other, theirs, ONE)
    assert near(first, await loss(c, await c.run(), ONE), 1e-12)


async def check_77_request_ids(c: Client, _: Client) -> None:
    run = await c.run()
    await loss(c, run, ONE)
    stepped = [await c.call(run, "optim_step", request_id="step-1") for _n in range(2)]
    assert stepped[0] == stepped[1]
    assert (await c.get(f"/runs/{run}/status")).json()["current_step"] == 1
    other = await c.post(f"/runs/{run}/optim_step", json={"request_id": "step-1", "learning_rate": 0.5})
    assert other.status_code == 409


async def check_00_dropout(c: Client, _: Client) -> None:
    """Only a trained adapter shows it, and only in training: sampling never drops."""
    run = await c.run(lora_dropout=0.5, learning_rate=0.05)
    for _n in range(2):
        await loss(c, run, ONE)
        await c.call(run, "optim_step")
    seen = {await loss(c, run, ONE) for _n in range(3)}
    assert len(seen) == 3
