"""The wire of the SDK from 0.25 on: forward_backward is sent in protobuf, with `forward_only` for forward, and its results and those of samples
come in it. All else is the JSON of the SDKs before."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rollout_conformance.contracts.training.wire_protobuf import (
    CONTENT_TYPE,
    EMPTY_LOGPROB,
    FLOAT32,
    INT32,
    INT64,
    STOP,
)
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.json_text import parse, well_formed
from rollout_conformance.steps.profiles.training import protobuf
from rollout_conformance.steps.profiles.training.wire import Call, Data, Encoded, Members, TinkerJson

FORWARD, FORWARD_BACKWARD = "/api/v1/forward", "/api/v1/forward_backward"
LAYOUTS = {FLOAT32: "<f4", INT64: "<i8", INT32: "<i4"}
DTYPES = {"float32": FLOAT32, "int64": INT64, "int32": INT32}
UNKNOWN_DTYPE = 99
MOST = 1_000_000  # datums of a result, or tokens of a prompt: a count alone must not take time or memory
TRAINED = ("forward", "forward_backward", "measure")
IN_PROTOBUF = (*TRAINED, "sample")


class Tinker(TinkerJson):
    def measure(self, model: str, seq: int, data: Data) -> Call:
        call = super().measure(model, seq, data)
        return Call(FORWARD_BACKWARD, call.body, future=True)

    def encoded(self, call: Call) -> Encoded:
        if call.path == FORWARD_BACKWARD and call.body is not None:
            return Encoded(CONTENT_TYPE, request(call.body))
        polled = call.path == self.poll("").path
        return Encoded("application/json", super().encoded(call).body, CONTENT_TYPE if polled else "")

    def posted(self, path: str, body: bytes) -> tuple[str, Encoded]:
        """In protobuf what the SDK sends in it, unless protobuf has no form for what is wrong with it."""
        value = parse(body) if path in (FORWARD, FORWARD_BACKWARD) else None
        if not isinstance(value, Mapping):
            return super().posted(path, body)
        try:
            return FORWARD_BACKWARD, Encoded(CONTENT_TYPE, request(value))
        except SuiteError:
            return super().posted(path, body)

    def result(self, verb: str, content_type: str, body: bytes) -> object | None:
        if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE or verb not in IN_PROTOBUF:
            return None
        return trained(body) if verb in TRAINED else sampled(body)


def request(body: Mapping[str, Any]) -> bytes:
    """The message of a body as `tinker-json` has it. Raises `SuiteError` for what protobuf has no form for."""
    message: Any = protobuf.message("ForwardBackwardRequest")
    forward = "forward_input" in body
    given = body.get("forward_input" if forward else "forward_backward_input", {})
    strange = set(body) - {"model_id", "seq_id", "forward_input", "forward_backward_input", "type"}
    try:
        if strange:
            raise TypeError(f"the member {min(strange)}")
        if "model_id" in body:  # a target chooses it, and JSON carries what protobuf does not
            message.model_id = well_formed(body["model_id"])
        if "seq_id" in body:
            message.seq_id = body["seq_id"]
        message.forward_only = forward
        message.loss_fn = given.get("loss_fn", "")
        for name, value in given.get("loss_fn_config", {}).items():
            message.loss_fn_config[name] = message.loss_fn_config_v2[name].number = value
        for datum in given.get("data", ()):
            _add_datum(message, datum)
    except (TypeError, ValueError, AttributeError) as error:
        why = "the dialect `tinker` has no protobuf for this request"
        raise SuiteError(f"{why}: {error}. Write `dialects: [tinker-json]`.") from error
    return bytes(message.SerializeToString())


def _add_datum(message: Any, datum: Mapping[str, Any]) -> None:
    added = message.data.add()
    for chunk in datum["model_input"]["chunks"]:
        added.model_input.add().encoded_text.tokens = np.asarray(chunk["tokens"], "<i4").tobytes()
    for name, tensor in datum["loss_fn_inputs"].items():
        dtype = DTYPES.get(tensor["dtype"], UNKNOWN_DTYPE)
        made = added.loss_fn_inputs[name]
        values = np.asarray(tensor["data"], LAYOUTS.get(dtype, "<f4")).tobytes()
        if "sparse_crow_indices" in tensor:
            made.sparse_csr.values = values
            made.sparse_csr.crow_indices = np.asarray(tensor["sparse_crow_indices"], "<i8").tobytes()
            made.sparse_csr.col_indices = np.asarray(tensor["sparse_col_indices"], "<i8").tobytes()
        else:
            made.dense = values
        made.dtype = dtype
        made.shape.extend(tensor.get("shape", [len(tensor["data"])]))


def trained(body: bytes) -> Members:
    """The result of forward_backward as JSON has it. Raises `ValueError` for bytes that are none."""
    message: Any = protobuf.decoded("ForwardBackwardOutput", body)
    outputs = [output for record in message.loss_fn_outputs for output in _outputs(record)]
    return {
        "loss_fn_output_type": message.loss_fn_output_type,
        "loss_fn_outputs": outputs,
        "metrics": dict(message.metrics),
    }


def _outputs(record: Any) -> list[Members]:
    """One for each datum, with the tensors that the record holds of it. The offsets of a tensor are those of bytes."""
    if not 0 <= record.num_datums <= MOST:
        raise ValueError(f"num_datums is {record.num_datums}")
    rows = {name: _rows(tensor, record.num_datums) for name, tensor in record.fields.items()}
    return [{name: row[n] for name, row in rows.items()} for n in range(record.num_datums)]


def _rows(tensor: Any, count: int) -> list[Members]:
    offsets = np.frombuffer(tensor.offsets, "<i8").tolist()
    if len(offsets) != count + 1:
        raise ValueError(f"{len(offsets)} offsets for {count} datums: there is one more than datums")
    dtype = next((name for name, number in DTYPES.items() if number == tensor.dtype), str(tensor.dtype))
    layout, trailing = LAYOUTS.get(tensor.dtype, "<f4"), list(tensor.trailing_shape)
    return [_row(_values(tensor.data[start:end], layout), dtype, trailing) for start, end in pairwise(offsets)]


def _row(values: list[Any], dtype: str, trailing: list[int]) -> Members:
    """A tensor with its shape, where the record has more than one dimension."""
    width = math.prod(trailing)
    shape = {"shape": [len(values) // width if width > 0 else 0, *trailing]} if trailing else {}
    return {"data": values, "dtype": dtype, **shape}


def sampled(body: bytes) -> Members:
    """The result of a sample as JSON has it. Raises `ValueError` for bytes that are none."""
    message: Any = protobuf.decoded("SampleResponse", body)
    result: Members = {"sequences": [_sequence(one) for one in message.sequences]}
    if message.HasField("prompt_logprobs"):
        values = _values(message.prompt_logprobs, "<f4")
        result["prompt_logprobs"] = [None if value != value else value for value in values]
    if message.HasField("topk_prompt_logprobs"):
        result["topk_prompt_logprobs"] = _top(message.topk_prompt_logprobs)
    return result


def _sequence(given: Any) -> Members:
    return {
        "tokens": _values(given.tokens, "<i4"),
        "logprobs": _values(given.logprobs, "<f4"),
        "stop_reason": "stop" if given.stop_reason == STOP else "length",
    }


def _top(given: Any) -> list[list[list[float]] | None]:
    """Rows of token and logprob; the first token, which nothing predicts, has none."""
    ids, logprobs = _values(given.token_ids, "<i4"), _values(given.logprobs, "<f4")
    if not 0 <= given.length <= MOST or given.k * given.length != len(ids):
        raise ValueError(f"{len(ids)} token_ids for {given.length} rows of {given.k}")
    pairs = [[token, logprob] for token, logprob in zip(ids, logprobs, strict=True)]
    rows = [pairs[n * given.k : (n + 1) * given.k] for n in range(given.length)]
    return [[one for one in row if one[1] != EMPTY_LOGPROB] or None for row in rows]


def _values(data: bytes, layout: str) -> list[Any]:
    values: Sequence[Any] = np.frombuffer(data, layout).tolist()
    return list(values)
