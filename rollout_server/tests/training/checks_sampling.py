"""Checks of samplers and samples over the wire of `tinker-json`."""

from typing import Any

from rollout_conformance.rollout_server.tests.training.checks_checkpoints import trained
from rollout_conformance.rollout_server.tests.training.support import (
    API,
    BASE,
    A,
    Client,
    Model,
    datum,
    differ,
    near,
)


async def sampler(model: Model, number: int) -> str:
    made = await model.do("save_weights_for_sampler", sampling_session_seq_id=number)
    assert made["path"] is None
    return str(made["sampling_session_id"])


async def drawn(c: Client, session: str, n: int, **params: Any) -> Any:
    return await c.sample([5, 6], {"max_tokens": 6, "seed": 3, **params}, sampling_session_id=session, seq_id=n)


async def check_21_samplers_are_snapshots(c: Client, _: Client) -> None:
    model = await trained(c)
    first = await sampler(model, 0)
    before = await drawn(c, first, 0)
    await model.backward(A)
    await model.step()
    assert (await drawn(c, first, 1))["sequences"] == before["sequences"]
    second = await sampler(model, 1)
    prompt = [5, 6, 7, 8]
    shown = [
        (await c.sample(prompt, {"max_tokens": 1}, sampling_session_id=s, seq_id=9, prompt_logprobs=True))[
            "prompt_logprobs"
        ][1:]
        for s in (first, second)
    ]
    assert near(shown[1], await model.logprobs(A))
    assert differ(shown[0], shown[1])


async def check_21_a_named_sampler(c: Client, _: Client) -> None:
    model = await trained(c)
    made = await model.do("save_weights_for_sampler", path="smp")
    assert made["path"] == f"tinker://{model.id}/sampler_weights/smp"
    body = {"session_id": model.session, "sampling_session_seq_id": 0, "model_path": made["path"]}
    session = (await c.ok("create_sampling_session", **body))["sampling_session_id"]
    one = await c.sample([5, 6], {"max_tokens": 4, "seed": 1}, sampling_session_id=session, seq_id=0)
    two = await c.sample([5, 6], {"max_tokens": 4, "seed": 1}, model_path=made["path"])
    assert one["sequences"] == two["sequences"]


async def check_22_sampled_logprobs_are_those_of_training(c: Client, _: Client) -> None:
    model = await trained(c)
    session = await sampler(model, 0)
    sequence = (await drawn(c, session, 0))["sequences"][0]
    whole = [5, 6, *sequence["tokens"]]
    assert near((await model.logprobs(datum(whole)))[1:], sequence["logprobs"])
    shown = await c.sample(whole, {"max_tokens": 1}, sampling_session_id=session, seq_id=1, prompt_logprobs=True)
    assert near(shown["prompt_logprobs"][2:], sequence["logprobs"])


async def check_23_temperature_scales_differences(c: Client, _: Client) -> None:
    """Over two tokens that both temperatures sample."""
    seen: list[dict[int, float]] = []
    for tau in (1.0, 2.0):
        found: dict[int, float] = {}
        params = {"max_tokens": 1, "seed": 5, "temperature": tau, "top_k": 3}
        for one in (await c.sample([5, 6], params, base_model=BASE, num_samples=64))["sequences"]:
            found[one["tokens"][0]] = one["logprobs"][0]
        seen.append(found)
    i, j = sorted(set(seen[0]) & set(seen[1]))[:2]
    assert near((seen[0][i] - seen[0][j]) / 2, seen[1][i] - seen[1][j])


async def check_24_lengths_and_stops(c: Client, _: Client) -> None:
    sequence = (await c.sample([5, 6], {"max_tokens": 7, "seed": 2, "stop": []}, base_model=BASE))["sequences"][0]
    assert len(sequence["tokens"]) == len(sequence["logprobs"]) == 7
    assert sequence["stop_reason"] == "length"
    third = sequence["tokens"][2]
    params = {"max_tokens": 7, "seed": 2, "stop": [third]}
    stopped = (await c.sample([5, 6], params, base_model=BASE))["sequences"][0]
    assert stopped["stop_reason"] == "stop"
    assert stopped["tokens"] == sequence["tokens"][: sequence["tokens"].index(third) + 1]
    assert len(stopped["logprobs"]) == len(stopped["tokens"])


