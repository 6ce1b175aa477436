"""What SDKs after 0.18 send beside the protobuf: members with a default, and a new model from a checkpoint in one call."""

from typing import Any

import pytest

from rollout_conformance.rollout_server.tests.training.support import (
    API,
    BASE,
    A,
    B,
    Client,
    Model,
    differ,
    near,
    play,
)


async def create(c: Client, session: str, number: int, path: str, **more: Any) -> Any:
    body = {
        "session_id": session,
        "model_seq_id": number,
        "path": path,
        "optimizer": True,
        "type": "load_weights",
        **more,
    }
    return await c.post(API + "load_weights", json=body)


async def a_model_from_a_checkpoint(c: Client, _: Client) -> None:
    model = await c.model()
    fresh = await model.logprobs(A, B)
    await model.backward(A)
    await model.step()
    path = (await model.save("kept"))["path"]
    saved = await model.logprobs(A, B)
    await model.backward(B)
    await model.step()
    submitted = await create(c, model.session, 1, path, optimizer_config={"type": "adamw"})
    made = await c.finish(submitted)
    assert made["model_id"] == f"{model.session}:train:1"
    twin = Model(c, made["model_id"], model.session)
    assert await twin.logprobs(A, B) == saved
    assert differ(saved, fresh)
    await twin.backward(B)
    await twin.step()
    assert near(await twin.logprobs(A, B), await model.logprobs(A, B), 1e-6)
    assert (await create(c, model.session, 1, path, optimizer_config={"type": "adamw"})).json() == submitted.json()
    assert (await create(c, model.session, 0, path)).status_code == 409
    own = (await twin.save("own"))["path"]
    assert (await c.finish(await create(c, model.session, 2, own)))["path"] == own


async def it_belongs_to_its_tenant(c: Client, other: Client) -> None:
    model = await c.model()
    path = (await model.save("kept"))["path"]
    session = await other.session()
    assert (await create(other, session, 0, path)).status_code == 404
    assert (await create(other, model.session, 1, path)).status_code == 404
    made = await c.finish(await create(c, model.session, 1, path))
    body = {"model_id": made["model_id"]}
    assert (await other.post(API + "get_info", json=body)).status_code == 404
    assert (await c.post(API + "get_info", json=body)).status_code == 200


async def defaults_that_are_written_out(c: Client, _: Client) -> None:
    session = await c.session()
    body = {"session_id": session, "model_seq_id": 0, "base_model": BASE, "lora_config": {"rank": 4}}
    other = await c.post(API + "create_model", json={**body, "optimizer_config": {"type": "dimuon"}})
    assert other.status_code == 422
    made = await c.finish(await c.post(API + "create_model", json={**body, "optimizer_config": {"type": "adamw"}}))
    assert "model_id" in made
    options = {"topk_sample_logprobs": 0, "prompt_alt_tokens_k": 0}
    sampled = await c.sample([5, 6], {"max_tokens": 2}, base_model=BASE, **options)
    assert len(sampled["sequences"]) == 1
    sample: dict[str, Any] = {
        "prompt": {"chunks": [{"tokens": [5]}]},
        "sampling_params": {"max_tokens": 2},
        "base_model": BASE,
    }
    for ignored in ({"topk_sample_logprobs": 3}, {"prompt_alt_tokens_k": 2}):
        assert (await c.post(API + "asample", json={**sample, **ignored})).status_code == 422
    named = (await c.post(API + "asample", json={**sample, "num_samples": 3})).json()["sample_sequence_ids"]
    assert len(set(named)) == 3


@pytest.mark.parametrize("check", [a_model_from_a_checkpoint, it_belongs_to_its_tenant, defaults_that_are_written_out])
def test_over_the_wire(check: Any) -> None:
    play(check)
