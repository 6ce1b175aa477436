"""The model against outputs that vLLM recorded (see `record_vllm.py`), and sequences against each other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rollout_conformance.rollout_server.common.settings import SettingsError
from rollout_conformance.rollout_server.worker import model_files
from rollout_conformance.rollout_server.worker.model import Logits, Read
from rollout_conformance.rollout_server.worker.qwen3 import Qwen3
from rollout_conformance.rollout_server.worker.sampler import log_softmax
from rollout_conformance.rollout_server.worker.settings import SHIPPED_MODEL

RECORDED = json.loads(Path(__file__).with_name("vllm_outputs.json").read_text("utf-8"))
# The largest difference in the recordings is 1.2e-5 for a token of the output, and 2.4e-5 for an alternative with a small probability.
TOLERANCE, TOLERANCE_OF_ALTERNATIVES = 5e-5, 1e-4


@pytest.fixture(scope="module")
def model() -> Qwen3:
    return Qwen3("tiny", model_files.load(SHIPPED_MODEL, "WORKER_MODEL"))


def greedy(model: Qwen3, prompt: list[int], most: int) -> tuple[list[int], list[Logits]]:
    cache, following = model.new_cache(), prompt
    ids: list[int] = []
    seen: list[Logits] = []
    while len(ids) < most and ids[-1:] != [model.eos]:
        seen.append(model.read([Read(cache, following)])[0][-1])
        ids.append(int(seen[-1].argmax()))
        following = ids[-1:]
    return ids, seen


@pytest.mark.parametrize("recorded", RECORDED, ids=[str(recorded["content"])[:20] for recorded in RECORDED])
def test_tokens_and_logprobs_are_those_of_vllm(model: Qwen3, recorded: dict[str, Any]) -> None:
    ids, seen = greedy(model, recorded["prompt"], 64)
    assert ids == recorded["output"]
    logprobs = [log_softmax(logits) for logits in seen]
    own = [scores[id] for scores, id in zip(logprobs, ids, strict=True)]
    assert own == pytest.approx(recorded["logprobs"], abs=TOLERANCE)
    for scores, top in zip(logprobs, recorded["top"], strict=True):
        assert [scores[id] for id, _ in top] == pytest.approx([lp for _, lp in top], abs=TOLERANCE_OF_ALTERNATIVES)


def test_a_prompt_in_parts_gives_the_logits_of_the_whole(model: Qwen3) -> None:
    prompt = RECORDED[2]["prompt"]
    whole = model.read([Read(model.new_cache(), prompt, every=True)])[0]
    cache = model.new_cache()
    parts = [model.read([Read(cache, part, every=True)])[0] for part in (prompt[:7], prompt[7:8], prompt[8:])]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-3)
    assert len(whole) == cache.length == len(prompt)


def test_a_sequence_is_not_changed_by_others_in_its_batch(model: Qwen3) -> None:
    prompts = [recorded["prompt"] for recorded in RECORDED[:5]]
    caches = [model.new_cache() for _ in prompts]
    alone = [greedy(model, prompt, 5)[1] for prompt in prompts]
    following = prompts
    for position in range(3):
        together = [logits[-1] for logits in model.read([Read(c, f) for c, f in zip(caches, following, strict=True)])]
        if position:  # prompts have other numbers of rows; single tokens are the same to the last bit
            for one, own in zip(together, alone, strict=True):
                np.testing.assert_allclose(one, own[position], atol=1e-4)
        following = [[int(one.argmax())] for one in together]


def test_single_tokens_are_the_same_to_the_last_bit_in_any_batch(model: Qwen3) -> None:
    def after(count: int) -> Logits:
        caches = [model.new_cache() for _ in range(count)]
        for number, cache in enumerate(caches):
            model.read([Read(cache, RECORDED[number]["prompt"])])
        return model.read([Read(cache, [5]) for cache in caches])[0]

    alone = after(1)
    for count in (2, 3, 4, 5, 8):
        np.testing.assert_array_equal(after(count), alone)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    config = json.loads((SHIPPED_MODEL / "config.json").read_text("utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    with pytest.raises(SettingsError, match="WORKER_MODEL: no usable Qwen3 model"):
        model_files.load(tmp_path, "WORKER_MODEL")
