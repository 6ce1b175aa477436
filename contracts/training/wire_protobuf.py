"""The protobuf messages of the dialect `tinker`, SDK 0.25 and later: the numbers, names and types of their members.

Only forward_backward is sent in this form, and only its results and those of asample are returned in it; all else is the JSON of `tinker-json`.
Arrays are little-endian bytes: tokens int32, indices int64, values in the `dtype` beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "application/x-protobuf"
FLOAT32, INT64, INT32 = 1, 2, 3  # DType
STOP, LENGTH = 0, 1  # StopReason
EMPTY_LOGPROB = -99999.0  # of a cell of TopkLogprobs that has no token

Kind = Literal["text", "bytes", "integer", "boolean", "double"]


@dataclass(frozen=True, slots=True)
class Member:
    """`kind` is a scalar type or the name of a message. A map is a repeated message of `key` and `value`."""

    name: str
    kind: str
    form: Literal["single", "repeated", "map"] = "single"


SCALARS: tuple[Kind, ...] = ("text", "bytes", "integer", "boolean", "double")
MESSAGES: Mapping[str, Mapping[int, Member]] = {
    "ForwardBackwardRequest": {
        1: Member("model_id", "text"),
        2: Member("seq_id", "integer"),
        3: Member("data", "Datum", "repeated"),
        4: Member("loss_fn", "text"),
        5: Member("loss_fn_config", "double", "map"),
        6: Member("forward_only", "boolean"),
        7: Member("loss_fn_config_v2", "LossConfigValue", "map"),
    },
    "LossConfigValue": {1: Member("number", "double"), 2: Member("text", "text")},
    "Datum": {
        1: Member("model_input", "Chunk", "repeated"),
        2: Member("loss_fn_inputs", "Tensor", "map"),
        3: Member("model_input_spans", "bytes", "repeated"),
        4: Member("loss_fn_input_spans", "bytes", "repeated"),
    },
    "Chunk": {1: Member("encoded_text", "EncodedTextChunk"), 2: Member("image", "bytes"), 3: Member("dmel", "bytes")},
    "EncodedTextChunk": {1: Member("tokens", "bytes")},
    "Tensor": {
        1: Member("dense", "bytes"),
        2: Member("sparse_csr", "SparseCsr"),
        3: Member("dtype", "integer"),
        4: Member("shape", "integer", "repeated"),
    },
    "SparseCsr": {1: Member("values", "bytes"), 2: Member("crow_indices", "bytes"), 3: Member("col_indices", "bytes")},
    "ForwardBackwardOutput": {
        1: Member("loss_fn_output_type", "text"),
        2: Member("loss_fn_outputs", "ArrayRecord", "repeated"),
        3: Member("metrics", "double", "map"),
    },
    "ArrayRecord": {
        1: Member("type_tag", "text"),
        2: Member("fields", "BatchedTensor", "map"),
        3: Member("num_datums", "integer"),
    },
    "BatchedTensor": {
        1: Member("data", "bytes"),
        2: Member("offsets", "bytes"),
        3: Member("dtype", "integer"),
        4: Member("trailing_shape", "integer", "repeated"),
    },
    "SampleResponse": {
        1: Member("sequences", "SampledSequence", "repeated"),
        2: Member("prompt_logprobs", "bytes"),
        3: Member("topk_prompt_logprobs", "TopkLogprobs"),
    },
    "SampledSequence": {
        1: Member("stop_reason", "integer"),
        2: Member("tokens", "bytes"),
        3: Member("logprobs", "bytes"),
    },
    "TopkLogprobs": {
        1: Member("token_ids", "bytes"),
        2: Member("logprobs", "bytes"),
        3: Member("k", "integer"),
        4: Member("length", "integer"),
    },
}
