"""What is neither arithmetic nor order: metrics, and the names of files."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np

from rollout_conformance.rollout_server.tests.training import closed_form
from rollout_conformance.rollout_server.tests.training.support import API, A, Client, Model, differ, near, play
from rollout_conformance.rollout_server.training import protobuf

HOSTILE = (
    "../up",
    "..",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a\0b",
    ".hidden",
    "%2e%2e",
    "tinker://x/weights/y",
    "x" * 129,
    "",
)


def samples(text: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def count(c: Client, _: Client) -> None:
    model = await c.model()
    await model.backward(A)
    await model.step()
    await model.save("kept")
    run = await c.run()
    await c.post(f"/runs/{run}/optim_step", json={})
    found = samples((await c.get("/metrics")).text)
    assert found['training_commands_total{kind="optim_step",status="completed"}'] == 1
    assert found['training_commands_total{kind="signal_optim_step",status="failed"}'] == 1
    assert found['training_command_seconds_count{kind="forward_backward"}'] == 1
    assert found["training_models"] == 2
    assert found["training_checkpoints"] == 1
    assert found["training_waiting"] == 0
    assert found['training_requests_total{endpoint="/runs",status="200"}'] == 1
    assert not [name for name in found if model.id in name or run in name]


def test_metrics_count_and_name_nobody() -> None:
    play(count)


async def save_merged(c: Client, folder: Path) -> None:
    run = await c.run()
    await c.call(run, "forward_backward", batch_data=[{"text": "Hello world"}])
    await c.call(run, "optim_step", learning_rate=0.5)
    await c.call(run, "save_state", mode="adapter")
    adapter = set((folder / "checkpoints").iterdir())
    await c.call(run, "save_state", mode="merged")
    (path,) = set((folder / "checkpoints").iterdir()) - adapter
    with np.load(path) as whole, np.load(adapter.pop()) as part:
        assert "merged" not in part
        a, b = closed_form.split(whole["parameters"], 4)
        assert near(whole["merged"], closed_form.UNEMBEDDING + 32 / 4 * (b @ a), 1e-12)
        assert differ(whole["merged"], closed_form.UNEMBEDDING)


def test_a_merged_save_has_the_whole_matrix(tmp_path: Path) -> None:
    play(lambda c, _: save_merged(c, tmp_path), tmp_path)


async def save_everything(c: Client, other: Client) -> None:
    model: Model = await c.model()
    for kind in ("save_weights", "save_weights_for_sampler"):
        await asyncio.gather(*(model.post(kind, path=name) for name in HOSTILE))
        assert (await model.do(kind, path="plain-name_1.0"))["path"].endswith("/plain-name_1.0")
    run = await c.run()
    await c.call(run, "save_state", mode="merged")
    for name in HOSTILE:
        assert (await model.post("load_weights", path=f"tinker://{model.id}/weights/{name}", optimizer=False)).is_error
        assert (await model.post("load_weights", path=name, optimizer=False)).is_error


def test_names_of_files_never_come_from_a_request(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    play(save_everything, folder)
    files = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    checkpoints = {path for path in files if path.parent == Path("server/checkpoints")}
    assert {path for path in files - checkpoints if not path.name.startswith("training.db")} == set()
    assert len(checkpoints) == 3
    for path in checkpoints:
        assert path.suffix == ".npz"
        assert len(path.stem) == 32
        assert set(path.stem) <= set("0123456789abcdef")
    assert {path.name for path in tmp_path.iterdir()} == {"server"}


async def spend_what_cannot_be_read(c: Client, _: Client) -> None:
    """NaN is not JSON, and a tensor of an unknown type no call; the number of each shows all the same."""
    model = await c.model()
    raw = f'{{"model_id": "{model.id}", "seq_id": 1, "adam_params": {{"learning_rate": NaN}}}}'
    refused = await c.post(API + "optim_step", content=raw.encode(), headers={"Content-Type": "application/json"})
    assert refused.status_code == 400
    message: Any = {"model_id": model.id, "seq_id": 2, "data": [{"loss_fn_inputs": {"weights": {"dtype": 99}}}]}
    encoded = protobuf.encode("ForwardBackwardRequest", message)
    kind = {"Content-Type": "application/x-protobuf"}
    assert (await c.post(API + "forward_backward", content=encoded, headers=kind)).status_code == 400
    unknown = encoded.replace(b"\x10\x02", b"\x10\x03", 1) + b"\xa0\x06\x01"  # seq_id 3, and a member 100
    assert (await c.post(API + "forward_backward", content=unknown, headers=kind)).status_code == 400
    model.seq = 3
    assert "metrics" in await model.backward(A)


def test_a_rejected_call_that_cannot_be_read_has_used_its_number() -> None:
    play(spend_what_cannot_be_read, order_wait_s=600)
