"""Defects of what the dialect `signal` accepts: batches, losses, bounds of samples, saves and rates."""

from dataclasses import replace
from typing import Any

from rollout_conformance.contracts.training import wire_signal as wire
from rollout_conformance.rollout_server.mutants.framework import TESTS, Mutant, Patch, around
from rollout_conformance.rollout_server.mutants.training.signal_runs import SIGNAL
from rollout_conformance.rollout_server.mutants.training.tolerating import tolerating
from rollout_conformance.rollout_server.training import (
    signal_batch,
    signal_endpoints,
    signal_works,
)
from rollout_conformance.rollout_server.training.errors import UserError


def _any_loss(original: Any, given: Any, codec: Any, longest: int) -> Any:
    known = given.loss_fn in signal_batch.LOSSES
    return original(given if known else given.model_copy(update={"loss_fn": "causal_lm"}), codec, longest)


def _always_causal(original: Any, given: Any, codec: Any, longest: int) -> Any:
    batch = original(given, codec, longest)
    return replace(batch, loss="causal_lm")


def _pushes_nothing(original: Any, given: wire.SaveState) -> Any:
    return original(given.model_copy(update={"push_to_hub": False}))


def _batch(member: str, instead: Any) -> Patch:
    return tolerating(signal_endpoints, wire.ForwardBackward, member, instead)


def _sample_bound(member: str, instead: Any) -> Patch:
    return tolerating(signal_endpoints, wire.Sample, member, instead)


def _lenient_examples(change: Any) -> Patch:
    """Examples that are bad are mended by `change` before they are read."""

    def validate(original: Any, body: dict[str, Any], model: Any) -> Any:
        if model is not wire.ForwardBackward or not isinstance(body.get("batch_data"), list):
            return original(body, model)
        try:
            return original(body, model)
        except UserError:
            mended = [change(dict(one)) if isinstance(one, dict) else one for one in body["batch_data"]]
            return original({**body, "batch_data": mended}, model)

    return around(signal_endpoints, "validate", validate)


def _one_form(example: dict[str, Any]) -> dict[str, Any]:
    return {"text": example["text"]} if "text" in example and len(example) > 1 else example


def _same_length(example: dict[str, Any]) -> dict[str, Any]:
    if "responses" not in example:
        return example
    count = min(16, len(example["responses"]), len(example["rewards"]))
    return {**example, "responses": example["responses"][:count], "rewards": example["rewards"][:count]}


def _cut_text(example: dict[str, Any]) -> dict[str, Any]:
    return {**example, "text": example["text"][: wire.MOST_TEXT]} if isinstance(example.get("text"), str) else example


def _blank_text(example: dict[str, Any]) -> dict[str, Any]:
    text = example.get("text")
    return {**example, "text": "blank text"} if isinstance(text, str) and text and not text.strip() else example


def _any_role(example: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(example.get("messages"), list):
        return example
    return {"messages": [{**one, "role": "user"} if one.get("role") == "robot" else one for one in example["messages"]]}


MUTANTS = (
    Mutant(
        "empty_batch_taken", breaks="141", what="an empty batch is accepted", patch=_batch("batch_data", [{"text": "a b c"}]),
        dialects=SIGNAL,
    ),
    Mutant(
        "two_forms_taken", breaks="142", what="an example with two forms is accepted", patch=_lenient_examples(_one_form),
        dialects=SIGNAL,
    ),
    Mutant(
        "rewards_cut", breaks="143", what="responses and rewards of different length are cut to the shorter",
        patch=_lenient_examples(_same_length), dialects=SIGNAL,
    ),
    Mutant(
        "long_text_cut", breaks="144", what="text beyond its bound is cut", patch=_lenient_examples(_cut_text), dialects=SIGNAL,
    ),
    Mutant(
        "blank_text_taken", breaks="144", what="blank text is accepted", patch=_lenient_examples(_blank_text), dialects=SIGNAL,
    ),
    Mutant("any_role_taken", breaks="145", what="unknown roles are accepted", patch=_lenient_examples(_any_role), dialects=SIGNAL),
    Mutant(
        "any_loss_taken", breaks="146", what="an unknown loss_fn is taken for causal_lm",
        patch=around(signal_batch, "parse", _any_loss), dialects=SIGNAL,
    ),
    Mutant(
        "always_causal", breaks="146", what="every loss_fn computes causal_lm", patch=around(signal_batch, "parse", _always_causal),
        dialects=SIGNAL,
    ),
    Mutant(
        "empty_prompts_taken", breaks="149", what="an empty list of prompts is accepted", patch=_sample_bound("prompts", ["x"]),
        dialects=SIGNAL,
    ),
    Mutant(
        "max_tokens_unchecked", breaks="149", what="max_tokens of 0 is accepted", patch=_sample_bound("max_tokens", 1),
        dialects=SIGNAL,
    ),
    Mutant(
        "temperature_unchecked", breaks="149", what="a negative temperature is accepted",
        patch=_sample_bound("temperature", 1.0), dialects=SIGNAL,
    ),
    Mutant(
        "top_p_unchecked", breaks="149", what="top_p outside (0, 1] is accepted", patch=_sample_bound("top_p", 1.0),
        dialects=SIGNAL,
    ),
    Mutant(
        "mode_unchecked", breaks="153", what="an unknown mode is taken for adapter",
        patch=tolerating(signal_endpoints, wire.SaveState, "mode", "adapter"), dialects=SIGNAL,
    ),
    Mutant(
        "push_to_nowhere", breaks="155", what="push_to_hub without a name is acknowledged without effect",
        patch=tolerating(signal_endpoints, wire.SaveState, "push_to_hub", False), dialects=SIGNAL,
    ),
    Mutant(
        "push_ignored", breaks="155", what="push_to_hub is acknowledged without effect",
        patch=around(signal_works, "save_state", _pushes_nothing), by=TESTS, dialects=SIGNAL,
    ),
    Mutant(
        "bad_rate_taken", breaks="178", also=("137",), what="a learning rate of 0 or below is accepted for a step",
        patch=tolerating(signal_endpoints, wire.OptimStep, "learning_rate", None), dialects=SIGNAL,
    ),
)  # fmt: skip
