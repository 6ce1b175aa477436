"""The protobuf form of forward_backward and of results: against the library of Google, and against the JSON form."""

import contextlib
import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout_conformance.contracts.training.wire_protobuf import CONTENT_TYPE, EMPTY_LOGPROB, MESSAGES, SCALARS, Member
from rollout_conformance.rollout_server.tests.training.support import API, A, B, Client, Model, batch, near, play
from rollout_conformance.rollout_server.training import protobuf, tinker_protobuf

GOOGLE = {"text": 9, "bytes": 12, "integer": 3, "boolean": 8, "double": 1}  # FieldDescriptorProto.Type
MESSAGE, OPTIONAL, REPEATED = 11, 1, 3


def googles() -> Any:
    """The messages as classes of Google's library, built from our tables."""
    pytest.importorskip("google.protobuf", reason="the package protobuf is not installed")
    modules = ("descriptor_pb2", "descriptor_pool", "message_factory")
    descriptor_pb2, descriptor_pool, message_factory = (
        importlib.import_module(f"google.protobuf.{one}") for one in modules
    )
    file = descriptor_pb2.FileDescriptorProto(name="training.proto", package="t", syntax="proto3")
    for name, members in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, member in members.items():
            kind, type_name = GOOGLE.get(member.kind, MESSAGE), None if member.kind in GOOGLE else f".t.{member.kind}"
            if member.form == "map":
                entry = f"{''.join(part.capitalize() for part in member.name.split('_'))}Entry"
                nested = message.nested_type.add(name=entry)
                nested.options.map_entry = True
                nested.field.add(name="key", number=1, type=9, label=OPTIONAL)
                nested.field.add(name="value", number=2, type=kind, label=OPTIONAL, type_name=type_name)
                kind, type_name = MESSAGE, f".t.{name}.{entry}"
            label = OPTIONAL if member.form == "single" else REPEATED
            message.field.add(name=member.name, number=number, type=kind, label=label, type_name=type_name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{name}")) for name in MESSAGES}


VALUES = {
    "text": st.text(max_size=5),
    "bytes": st.binary(max_size=9),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "double": st.floats(allow_nan=False),
}


def value_of(member: Member, depth: int) -> st.SearchStrategy[Any]:
    one = VALUES[member.kind] if member.kind in SCALARS else message_of(member.kind, depth - 1)
    if member.form == "repeated":
        return st.lists(one, max_size=3)
    return st.dictionaries(st.text(max_size=3), one, max_size=3) if member.form == "map" else one


def message_of(name: str, depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    members = {member.name: value_of(member, depth) for member in MESSAGES[name].values() if depth > 0}
    always = {member.name for member in MESSAGES[name].values() if member.form != "single"}
    empty: dict[str, st.SearchStrategy[Any]] = {
        member.name: st.just([]) if member.form == "repeated" else st.just({})
        for member in MESSAGES[name].values()
        if member.name in always
    }
    if not members:
        return st.fixed_dictionaries(empty)
    required = {key: value for key, value in members.items() if key in always}
    optional = {key: value for key, value in members.items() if key not in always}
    return st.fixed_dictionaries(required, optional=optional)


ROOTS = ("ForwardBackwardRequest", "ForwardBackwardOutput", "SampleResponse")


@given(st.data(), st.sampled_from(ROOTS))
def test_what_is_encoded_is_decoded(data: st.DataObject, name: str) -> None:
    message = data.draw(message_of(name))
    assert protobuf.decode(name, protobuf.encode(name, message)) == message


@given(st.sampled_from(ROOTS), st.binary(max_size=60))
def test_any_bytes_are_a_message_or_no_message(name: str, data: bytes) -> None:
    """Nothing else is raised."""
    with contextlib.suppress(protobuf.NotProtobufError):
        assert isinstance(protobuf.decode(name, data), dict)


def filled(classes: Any) -> Any:
    message = classes["ForwardBackwardRequest"](model_id="m", seq_id=3, loss_fn="ppo", forward_only=True)
    message.loss_fn_config["clip_low_threshold"] = 0.8
    message.loss_fn_config_v2["clip_low_threshold"].number = 0.8
    one = message.data.add()
    one.model_input.add().encoded_text.tokens = np.asarray([5, 6], "<i4").tobytes()
    one.loss_fn_inputs["target_tokens"].dense = np.asarray([6, 7], "<i8").tobytes()
    one.loss_fn_inputs["target_tokens"].dtype = 2
    one.loss_fn_inputs["target_tokens"].shape.extend([2])
    sparse = one.loss_fn_inputs["weights"]
    sparse.dtype, sparse.sparse_csr.values = 1, np.asarray([0.5], "<f4").tobytes()
    sparse.shape.extend([2, 1])
    sparse.sparse_csr.crow_indices = np.asarray([0, 0, 1], "<i8").tobytes()
    sparse.sparse_csr.col_indices = np.asarray([0], "<i8").tobytes()
    return message


def test_googles_bytes_are_read() -> None:
    kind, body = tinker_protobuf.request(filled(googles()).SerializeToString())
    assert kind == "forward"
    (one,) = body["forward_input"]["data"]
    assert body == {"model_id": "m", "seq_id": 3, "forward_input": body["forward_input"]}
    assert body["forward_input"]["loss_fn_config"] == {"clip_low_threshold": 0.8}
    assert one["model_input"]["chunks"] == [{"type": "encoded_text", "tokens": [5, 6]}]
    assert one["loss_fn_inputs"]["target_tokens"] == {"dtype": "int64", "data": [6, 7], "shape": [2]}
    assert one["loss_fn_inputs"]["weights"] == {
        "dtype": "float32", "data": [0.5], "shape": [2, 1], "sparse_crow_indices": [0, 0, 1], "sparse_col_indices": [0],
    }  # fmt: skip


def test_google_reads_our_bytes() -> None:
    sample = {"sequences": [{"tokens": [5, 6], "logprobs": [-1.0, -2.0], "stop_reason": "length"}], "prompt_logprobs": [None, -0.5],
              "topk_prompt_logprobs": [None, [[7, -0.25]]]}  # fmt: skip
    read = googles()["SampleResponse"].FromString(tinker_protobuf.result("asample", sample))
    assert np.frombuffer(read.sequences[0].tokens, "<i4").tolist() == [5, 6]
    assert np.frombuffer(read.sequences[0].logprobs, "<f4").tolist() == [-1.0, -2.0]
    assert read.sequences[0].stop_reason == 1
    first, second = np.frombuffer(read.prompt_logprobs, "<f4")
    assert np.isnan(first)
    assert second == -0.5
    assert (read.topk_prompt_logprobs.k, read.topk_prompt_logprobs.length) == (1, 2)
    assert np.frombuffer(read.topk_prompt_logprobs.logprobs, "<f4").tolist() == [np.float32(EMPTY_LOGPROB), -0.25]


# Over the wire


def tensor_message(given: dict[str, Any]) -> dict[str, Any]:
    dtype, layout = {"int64": (2, "<i8"), "float32": (1, "<f4")}[given["dtype"]]
    return {"dense": np.asarray(given["data"], layout).tobytes(), "dtype": dtype, "shape": given["shape"]}


def message(model: Model, *data: dict[str, Any], seq: int, forward_only: bool = False) -> bytes:
    datums = [
        {
            "model_input": [
                {"encoded_text": {"tokens": np.asarray(chunk["tokens"], "<i4").tobytes()}}
                for chunk in one["model_input"]["chunks"]
            ],
            "loss_fn_inputs": {name: tensor_message(given) for name, given in one["loss_fn_inputs"].items()},
        }
        for one in data
    ]
    whole = {
        "model_id": model.id,
        "seq_id": seq,
        "data": datums,
        "loss_fn": "cross_entropy",
        "forward_only": forward_only,
    }
    return protobuf.encode("ForwardBackwardRequest", whole)


async def send(c: Client, body: bytes) -> Any:
    return await c.post(API + "forward_backward", content=body, headers={"Content-Type": CONTENT_TYPE})


async def retrieve(c: Client, request_id: str) -> Any:
    headers = {"Accept": CONTENT_TYPE}
    return await c.post(API + "retrieve_future", json={"request_id": request_id}, headers=headers)


async def both_forms_train_alike(c: Client, _: Client) -> None:
    one, two = await c.model(), await c.model()
    expected = await one.backward(A, B)
    submitted = await send(c, message(two, A, B, seq=two.next()))
    response = await retrieve(c, submitted.json()["request_id"])
    assert response.headers["content-type"] == CONTENT_TYPE
    found = protobuf.decode("ForwardBackwardOutput", response.content)
    assert found["metrics"]["loss:sum"] == expected["metrics"]["loss:sum"]
    (record,) = found["loss_fn_outputs"]
    assert record["num_datums"] == 2
    logprobs = record["fields"]["logprobs"]
    assert np.frombuffer(logprobs["offsets"], "<i8").tolist() == [0, 12, 20]
    rows = [value for output in expected["loss_fn_outputs"] for value in output["logprobs"]["data"]]
    assert near(np.frombuffer(logprobs["data"], "<f4"), rows, 0)
    await one.step()
    await two.step()
    assert await one.logprobs(A, B) == await two.logprobs(A, B)


async def forward_only_changes_nothing(c: Client, _: Client) -> None:
    model = await c.model()
    submitted = await send(c, message(model, A, seq=model.next(), forward_only=True))
    assert (await retrieve(c, submitted.json()["request_id"])).status_code == 200
    assert "error" in (await c.finish(await model.post("optim_step", adam_params={"learning_rate": 0.1})))


async def a_repetition_has_one_effect(c: Client, _: Client) -> None:
    model = await c.model()
    body = message(model, A, seq=model.next())
    first, again = await send(c, body), await send(c, body)
    assert first.json()["request_id"] == again.json()["request_id"]
    json_form = await model.post("forward_backward", seq_id=1, forward_backward_input=batch(B))
    assert json_form.status_code == 409


async def bad_bytes_are_rejected(c: Client, _: Client) -> None:
    model = await c.model()
    good = message(model, A, seq=1)
    for bad in (b"\xff", good[:-1], good + b"\x7a\x01x", b"{}"):
        response = await send(c, bad)
        assert response.status_code == 400, bad
        assert response.json()["category"] == "user"
    assert (await send(c, good)).status_code == 200


async def json_where_it_is_taken(c: Client, _: Client) -> None:
    model = await c.model()
    submitted = await model.post("forward", forward_input=batch(A))
    headers = {"Accept": f"{CONTENT_TYPE}, application/json"}
    body = {"request_id": submitted.json()["request_id"]}
    assert "metrics" in (await c.post(API + "retrieve_future", json=body, headers=headers)).json()


@pytest.mark.parametrize(
    "check",
    [
        both_forms_train_alike,
        forward_only_changes_nothing,
        a_repetition_has_one_effect,
        bad_bytes_are_rejected,
        json_where_it_is_taken,
    ],
)
def test_over_the_wire(check: Any) -> None:
    play(check)
