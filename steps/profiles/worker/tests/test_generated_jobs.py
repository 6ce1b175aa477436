"""What is right in a generated request is brought into a range that every worker takes; what is wrong stays wrong."""

from typing import Any

import pytest

from rollout_conformance.steps.profiles.worker.generated_jobs import GENERATED, MOST_TOKENS

NAMES = {"vllm-generate": "max_tokens", "sglang": "max_new_tokens", "tgi": "max_new_tokens", "llamacpp": "n_predict"}
PROMPTS: dict[str, dict[str, Any]] = {
    "vllm-generate": {"token_ids": [1]},
    "sglang": {"text": "a"},
    "tgi": {"inputs": "a"},
    "llamacpp": {"prompt": "a"},
}


def params(dialect: str, **given: object) -> dict[str, Any]:
    """The sampling parameters that are sent for these."""
    job = GENERATED[dialect]
    body = {**PROMPTS[dialect], job.params: given} if job.params else {**PROMPTS[dialect], **given}
    sent = job.adapted(body)
    found: dict[str, Any] = sent[job.params] if job.params else sent
    return found


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize(
    ("given", "sent"), [(10**9, MOST_TOKENS), (2.0, 2), (2.5, 2.5), ("5", [{}]), (True, [{}]), ({}, {})]
)
def test_a_limit(dialect: str, given: object, sent: object) -> None:
    assert params(dialect, **{NAMES[dialect]: given})[NAMES[dialect]] == sent


@pytest.mark.parametrize("dialect", NAMES)
def test_a_job_without_a_limit_has_few_tokens(dialect: str) -> None:
    assert params(dialect)[NAMES[dialect]] == MOST_TOKENS
    assert params(dialect, **{NAMES[dialect]: None})[NAMES[dialect]] == MOST_TOKENS


@pytest.mark.parametrize(
    ("dialect", "name", "given", "sent"),
    [
        ("vllm-generate", "temperature", -0.5, -0.5),
        ("vllm-generate", "top_p", 1.5, 1.5),
        ("vllm-generate", "top_p", 1, 0.95),
        ("vllm-generate", "repetition_penalty", 1e300, 2.0),
        ("tgi", "temperature", 0, 0),
        ("tgi", "seed", -1, -1),
        ("llamacpp", "temperature", -5.0, 0.0),
        ("sglang", "ignore_eos", 1, [{}]),
        ("sglang", "ignore_eos", True, True),
        ("sglang", "stop", ["", "a" * 99], ["a" * 25]),
        ("tgi", "stop", ["a"] * 5, ["a"] * 5),
    ],
)
def test_a_parameter(dialect: str, name: str, given: object, sent: object) -> None:
    assert params(dialect, **{name: given})[name] == sent


@pytest.mark.parametrize(
    ("dialect", "body", "name", "sent"),
    [
        ("vllm-generate", {"token_ids": [100, 1.0, "1"]}, "token_ids", [0, 1, {}]),
        ("vllm-generate", {"token_ids": []}, "token_ids", []),
        ("sglang", {"text": "", "input_ids": [1]}, "text", "Hello!"),
        ("sglang", {"input_ids": []}, "input_ids", [1]),
        ("tgi", {"inputs": ""}, "inputs", ""),
        ("llamacpp", {"prompt": ["", 201]}, "prompt", ["Hello!", 1]),
        ("llamacpp", {"prompt": [True]}, "prompt", [{}]),
    ],
)
def test_a_prompt(dialect: str, body: dict[str, Any], name: str, sent: object) -> None:
    assert GENERATED[dialect].adapted(body)[name] == sent


def test_a_job_has_one_prompt_and_an_id_of_its_own() -> None:
    sent = [GENERATED["sglang"].adapted({"text": "a", "input_ids": [1], "rid": "x"}) for _ in range(2)]
    assert "input_ids" not in sent[0]
    assert sent[0]["rid"] != sent[1]["rid"]
