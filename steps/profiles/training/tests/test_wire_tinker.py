"""The wire of the dialect `tinker`: requests in protobuf, and what is read of results."""

from typing import Any

import numpy as np
import pytest

from rollout_conformance.contracts.training.wire_protobuf import CONTENT_TYPE, EMPTY_LOGPROB, FLOAT32
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles.training import protobuf
from rollout_conformance.steps.profiles.training.accounting import Row
from rollout_conformance.steps.profiles.training.wire import Data
from rollout_conformance.steps.profiles.training.wire_tinker import Tinker, request, sampled, trained

WIRE = Tinker()
DATA = Data(((1, 2, 3),), (Row(targets=(2, 3, 4), weights=(1.0, 0.0, 0.5)),), config={"clip_low_threshold": 0.0})


def bytes_of(values: list[float], layout: str) -> bytes:
    return np.asarray(values, layout).tobytes()


def output(**changed: Any) -> bytes:
    """A result with the logprobs of two datums."""
    message: Any = protobuf.message("ForwardBackwardOutput")
    record = message.loss_fn_outputs.add()
    record.num_datums = changed.get("num_datums", 2)
    tensor = record.fields["logprobs"]
    tensor.data, tensor.dtype = bytes_of([-1.0, -2.0, -3.0], "<f4"), FLOAT32
    tensor.offsets = bytes_of(changed.get("offsets", [0, 8, 12]), "<i8")
    message.metrics["loss:sum"] = 2.5
    return bytes(message.SerializeToString())


def sample(**changed: Any) -> bytes:
    message: Any = protobuf.message("SampleResponse")
    one = message.sequences.add()
    one.tokens, one.logprobs, one.stop_reason = bytes_of([7, 8], "<i4"), bytes_of([-0.5, -0.25], "<f4"), 1
    top = message.topk_prompt_logprobs
    top.token_ids, top.logprobs = bytes_of([0, 9], "<i4"), bytes_of([EMPTY_LOGPROB, -0.5], "<f4")
    top.k, top.length = changed.get("k", 1), changed.get("length", 2)
    return bytes(message.SerializeToString())


@pytest.mark.parametrize("forward", [False, True])
def test_a_request_has_all_that_is_sent(forward: bool) -> None:
    call = WIRE.measure("m", 4, DATA) if forward else WIRE.forward_backward("m", 4, DATA, accumulate=True)
    encoded = WIRE.encoded(call)
    message: Any = protobuf.decoded("ForwardBackwardRequest", encoded.body)
    (datum,) = message.data
    assert (call.path, encoded.content_type) == ("/api/v1/forward_backward", CONTENT_TYPE)
    assert (message.model_id, message.seq_id, message.forward_only) == ("m", 4, forward)
    assert np.frombuffer(datum.model_input[0].encoded_text.tokens, "<i4").tolist() == [1, 2, 3]
    assert np.frombuffer(datum.loss_fn_inputs["weights"].dense, "<f4").tolist() == [1.0, 0.0, 0.5]
    assert message.loss_fn_config_v2["clip_low_threshold"].HasField("number")  # a 0 that was sent is no absent member


def test_what_protobuf_has_no_form_for_is_a_mistake_of_the_case() -> None:
    with pytest.raises(SuiteError, match=r"no protobuf for this request: the member rc_unknown\. Write `dialects:"):
        request({"model_id": "m", "seq_id": 1, "forward_input": {}, "rc_unknown": 1})


def test_a_result_is_read_datum_by_datum() -> None:
    result = trained(output())
    outputs: Any = result["loss_fn_outputs"]
    assert [one["logprobs"]["data"] for one in outputs] == [[-1.0, -2.0], [-3.0]]
    assert result["metrics"] == {"loss:sum": 2.5}


def test_a_sample_is_read_as_json_has_it() -> None:
    result = sampled(sample())
    assert result["sequences"] == [{"tokens": [7, 8], "logprobs": [-0.5, -0.25], "stop_reason": "length"}]
    assert result["topk_prompt_logprobs"] == [None, [[9, -0.5]]]


@pytest.mark.parametrize(
    "body",
    [b"\xff", output(num_datums=2**62), output(num_datums=-1), output(offsets=[0, 8])],
    ids=["no message", "datums without end", "fewer than none", "an offset too few"],
)
def test_a_wrong_result_is_told_and_not_followed(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"no protobuf|num_datums|offsets"):
        trained(body)


@pytest.mark.parametrize("changed", [{"length": 2**62, "k": 0}, {"k": 3}], ids=["rows without end", "other rows"])
def test_rows_that_are_not_there_are_not_read(changed: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"token_ids for"):
        sampled(sample(**changed))


def test_an_id_that_only_json_can_carry_is_sent_as_its_replacement() -> None:
    sent = protobuf.message("ForwardBackwardRequest").FromString(request({"model_id": "m\ud800"}))
    assert sent.model_id == "m\ufffd"
