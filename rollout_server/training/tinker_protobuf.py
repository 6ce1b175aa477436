"""Between the protobuf of the dialect `tinker` and the JSON of `tinker-json`, so that both run the same code."""

import contextlib
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from rollout_conformance.contracts.training import wire_protobuf as wire
from rollout_conformance.rollout_server.training import errors, protobuf

DTYPES = {wire.FLOAT32: ("float32", "<f4"), wire.INT64: ("int64", "<i8"), wire.INT32: ("int64", "<i4")}
RESULTS = {"forward", "forward_backward", "asample"}


def request(data: bytes) -> tuple[str, dict[str, Any]]:
    """The kind of call, and its body as `tinker-json` has it. Raises `UserError` 400."""
    try:
        given = protobuf.decode("ForwardBackwardRequest", data)
    except protobuf.NotProtobufError as error:
        raise errors.invalid(f"The body is no ForwardBackwardRequest: {error}") from None
    batch: dict[str, Any] = {"data": [datum(one) for one in given["data"]], "loss_fn": given.get("loss_fn", "")}
    if config := loss_config(given):
        batch["loss_fn_config"] = config
    kind = "forward" if given.get("forward_only") else "forward_backward"
    return kind, {"model_id": given.get("model_id", ""), "seq_id": given.get("seq_id", 0), f"{kind}_input": batch}


def numbers(data: bytes) -> dict[str, Any]:
    """What shows the number of a call that cannot be read: the members before the one that is wrong, and beside one that is not known."""
    found: dict[str, Any] = {}
    members = wire.MESSAGES["ForwardBackwardRequest"]
    with contextlib.suppress(protobuf.NotProtobufError):
        for number, wire_type, raw in protobuf.fields(data):
            if number in members and members[number].name in ("model_id", "seq_id"):
                protobuf.add(found, members[number], wire_type, raw)
    return found


def loss_config(given: dict[str, Any]) -> dict[str, float]:
    """The second map has all options; the first those that older servers know."""
    if not given["loss_fn_config_v2"]:
        return dict(given["loss_fn_config"])
    for name, value in given["loss_fn_config_v2"].items():
        if "number" not in value:
            raise errors.not_implemented(f"A text as loss_fn_config.{name[:64]}")
    return {name: value["number"] for name, value in given["loss_fn_config_v2"].items()}


def datum(given: dict[str, Any]) -> dict[str, Any]:
    if given["model_input_spans"] or given["loss_fn_input_spans"]:
        raise errors.not_implemented("Spans of provenance")
    inputs = {name: tensor(name, one) for name, one in given["loss_fn_inputs"].items()}
    return {"model_input": {"chunks": [chunk(one) for one in given["model_input"]]}, "loss_fn_inputs": inputs}


def chunk(given: dict[str, Any]) -> dict[str, Any]:
    if set(given) != {"encoded_text"}:
        raise errors.not_implemented("A chunk that is not encoded_text")
    return {"type": "encoded_text", "tokens": values(given["encoded_text"].get("tokens", b""), "<i4", "tokens")}


def tensor(name: str, given: dict[str, Any]) -> dict[str, Any]:
    if given.get("dtype") not in DTYPES:
        raise errors.invalid(f"{name[:64]} has no dtype that this server knows")
    dtype, layout = DTYPES[given["dtype"]]
    made: dict[str, Any] = {"dtype": dtype}
    if "sparse_csr" in given:
        sparse = given["sparse_csr"]
        made["data"] = values(sparse.get("values", b""), layout, name)
        for member in ("crow_indices", "col_indices"):
            made[f"sparse_{member}"] = values(sparse.get(member, b""), "<i8", name)
    else:
        made["data"] = values(given.get("dense", b""), layout, name)
    return {**made, "shape": given["shape"] or [len(made["data"])]}


def values(data: bytes, layout: str, name: str) -> list[Any]:
    try:
        found: list[Any] = np.frombuffer(data, layout).tolist()
    except ValueError:
        raise errors.invalid(f"{name[:64]} has a number of bytes that is no multiple of its type") from None
    return found


def result(kind: str, given: dict[str, Any]) -> bytes:
    """The result of a call of one of RESULTS."""
    return sampled(given) if kind == "asample" else trained(given)


def trained(given: dict[str, Any]) -> bytes:
    outputs = given["loss_fn_outputs"]
    records = [record(list(group)) for _, group in groupby(outputs, key=lambda one: one["logprobs"]["shape"][1:])]
    message = {
        "loss_fn_output_type": given["loss_fn_output_type"],
        "loss_fn_outputs": records,
        "metrics": given["metrics"],
    }
    return protobuf.encode("ForwardBackwardOutput", message)


def record(outputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Outputs of one trailing shape. The offsets are those of bytes."""
    rows = [np.asarray(one["logprobs"]["data"], "<f4").tobytes() for one in outputs]
    offsets = np.cumsum([0, *(len(row) for row in rows)]).astype("<i8").tobytes()
    trailing = outputs[0]["logprobs"]["shape"][1:]
    batched = {"data": b"".join(rows), "offsets": offsets, "dtype": wire.FLOAT32, "trailing_shape": trailing}
    return {"type_tag": "ArrayRecord", "fields": {"logprobs": batched}, "num_datums": len(outputs)}


def sampled(given: dict[str, Any]) -> bytes:
    message: dict[str, Any] = {"sequences": [sequence(one) for one in given["sequences"]]}
    if given.get("prompt_logprobs") is not None:
        row = [np.nan if value is None else value for value in given["prompt_logprobs"]]
        message["prompt_logprobs"] = np.asarray(row, "<f4").tobytes()
    if given.get("topk_prompt_logprobs") is not None:
        message["topk_prompt_logprobs"] = top(given["topk_prompt_logprobs"])
    return protobuf.encode("SampleResponse", message)


def sequence(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "stop_reason": wire.STOP if given["stop_reason"] == "stop" else wire.LENGTH,
        "tokens": np.asarray(given["tokens"], "<i4").tobytes(),
        "logprobs": np.asarray(given["logprobs"], "<f4").tobytes(),
    }


def top(rows: Sequence[Any]) -> dict[str, Any]:
    """One row for each token of the prompt; that of the first, which nothing predicts, is empty."""
    k = max(len(row or []) for row in rows)
    ids, logprobs = np.zeros((len(rows), k), "<i4"), np.full((len(rows), k), wire.EMPTY_LOGPROB, "<f4")
    for n, row in enumerate(rows):
        for rank, (token, logprob) in enumerate(row or []):
            ids[n, rank], logprobs[n, rank] = token, logprob
    return {"token_ids": ids.tobytes(), "logprobs": logprobs.tobytes(), "k": k, "length": len(rows)}


def is_sent(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == wire.CONTENT_TYPE


def is_wanted(accept: str) -> bool:
    """Only where JSON is not taken as well: the SDKs before 0.25 name both."""
    named = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return wire.CONTENT_TYPE in named and not named & {"application/json", "*/*"}
