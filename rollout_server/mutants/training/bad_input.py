"""Defects of what is refused, in the dialect `tinker-json`."""

import contextlib
from typing import Any

import numpy as np

from rollout_conformance.contracts.training import wire_tinker as wire
from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import (
    batch,
    checkpoints,
    content_encoding,
    tensors,
    tinker_sessions,
    training_step,
)
from rollout_conformance.rollout_server.training.base_model import VOCABULARY
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.losses import LOSSES


def _crash(original: Any, *arguments: Any) -> Any:
    """Bad values are found by the code that uses them."""
    try:
        return original(*arguments)
    except UserError as error:
        raise RuntimeError(error.message) from None


def _unknown_is_default(original: Any, given: wire.LossInput, limits: Any) -> Any:
    return original(given if given.loss_fn in LOSSES else given.model_copy(update={"loss_fn": "cross_entropy"}), limits)


def _wrapped(original: Any, ids: list[int], where: str) -> Any:
    return original([token % VOCABULARY for token in ids], where)


def _padded(original: Any, datum: wire.Datum, loss: Any, where: str) -> Any:
    """Tensors that are too short are filled with zeros."""
    length = sum(len(chunk.tokens) for chunk in datum.model_input.chunks)
    filled = {name: _fill(one, length) for name, one in datum.loss_fn_inputs.items()}
    return original(datum.model_copy(update={"loss_fn_inputs": filled}), loss, where)


def _known_tensors(original: Any, datum: wire.Datum, loss: Any, where: str) -> Any:
    known = {"target_tokens", *loss.needs, *loss.takes}
    kept = {name: one for name, one in datum.loss_fn_inputs.items() if name in known}
    return original(datum.model_copy(update={"loss_fn_inputs": kept}), loss, where)


def _fill(tensor: wire.TensorData, length: int) -> wire.TensorData:
    data = [*tensor.data, *([0] * (length - len(tensor.data)))]
    return tensor.model_copy(update={"data": data, "shape": [len(data)]}) if len(tensor.data) < length else tensor


def _without_unknown(original: Any, body: dict[str, Any], model: Any) -> Any:
    """Members that are not known are ignored."""
    try:
        return original(body, model)
    except UserError:
        return original(_known(body, model), model)


def _known(body: Any, model: Any) -> Any:
    fields = {name: body[name] for name in body if name in model.model_fields}
    lora = fields.get("lora_config")
    if isinstance(lora, dict):
        fields["lora_config"] = {name: lora[name] for name in lora if name in wire.LoraConfig.model_fields}
    return fields


def _infinite_is_zero(
    original: Any, base: Any, unembedding: Any, sequence: Any, given: Any, *, with_gradient: bool
) -> Any:
    """A loss that is not finite is taken as it is, and its gradient as zero."""
    try:
        return original(base, unembedding, sequence, given, with_gradient=with_gradient)
    except UserError:
        zero = np.zeros_like(unembedding) if with_gradient else None
        lp = np.zeros(sequence.targets.shape)
        return training_step.Evaluated(0.0, lp, zero)


def _half_applied(original: Any, app_state: Any, user: str, model: Any, given: wire.ForwardBackward) -> Any:
    """A refused batch has trained what stands before the bad datum."""
    try:
        return original(app_state, user, model, given)
    except UserError:
        _train(app_state, model["id"], model["base_model"], wire.LossInput(data=[GOOD], loss_fn="cross_entropy"))
        raise


def _data_before_applied(original: Any, app_state: Any, user: str, model: Any, given: wire.ForwardBackward) -> Any:
    """A refused batch has trained its own data before the bad one, if there are any."""
    try:
        return original(app_state, user, model, given)
    except UserError:
        whole = given.forward_backward_input
        for end in range(len(whole.data) - 1, 0, -1):
            with contextlib.suppress(UserError):
                _train(app_state, model["id"], model["base_model"], whole.model_copy(update={"data": whole.data[:end]}))
                break
        raise


