"""Checks of checkpoints over the wire of `tinker-json`."""

import numpy as np

from rollout_conformance.rollout_server.tests.training.support import (
    A,
    B,
    Client,
    Model,
    differ,
)


async def trained(c: Client) -> Model:
    """After two steps, so that moments matter."""
    model = await c.model()
    for data in (A, B):
        await model.backward(data)
        await model.step()
    return model


async def check_18_load_gives_what_was_saved(c: Client, _: Client) -> None:
    model = await trained(c)
    saved = await model.logprobs(A)
    path = (await model.save("one"))["path"]
    assert path == f"tinker://{model.id}/weights/one"
    await model.backward(A)
    await model.step()
    other = await c.model(seed=9)
    assert await other.logprobs(A) != saved
    await other.load(path, optimizer=False)
    assert await other.logprobs(A) == saved


async def after_load(c: Client, path: str, optimizer: bool) -> list[float]:
    model = await c.model(seed=9)
    await model.load(path, optimizer)
    await model.backward(A)
    await model.step()
    return await model.logprobs(A, B)


async def check_19_load_with_and_without_moments(c: Client, _: Client) -> None:
    model = await trained(c)
    path = (await model.save("one"))["path"]
    await model.backward(A)
    await model.step()
    original = await model.logprobs(A, B)
    assert await after_load(c, path, optimizer=True) == original
    assert differ(await after_load(c, path, optimizer=False), original)


async def check_19_load_replaces_moments(c: Client, _: Client) -> None:
    """Also in a model that has moments of its own."""
    path = (await (await trained(c)).save("one"))["path"]
    fresh = await after_load(c, path, optimizer=False)
    used = await trained(c)
    await used.load(path, optimizer=False)
    await used.backward(A)
    await used.step()
    assert await used.logprobs(A, B) == fresh


async def check_20_checkpoints_never_change(c: Client, _: Client) -> None:
    model = await trained(c)
    saved = await model.logprobs(A)
    path = (await model.save("one"))["path"]
    await model.backward(A)
    await model.step()
    assert (await model.post("save_weights", path="one")).status_code == 409
    await model.load(path, optimizer=True)
    assert await model.logprobs(A) == saved


async def check_20_overwrite_is_asked_for(c: Client, _: Client) -> None:
    model = await trained(c)
    path = (await model.save("one"))["path"]
    await model.backward(A)
    await model.step()
    latest = await model.logprobs(A)
    assert (await model.save("one", overwrite=True))["path"] == path
    other = await c.model()
    await other.load(path, optimizer=False)
    assert await other.logprobs(A) == latest


async def check_20_a_name_is_taken_before_it_is_saved(c: Client, _: Client) -> None:
    model = await c.model()
    first = await model.post("save_weights", seq_id=2, path="one")
    second = await model.post("save_weights", seq_id=3, path="one")
    assert second.status_code == 409
    await c.finish(first)


async def check_20_names_are_no_paths(c: Client, _: Client) -> None:
    model = await c.model()
    for name in ("..", "../x", "a/b", "/etc/x", ".hidden", "a\\b", "", "x" * 200, "a\0b", "%2e%2e"):
        assert (await model.post("save_weights", path=name)).status_code in (400, 422), name
    assert "path" in await model.save("fine")


async def check_00_paths_of_checkpoints(c: Client, _: Client) -> None:
    model = await c.model()
    for path in (
        "tinker://../weights/x",
        f"tinker://{model.id}/weights/../x",
        "/etc/passwd",
        "tinker://x",
        "file:///x",
    ):
        response = await model.post("load_weights", path=path, optimizer=False)
        assert response.status_code in (400, 404), path
    other = await c.model(rank=8)
    saved = (await other.save("one"))["path"]
    assert (await model.load(saved, optimizer=False))["category"] == "user"
    assert np.isfinite(await model.logprobs(A)).all()
