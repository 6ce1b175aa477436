"""How the calls of a training API are written in each dialect. Pure: from what a verb means to a request, and from a response to a future."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rollout_conformance.steps.engine.http_client import path_segment
from rollout_conformance.steps.engine.lenient_json import listed, mapping, text
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.training.accounting import Row

Members = dict[str, object]
SDK = "0.18.2"  # the version that the suite gives as its own


@dataclass(frozen=True, slots=True)
class Call:
    """One request before it has a key. `future` says whether its result may come by a future."""

    path: str
    body: Members | None = None
    method: str = "POST"
    future: bool = False

    @property
    def members(self) -> Members:
        """The body of a call that has one, which may be changed before the call is sent."""
        assert self.body is not None
        return self.body


@dataclass(frozen=True, slots=True)
class Encoded:
    """The body of a call as it is sent, its media type, and the one that is accepted for its response, where that is named."""

    content_type: str
    body: bytes
    accept: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    """What a model is trained on: tokens with their rows in one dialect, texts in the other. The members of `config` are sent as tensors with
    `as_tensors`; the tokens are sent in two chunks with `split`, and the weights in CSR form with `sparse`."""

    inputs: tuple[tuple[int, ...], ...] = ()
    rows: tuple[Row, ...] = ()
    texts: tuple[str, ...] = ()
    loss: str = "cross_entropy"
    config: Mapping[str, float] | None = None
    without: tuple[str, ...] = ()
    as_tensors: bool = False
    split: bool = False
    sparse: bool = False


class Wire(Protocol):
    """What the verbs need of a dialect."""

    health: str
    models: str

    def key(self, key: str) -> dict[str, str]: ...
    def create_model(self, base: str, rank: int, seed: int | None, client: Members) -> Call: ...
    def model_id(self, result: Mapping[str, object]) -> str: ...
    def forward_backward(self, model: str, seq: int, data: Data, accumulate: bool) -> Call: ...
    def measure(self, model: str, seq: int, data: Data) -> Call: ...
    def optim_step(self, model: str, seq: int, params: Members) -> Call: ...
    def save(self, model: str, seq: int, path: str, overwrite: bool) -> Call: ...
    def poll(self, request_id: str) -> Call: ...
    def request_id(self, response: KeptResponse) -> str: ...
    def pending(self, response: KeptResponse) -> bool: ...
    def encoded(self, call: Call) -> Encoded: ...
    def posted(self, path: str, body: bytes) -> tuple[str, Encoded]:
        """The path and the body of a request that a case wrote in JSON, as the dialect has them."""

    def result(self, verb: str, content_type: str, body: bytes) -> object | None:
        """The body of a response that is not JSON, as JSON has it; None where it is JSON. Raises `ValueError` for one that is neither."""


class Json:
    """Bodies in JSON."""

    def encoded(self, call: Call) -> Encoded:
        return Encoded("application/json", b"" if call.body is None else json.dumps(call.body).encode())

    def posted(self, path: str, body: bytes) -> tuple[str, Encoded]:
        return path, Encoded("application/json", body)

    def result(self, verb: str, content_type: str, body: bytes) -> object | None:
        return None


def tensor(values: Sequence[float], dtype: str = "float32", columns: int = 0) -> Members:
    """A dense tensor of one dimension, or of two with so many columns, row after row."""
    shape = [len(values) // columns, columns] if columns else [len(values)]
    return {"data": list(values), "dtype": dtype, "shape": shape}


def sparse(dense: Members) -> Members:
    """A tensor of two dimensions in CSR form, as the SDK sends one that is mostly 0: its values that are not 0, row after row, and their columns."""
    data, shape = listed(dense["data"]), listed(dense["shape"])
    columns = int(str(shape[1]))
    kept = [n for n, value in enumerate(data) if value != 0]
    before = [sum(1 for n in kept if n < row * columns) for row in range(len(data) // columns + 1)]
    return {
        "data": [data[n] for n in kept],
        "dtype": dense["dtype"],
        "shape": shape,
        "sparse_crow_indices": before,
        "sparse_col_indices": [n % columns for n in kept],
    }


def chunks(tokens: Sequence[int], split: bool = False) -> Members:
    """The tokens as one chunk, or as two."""
    parts = (tokens[: len(tokens) // 2], tokens[len(tokens) // 2 :]) if split and len(tokens) > 1 else (tokens,)
    return {"chunks": [{"type": "encoded_text", "tokens": list(part)} for part in parts]}


def datum(tokens: Sequence[int], row: Row, without: Sequence[str], more: Mapping[str, float] | None = None) -> Members:
    """One datum. Tensors that the row does not have are not sent; each member of `more` is a tensor of equal values."""
    tensors: Members = {"target_tokens": tensor(row.targets, "int64", row.columns)}
    for name, values in (("weights", row.weights), ("logprobs", row.old), ("advantages", row.advantages)):
        if values:
            tensors[name] = tensor(values, columns=row.columns)
    tensors |= {name: tensor([value] * len(row.targets)) for name, value in (more or {}).items()}
    return {
        "model_input": chunks(tokens),
        "loss_fn_inputs": {name: value for name, value in tensors.items() if name not in without},
    }


def _with_sparse_weights(one: Members) -> Members:
    tensors = mapping(one["loss_fn_inputs"])
    return {"loss_fn_inputs": {**tensors, "weights": sparse(dict(mapping(tensors["weights"])))}}


class TinkerJson(Json):
    """The JSON wire of the SDK up to 0.18."""

    health = "/api/v1/healthz"
    models = "/api/v1/get_server_capabilities"

    def key(self, key: str) -> dict[str, str]:
        return {"x-api-key": key}

    def create_session(self) -> Call:
        body: Members = {"tags": [], "user_metadata": {}, "sdk_version": SDK, "type": "create_session"}
        return Call("/api/v1/create_session", body)

    def create_model(self, base: str, rank: int, seed: int | None, client: Members) -> Call:
        lora: Members = {"rank": rank, "train_unembed": True, "train_mlp": True, "train_attn": True}
        if seed is not None:
            lora["seed"] = seed
        return Call(
            "/api/v1/create_model",
            {**client, "base_model": base, "lora_config": lora, "type": "create_model"},
            future=True,
        )

    def model_id(self, result: Mapping[str, object]) -> str:
        return text(result.get("model_id"))

    def _input(self, data: Data) -> Members:
        more = data.config if data.as_tensors else None
        made_of = [datum(tokens, row, data.without, more) for tokens, row in zip(data.inputs, data.rows, strict=True)]
        made: Members = {
            "data": [
                {**one, "model_input": chunks(tokens, data.split), **(_with_sparse_weights(one) if data.sparse else {})}
                for tokens, one in zip(data.inputs, made_of, strict=True)
            ],
            "loss_fn": data.loss,
        }
        unsent = data.config is None or data.as_tensors
        return made if unsent else {**made, "loss_fn_config": dict(data.config or {})}

    def forward_backward(self, model: str, seq: int, data: Data, accumulate: bool) -> Call:
        body: Members = {"model_id": model, "seq_id": seq, "forward_backward_input": self._input(data)}
        return Call("/api/v1/forward_backward", {**body, "type": "forward_backward"}, future=True)

    def measure(self, model: str, seq: int, data: Data) -> Call:
        body: Members = {"model_id": model, "seq_id": seq, "forward_input": self._input(data), "type": "forward"}
        return Call("/api/v1/forward", body, future=True)

    def optim_step(self, model: str, seq: int, params: Members) -> Call:
        body: Members = {"model_id": model, "seq_id": seq, "adam_params": params, "type": "optim_step"}
        return Call("/api/v1/optim_step", body, future=True)

    def save(self, model: str, seq: int, path: str, overwrite: bool) -> Call:
        body: Members = {"model_id": model, "seq_id": seq, "path": path, "type": "save_weights"}
        return Call("/api/v1/save_weights", {**body, **({"overwrite": True} if overwrite else {})}, future=True)

    def unload(self, model: str) -> Call:
        return Call("/api/v1/unload_model", {"model_id": model, "type": "unload_model"}, future=True)

    def poll(self, request_id: str) -> Call:
        return Call("/api/v1/retrieve_future", {"request_id": request_id})

    def request_id(self, response: KeptResponse) -> str:
        return text(response.fields.get("request_id")) if response.is_success else ""

    def pending(self, response: KeptResponse) -> bool:
        return response.status == 408 or (response.is_success and response.fields.get("type") == "try_again")


class Signal(Json):
    """The API of runs: one JSON body a step, the result in the response or, of `*_async`, by a future."""

    health = "/health"
    models = "/models"

    def key(self, key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key}"}

    def create_model(self, base: str, rank: int, seed: int | None, client: Members) -> Call:
        return Call("/runs", {"base_model": base, "lora_r": rank, "learning_rate": 0.01, "lr_scheduler": None})

    def model_id(self, result: Mapping[str, object]) -> str:
        return text(result.get("run_id"))

    def forward_backward(self, model: str, seq: int, data: Data, accumulate: bool) -> Call:
        body: Members = {"batch_data": [{"text": one} for one in data.texts], "accumulate": accumulate}
        if data.loss != "cross_entropy":
            body["loss_fn"] = data.loss
        return Call(f"/runs/{path_segment(model)}/forward_backward", body)

    def measure(self, model: str, seq: int, data: Data) -> Call:
        return self.forward_backward(model, seq, data, accumulate=False)

    def optim_step(self, model: str, seq: int, params: Members) -> Call:
        rate = params.get("learning_rate")
        return Call(f"/runs/{path_segment(model)}/optim_step", {} if rate is None else {"learning_rate": rate})

    def save(self, model: str, seq: int, path: str, overwrite: bool) -> Call:
        return Call(f"/runs/{path_segment(model)}/save_state", {})

    def poll(self, request_id: str) -> Call:
        return Call(f"/futures/{path_segment(request_id)}", None, "GET")

    def request_id(self, response: KeptResponse) -> str:
        return text(response.fields.get("future_id")) if response.is_success else ""

    def pending(self, response: KeptResponse) -> bool:
        return response.is_success and mapping(response.body).get("status") == "pending"