def _train(app_state: Any, model: str, base: str, first: wire.LossInput) -> None:
    from rollout_conformance.rollout_server.training import base_model, tinker_works

    state = app_state.service.models.state(model)
    parsed = batch.parse(first, tinker_works.limits(app_state))
    outcome = training_step.forward_backward(base_model.load(base), state, parsed)
    app_state.service.models.write(model, state, outcome.state)
    app_state.service.models.adopt(model, outcome.state)


GOOD = wire.Datum.model_validate(
    {
        "model_input": {"chunks": [{"tokens": [11, 12]}]},
        "loss_fn_inputs": {"target_tokens": {"data": [12, 13], "dtype": "int64"}},
    }
)


def _any_name(name: str) -> str:
    return name


def _unlimited(original: Any, encoding: str, body: bytes, limit: int) -> bytes:
    unpacked: bytes = original(encoding, body, 2**28)
    return unpacked


def _nan_is_null(original: Any, data: Any) -> Any:
    import json

    try:
        return original(data)
    except json_text.NotJsonError:
        value = json.loads(data)
        return _finite(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return 0.0 if isinstance(value, float) and not np.isfinite(value) else value


MUTANTS = (
    Mutant(
        "bad_batch_500", breaks="032", also=("033",), what="a bad batch is a server error",
        patch=around(batch, "parse", _crash), dialects=TINKER,
    ),
    Mutant(
        "unknown_loss_trains", breaks="032", what="an unknown loss is taken for cross_entropy",
        patch=around(batch, "parse", _unknown_is_default), dialects=TINKER,
    ),
    Mutant(
        "tokens_wrap", breaks="032", what="tokens beyond the vocabulary wrap around",
        patch=around(tensors, "token_ids", _wrapped), dialects=TINKER,
    ),
    Mutant(
        "ragged_padded", breaks="032", what="tensors that are too short are filled with zeros",
        patch=around(batch, "parse_datum", _padded), dialects=TINKER,
    ),
    Mutant(
        "nan_is_zero", breaks="032", what="NaN and infinity are taken as 0",
        patch=around(json_text, "loads", _nan_is_null), dialects=TINKER,
    ),
    Mutant(
        "infinite_loss_taken", breaks="032", what="a loss that is not finite counts as 0",
        patch=around(training_step, "evaluate", _infinite_is_zero), dialects=TINKER,
    ),
    Mutant(
        "refused_batch_trains", breaks="032", also=("007", "304"), what="a batch that is refused leaves gradients behind",
        patch=lambda: _patch_builder("forward_backward", _half_applied), dialects=TINKER,
    ),
    Mutant(
        "unknown_tensors_ignored", breaks="203", what="tensors that the loss does not take are ignored",
        patch=around(batch, "parse_datum", _known_tensors), dialects=TINKER,
    ),
    Mutant(
        "data_before_the_bad_one_train", breaks="032", what="a batch that is refused leaves the gradients of its data before the bad one",
        patch=lambda: _patch_builder("forward_backward", _data_before_applied), dialects=TINKER,
    ),
    Mutant(
        "lora_parts_ignored", breaks="033", also=("032",), what="train_mlp and rank limits of lora_config are not checked",
        patch=put(tinker_sessions, "check_lora", lambda *_: None), dialects=TINKER,
    ),
    Mutant(
        "unknown_members_ignored", breaks="033", also=("032",), what="members that are not known are ignored",
        patch=around(tinker_sessions, "validate", _without_unknown), dialects=TINKER,
    ),
    Mutant(
        "names_are_paths", breaks="020", also=("032",), what="names of checkpoints are not checked",
        patch=put(checkpoints, "check_name", _any_name), dialects=TINKER,
    ),
    Mutant(
        "bombs_unpack", breaks="037", what="a compressed body unpacks without limit",
        patch=around(content_encoding, "unpack", _unlimited), dialects=TINKER,
    ),
)  # fmt: skip


def _patch_builder(kind: str, change: Any) -> None:
    from rollout_conformance.rollout_server.training import tinker_works

    original = tinker_works.BUILDERS[kind]
    tinker_works.BUILDERS[kind] = lambda *arguments: change(original, *arguments)
