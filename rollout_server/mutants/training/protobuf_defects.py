"""Defects of what the dialect `tinker` sends and returns in protobuf."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, around, put
from rollout_conformance.rollout_server.training import content_encoding, protobuf, tinker_endpoints, tinker_protobuf
from rollout_conformance.rollout_server.training.errors import UserError

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


def _crashes(condition: Callable[[UserError], bool]) -> Callable[..., Any]:
    """An error of the user of this kind becomes one of the server."""

    def patched(original: Any, *given: Any) -> Any:
        try:
            return original(*given)
        except UserError as error:
            if condition(error):
                raise RuntimeError(error.message) from None
            raise

    return patched


def _as_far_as_it_goes(original: Any, name: str, data: bytes) -> Message:
    """What can be read of a message that is cut."""
    for end in range(len(data), -1, -1):
        try:
            return original(name, data[:end])  # type: ignore[no-any-return]
        except protobuf.NotProtobufError:
            continue
    raise AssertionError("nothing is a message without members")


MUTANTS = (
    Mutant(
        "protobuf_broken_500", breaks="032", what="a body that is no message of protobuf is answered with 500",
        patch=around(tinker_protobuf, "request", _crashes(lambda error: error.message.startswith("The body is no"))),
        dialects=PROTOBUF,
    ),
    Mutant(
        "protobuf_cut_accepted", breaks="032", what="of a message that is cut, what can be read is carried out",
        patch=around(protobuf, "decode", _as_far_as_it_goes), dialects=PROTOBUF,
    ),
    Mutant(
        "unknown_encoding_500", breaks="032", what="a Content-Encoding that the server does not know is answered with 500",
        patch=around(content_encoding, "unpack", _crashes(lambda error: error.status == 415)), dialects=PROTOBUF,
    ),
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
