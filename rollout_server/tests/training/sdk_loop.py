"""A whole training loop with the SDK `tinker`, run by the Python of an environment that has it.

`python sdk_loop.py URL KEY` prints one JSON object with what the SDK returned. SDK_TORCH names a folder with torch, which the SDK needs for
the custom loss; without torch that part is null.
"""

# mypy: ignore-errors
import json
import os
import sys

if os.environ.get("SDK_TORCH"):
    sys.path.append(os.environ["SDK_TORCH"])

import tinker
from tinker import types

BASE = "reference/tiny-softmax"
# More data than one chunk of the SDK holds.
MANY = 1030


def datum(tokens, **inputs):
    given = {
        name: types.TensorData(data=list(map(float, row)), dtype="float32", shape=[len(row)])
        for name, row in inputs.items()
    }
    targets = types.TensorData(data=tokens[1:], dtype="int64", shape=[len(tokens) - 1])
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs={"target_tokens": targets, **given}
    )


def rows(output):
    return [list(one["logprobs"].data) for one in output.loss_fn_outputs]


PROBE = [datum([5, 6, 7, 8], weights=[1, 1, 0.5]), datum([100, 200, 300], weights=[1, 2])]
CHUNKED = [datum([5 + n % 50, 6 + n % 40, 7], weights=[1, 1]) for n in range(MANY)]


def probe(model):
    return rows(model.forward(PROBE, "cross_entropy").result())


def train(model, data=PROBE, loss="cross_entropy", rate=0.1, **config):
    backward = model.forward_backward(data, loss, config or None)
    step = model.optim_step(types.AdamParams(learning_rate=rate, eps=1.0))
    return backward.result(), step.result()


def custom(model, service):
    """The mean of the squares of all logprobs, of which the SDK computes the gradient; beside a model to which this gradient is sent by hand."""
    try:
        import torch
    except ImportError:
        return None

    def loss(data, logprobs):
        value = torch.mean(torch.cat(logprobs) ** 2)
        return value, {"square:mean": value.item()}

    before = probe(model)
    twin = service.create_training_client_from_state_with_optimizer(model.save_state("before-custom").result().path)
    result = model.forward_backward_custom(PROBE, loss).result()
    model.optim_step(types.AdamParams(learning_rate=0.1, eps=1.0)).result()
    count = sum(map(len, before))
    weights = [[-2 * lp / count for lp in row] for row in before]
    train(twin, [datum([5, 6, 7, 8], weights=weights[0]), datum([100, 200, 300], weights=weights[1])])
    return {"metrics": dict(result.metrics), "before": before, "after": probe(model), "by_hand": probe(twin)}


def sampled(client, prompt, **options):
    response = client.sample(
        types.ModelInput.from_ints(prompt),
        2,
        types.SamplingParams(max_tokens=4, seed=3, temperature=1.0, stop=[]),
        **options,
    ).result()
    return [[list(one.tokens), list(one.logprobs), one.stop_reason] for one in response.sequences], response


def main():
    service = tinker.ServiceClient(base_url=sys.argv[1], api_key=sys.argv[2])
    report = {"version": tinker.__version__}
    report["models"] = [one.model_name for one in service.get_server_capabilities().supported_models]
    model = service.create_lora_training_client(BASE, rank=4, seed=1)
    report["info"] = model.get_info().model_data.model_name
    report["fresh"] = probe(model)

    backward, step = train(model)
    report["first"] = {"logprobs": rows(backward), "metrics": dict(backward.metrics), "step": dict(step.metrics or {})}
    report["trained"] = probe(model)

    backward, _ = train(model, CHUNKED, rate=0.01)
    report["chunked"] = {
        "count": len(backward.loss_fn_outputs),
        "sum": sum(map(sum, rows(backward))),
        "metrics": dict(backward.metrics),
    }

    before = probe(model)
    policy = [
        datum([5, 6, 7, 8], logprobs=before[0], advantages=[1, -1, 0.5]),
        datum([100, 200, 300], logprobs=before[1], advantages=[2, 1]),
    ]
    report["losses"] = {
        name: dict(model.forward_backward(policy, name, config).result().metrics)
        for name, config in (
            ("importance_sampling", None),
            ("ppo", {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}),
            ("cispo", {"clip_low_threshold": 0.0, "clip_high_threshold": 4.0}),
            ("dro", {"beta": 0.1}),
        )
    }
    report["before_losses"] = before
    model.optim_step(types.AdamParams(learning_rate=0.05, eps=1.0)).result()
    report["custom"] = custom(model, service)

    report["state"] = probe(model)
    path = model.save_state("kept").result().path
    report["path"] = path
    train(model)
    report["continued"] = probe(model)
    resumed = service.create_training_client_from_state_with_optimizer(path)
    report["loaded"] = probe(resumed)
    train(resumed)
    report["resumed"] = probe(resumed)
    again = service.create_training_client_from_state(path)
    train(again)
    report["without_moments"] = probe(again)

    sampler = resumed.save_weights_and_get_sampling_client()
    prompt = [5, 6, 7]
    report["samples"], response = sampled(sampler, prompt, include_prompt_logprobs=True)
    report["prompt_logprobs"] = list(response.prompt_logprobs)
    report["samples_again"], _ = sampled(sampler, prompt)
    report["forward_of_samples"] = rows(
        resumed.forward([datum(prompt + tokens) for tokens, _, _ in report["samples"]], "cross_entropy").result()
    )
    named = resumed.save_weights_for_sampler("snapshot").result().path
    report["named_sampler"], _ = sampled(service.create_sampling_client(model_path=named), prompt)
    report["base_sampler"], _ = sampled(service.create_sampling_client(base_model=BASE), prompt)

    try:
        model.forward_backward([datum([5, 2000], weights=[1])], "cross_entropy").result()
        report["refused"] = None
    except Exception as error:  # of any kind that the SDK has
        report["refused"] = [type(error).__name__, str(error)]
    report["after_refusal"] = rows(train(model)[0])

    rest = service.create_rest_client()
    report["checkpoints"] = [one.tinker_path for one in rest.list_user_checkpoints().result().checkpoints]
    report["runs"] = [one.training_run_id for one in rest.list_training_runs().result().training_runs]
    sys.stdout.write(json.dumps(report) + "\n")


main()