async def check_24_no_stop_and_the_end_of_a_turn(c: Client, _: Client) -> None:
    """A model that was taught the end of a turn ends there by default, and goes on with an empty list."""
    model = await c.model()
    end = 2
    for _n in range(6):
        await model.backward(datum([5, 6, end], weights=[1.0, 1.0]))
        await model.step(0.5)
    path = (await model.do("save_weights_for_sampler", path="end"))["path"]
    params = {"max_tokens": 4, "temperature": 0.0}
    default = (await c.sample([5, 6], params, model_path=path))["sequences"][0]
    assert default["tokens"][0] == end
    assert default["stop_reason"] == "stop"
    never = (await c.sample([5, 6], {**params, "stop": []}, model_path=path))["sequences"][0]
    assert len(never["tokens"]) == 4


async def check_24_stop_texts(c: Client, _: Client) -> None:
    params = {"max_tokens": 30, "seed": 2, "stop": []}
    whole = (await c.sample([5, 6], params, base_model=BASE))["sequences"][0]
    cut = (await c.sample([5, 6], {**params, "stop": ["e"]}, base_model=BASE))["sequences"][0]
    assert cut["stop_reason"] == "stop"
    assert len(cut["tokens"]) < 30
    assert cut["tokens"] == whole["tokens"][: len(cut["tokens"])]
    never = (await c.sample([5, 6], {**params, "stop": "no such text"}, base_model=BASE))["sequences"][0]
    assert never == whole


async def check_25_count_and_seed(c: Client, _: Client) -> None:
    params = {"max_tokens": 5, "seed": 11}
    one, two = [await c.sample([5, 6], params, base_model=BASE, num_samples=3) for _n in range(2)]
    assert len(one["sequences"]) == 3
    assert one["sequences"] == two["sequences"]
    assert len({tuple(each["tokens"]) for each in one["sequences"]}) == 3
    other = await c.sample([5, 6], {**params, "seed": 12}, base_model=BASE, num_samples=3)
    assert other["sequences"] != one["sequences"]


async def check_25_without_a_seed_samples_differ(c: Client, _: Client) -> None:
    one, two = [await c.sample([5, 6], {"max_tokens": 8}, base_model=BASE) for _n in range(2)]
    assert one["sequences"] != two["sequences"]


async def check_26_prompt_logprobs(c: Client, _: Client) -> None:
    made = await c.sample(
        [5, 6, 7, 8], {"max_tokens": 1}, base_model=BASE, prompt_logprobs=True, topk_prompt_logprobs=2
    )
    assert len(made["prompt_logprobs"]) == 4
    assert made["prompt_logprobs"][0] is None
    assert near(made["prompt_logprobs"][1:], await (await c.model()).logprobs(A))
    assert [None if row is None else len(row) for row in made["topk_prompt_logprobs"]] == [None, 2, 2, 2]
    plain = await c.sample([5, 6, 7, 8], {"max_tokens": 1}, base_model=BASE)
    assert plain.get("prompt_logprobs") is None


async def check_00_sampling_bounds(c: Client, _: Client) -> None:
    for params in (
        {"max_tokens": 0},
        {"temperature": -1.0},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"top_k": -2},
        {"max_tokens": 10**6},
        {"stop": [""]},
    ):
        body = {
            "prompt": {"chunks": [{"tokens": [5]}]},
            "sampling_params": {"max_tokens": 1, **params},
            "base_model": BASE,
        }
        assert (await c.post(API + "asample", json=body)).status_code in (400, 422), params
    none = {"prompt": {"chunks": [{"tokens": [5]}]}, "sampling_params": {"max_tokens": 1}}
    assert (await c.post(API + "asample", json=none)).status_code == 400


async def check_00_top_k_and_top_p(c: Client, _: Client) -> None:
    greedy = (await c.sample([5, 6], {"max_tokens": 5, "temperature": 0.0}, base_model=BASE))["sequences"][0]
    for params in ({"top_k": 1}, {"top_p": 1e-6}):
        one = (await c.sample([5, 6], {"max_tokens": 5, "seed": 1, **params}, base_model=BASE))["sequences"][0]
        assert one["tokens"] == greedy["tokens"], params
    made = await c.sample([5, 6], {"max_tokens": 1, "seed": 1, "top_k": 3}, base_model=BASE, num_samples=40)
    seen = {one["tokens"][0] for one in made["sequences"]}
    assert len(seen) == 3
