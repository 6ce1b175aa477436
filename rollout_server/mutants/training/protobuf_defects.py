"""Defects of what the dialect `tinker` sends and returns in protobuf."""

from typing import Any

import numpy as np

from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, around, put
from rollout_conformance.rollout_server.training import tinker_endpoints, tinker_protobuf

PROTOBUF = ("tinker",)
Message = dict[str, Any]


def _record(change: Any) -> Patch:
    """Change the batched logprobs of the outputs of a call, to `change(batched)`."""

    def patched(original: Any, outputs: Any) -> Message:
        record: Message = original(outputs)
        fields = record["fields"]
        return {**record, "fields": {**fields, "logprobs": {**fields["logprobs"], **change(fields["logprobs"])}}}

    return around(tinker_protobuf, "record", patched)


def _of_elements(batched: Message) -> Message:
    return {"offsets": (np.frombuffer(batched["offsets"], "<i8") // 4).astype("<i8").tobytes()}


def _without_last(batched: Message) -> Message:
    return {"offsets": batched["offsets"][:-8]}


def _in_half(batched: Message) -> Message:
    halves = np.frombuffer(batched["data"], "<f4").astype("<f2").astype("<f4")
    return {"data": halves.tobytes()}


def _always_trains(original: Any, data: bytes) -> tuple[str, Message]:
    _, body = original(data)
    return "forward_backward", {
        name.replace("forward_input", "forward_backward_input"): one for name, one in body.items()
    }


def _first_map(original: Any, given: Message) -> Message:
    """Only the older map of options is read, by a name that no client writes."""
    return {}


def _one_chunk(original: Any, given: Message) -> Message:
    return original({**given, "model_input": given["model_input"][:1]})  # type: ignore[no-any-return]


def _reversed(original: Any, given: Message) -> Message:
    sequence: Message = original(given)
    return {**sequence, "logprobs": np.frombuffer(sequence["logprobs"], "<f4")[::-1].tobytes()}


MUTANTS = (
    Mutant(
        "protobuf_never", breaks="043", what="results are JSON, whatever the poll accepts",
        patch=put(tinker_endpoints, "wants_protobuf", lambda request: False), dialects=PROTOBUF,
    ),
    Mutant(
        "offsets_of_elements", breaks="012", also=("*",), what="the offsets of a result count elements, not bytes",
        patch=_record(_of_elements), dialects=PROTOBUF,
    ),
    Mutant(
        "offsets_one_short", breaks="200", also=("*",), what="the offsets of a result lack the end of the last datum",
        patch=_record(_without_last), dialects=PROTOBUF,
    ),
    Mutant(
        "logprobs_in_half", breaks="009", also=("*",), what="logprobs are rounded to half precision when they are returned",
        patch=_record(_in_half), dialects=PROTOBUF,
    ),
    Mutant(
        "forward_only_ignored", breaks="008", also=("*",), what="forward_only is ignored",
        patch=around(tinker_protobuf, "request", _always_trains), dialects=PROTOBUF,
    ),
    Mutant(
        "protobuf_config_ignored", breaks="033", also=("*",), what="loss_fn_config is not read",
        patch=around(tinker_protobuf, "loss_config", _first_map), dialects=PROTOBUF,
    ),
    Mutant(
        "protobuf_first_chunk", breaks="041", also=("*",), what="only the first chunk of a text is read",
        patch=around(tinker_protobuf, "datum", _one_chunk), dialects=PROTOBUF,
    ),
    Mutant(
        "protobuf_sample_reversed", breaks="022", also=("*",), what="the logprobs of a sample are in reverse order",
        patch=around(tinker_protobuf, "sequence", _reversed), dialects=PROTOBUF,
    ),
)  # fmt: skip
