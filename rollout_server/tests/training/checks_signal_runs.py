"""Checks of the dialect `signal`: keys, and runs as a whole."""

import json
from typing import Any

from rollout_conformance.rollout_server.tests.training.checks_signal import ONE, loss
from rollout_conformance.rollout_server.tests.training.support import BASE, Client


async def check_01_public_paths(c: Client, _: Client) -> None:
    anonymous = {"Authorization": ""}
    assert (await c.get("/", headers=anonymous)).json()["status"] == "running"
    assert (await c.get("/health", headers=anonymous)).json() == {"status": "healthy"}
    models = (await c.get("/models", headers=anonymous)).json()["models"]
    assert models
    for name in models:
        assert (await c.post("/runs", json={"base_model": name, "lora_r": 2})).status_code == 200


async def check_04_keys_are_needed(c: Client, _: Client) -> None:
    run = await c.run()
    key = c.headers["Authorization"].split()[1]
    bad = ("", key, f"Basic {key}", f"Bearer {key} x", "Bearer", "Bearer sk-unknown-0000", f"Bearer {key}x")
    bodies = set()
    for value in bad:
        for method, path in (
            ("GET", "/runs"),
            ("GET", f"/runs/{run}/status"),
            ("POST", f"/runs/{run}/optim_step"),
            ("GET", "/futures/x"),
            ("GET", "/keys"),
        ):
            response = await c.request(method, path, headers={"Authorization": value}, content=b"{")
            assert response.status_code == 401, (value, path)
            bodies.add(response.content)
    assert len(bodies) == 1
    assert (await c.get("/runs", headers={"Authorization": f"bearer {key}"})).status_code == 200


async def check_09_keys(c: Client, other: Client) -> None:
    made = [(await c.post("/keys", json={"description": f"key {n}"})).json() for n in range(2)]
    assert len({one["key"] for one in made}) == 2
    assert all(one["key"].startswith("sk-") and len(one["key"]) > 10 for one in made)
    headers = {"Authorization": f"Bearer {made[0]['key']}"}
    assert (await c.get("/runs", headers=headers)).status_code == 200
    listed = (await c.get("/keys")).json()["keys"]
    assert {one["id"] for one in made} <= {one["id"] for one in listed}
    used = {one["id"]: one["last_used"] for one in listed}
    assert used[made[0]["id"]] is not None
    assert used[made[1]["id"]] is None
    assert made[0]["key"] not in json.dumps(listed)
    assert made[0]["id"] not in (await other.get("/keys")).text
    assert (await other.delete(f"/keys/{made[0]['id']}")).status_code == 404
    assert (await c.delete(f"/keys/{made[0]['id']}")).status_code == 200
    assert (await c.delete(f"/keys/{made[0]['id']}")).status_code == 404
    assert (await c.get("/runs", headers=headers)).status_code == 401
    assert (await c.get("/runs", headers={"Authorization": f"Bearer {made[1]['key']}"})).status_code == 200


async def check_14_runs(c: Client, _: Client) -> None:
    response = (await c.post("/runs", json={"base_model": BASE})).json()
    assert len(response["run_id"]) == len("run_") + 16
    assert response["status"] == "running"
    assert response["config"]["lora_alpha"] == 32
    assert response["run_id"] != await c.run()


BAD_RUNS: list[tuple[int, dict[str, Any]]] = [
    (400, {"base_model": "no/such-model"}),
    *((422, {"base_model": name}) for name in ("plain", "../x", "a/..", "/x", "a//b")),
    *((422, {"base_model": BASE, "lora_r": n}) for n in (0, 513, -1)),
    *((422, {"base_model": BASE, "lora_alpha": n}) for n in (0, 1025)),
    *((422, {"base_model": BASE, "lora_dropout": n}) for n in (-0.1, 0.51)),
    *((422, {"base_model": BASE, "learning_rate": n}) for n in (0, 1.1)),
    *((422, {"base_model": BASE, "weight_decay": n}) for n in (-0.1, 1.1)),
    *((422, {"base_model": BASE, "max_seq_length": n}) for n in (127, 131_073)),
    (422, {"base_model": BASE, "lr_scheduler": "sometimes"}),
    (422, {"base_model": BASE, "warmup_steps": -1}),
    (422, {"base_model": BASE, "gpu_config": "H100:9"}),
    (400, {"base_model": BASE, "optimizer": "lion"}),
    (400, {"base_model": BASE, "lora_target_modules": ["q_proj"]}),
    (422, {"base_model": BASE, "surprise": 1}),
]


async def check_17_bad_runs(c: Client, _: Client) -> None:
    for status, body in BAD_RUNS:
        response = await c.post("/runs", json=body)
        assert response.status_code == status, (body, response.text)
    assert (await c.get("/runs")).json()["runs"] == []
    for body in ({"lora_r": 512}, {"lora_dropout": 0.5}, {"learning_rate": 1}, {"max_seq_length": 131_072}):
        response = await c.post("/runs", json={"base_model": BASE, **body})
        assert response.status_code == 200, response.text
    assert response.json()["config"]["max_seq_length"] == 4096
    assert (await c.post("/runs", content=b"{")).status_code in (400, 422)


async def check_28_runs_are_ones_own(c: Client, other: Client) -> None:
    run = await c.run()
    future = (await c.call(run, "forward_backward_async", batch_data=ONE))["future_id"]
    assert run not in (await other.get("/runs")).text
    gets = [f"/runs/{run}/{name}" for name in ("status", "metrics", "artifacts", "tokenizer_info", "model_info")]
    responses = [await other.get(path) for path in (*gets, f"/futures/{future}")]
    responses.append(await other.delete(f"/futures/{future}"))
    bodies = {
        "forward_backward": {"batch_data": ONE},
        "optim_step": {},
        "sample": {"prompts": ["x"]},
        "save_state": {},
    }
    for verb, body in bodies.items():
        responses += [await other.post(f"/runs/{run}/{path}", json=body) for path in (verb, f"{verb}_async")]
    for verb in ("complete", "tokenize", "detokenize", "apply_chat_template", "sample/stream"):
        responses.append(await other.post(f"/runs/{run}/{verb}", json={"prompt": "x", "text": "x"}))
    for response in responses:
        assert response.status_code in (403, 404), (response.request.url, response.text)
    assert (await c.get(f"/runs/{run}/status")).json()["status"] == "running"
    assert (await c.get(f"/futures/{future}")).status_code == 200
    assert (await c.get("/runs/run_0000000000000000/status")).status_code == 404


async def check_62_completed_runs(c: Client, _: Client) -> None:
    run = await c.run()
    await loss(c, run, ONE)
    for _n in range(2):
        assert (await c.post(f"/runs/{run}/complete")).status_code == 200
    assert (await c.get(f"/runs/{run}/status")).json()["status"] == "completed"
    for verb, body in (("forward_backward", {"batch_data": ONE}), ("optim_step", {}), ("sample", {"prompts": ["x"]})):
        assert (await c.post(f"/runs/{run}/{verb}", json=body)).status_code == 409, verb
