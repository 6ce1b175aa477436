"""What can be wrong with a request that trains, each with the change that makes it so. The body is that of the dialect `tinker-json`."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

Name = Literal[
    "none",
    "an unknown loss",
    "no target tokens",
    "one weight too few",
    "one target token too many",
    "a token beyond the vocabulary",
    "a token beyond the vocabulary in the last datum",
    "a negative token",
    "a target token beyond the vocabulary",
    "a weight of NaN",
    "an infinite weight",
    "an advantage of NaN",
    "an infinite old logprob",
    "an old logprob of -100000",
    "no advantages",
    "no old logprobs",
    "one advantage too few",
    "no tokens",
    "a text for a tensor",
    "an unknown dtype",
    "a text for the data",
    "an unknown member of loss_fn_config",
    "a tensor in loss_fn_config",
    "an unknown tensor",
    "no model_id",
    "a seq_id of text",
    "a seq_id of -1",
    "no input",
]
BEYOND = 50_000_000
Body = dict[str, Any]


def _input(body: Body) -> Body:
    found: Body = next(body[name] for name in ("forward_backward_input", "forward_input") if name in body)
    return found


def _datum(body: Body) -> Body:
    found: Body = _input(body)["data"][0]
    return found


def _tensors(body: Body) -> Body:
    found: Body = _datum(body)["loss_fn_inputs"]
    return found


def _values(body: Body, name: str) -> list[Any]:
    found: list[Any] = _tensors(body)[name]["data"]
    return found


def _set(name: str, value: object) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        _values(body, name)[0] = value

    return change


def _shorter(name: str) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        tensor = _tensors(body)[name]
        tensor["data"] = tensor["data"][:-1]
        tensor["shape"] = [len(tensor["data"])]

    return change


def _longer(body: Body) -> None:
    tensor = _tensors(body)["target_tokens"]
    tensor["data"] = [*tensor["data"], 1]
    tensor["shape"] = [len(tensor["data"])]


def _token(value: int) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        _datum(body)["model_input"]["chunks"][0]["tokens"][0] = value

    return change


def _last_token(body: Body) -> None:
    _input(body)["data"][-1]["model_input"]["chunks"][0]["tokens"][0] = BEYOND


def _no_tokens(body: Body) -> None:
    _datum(body)["model_input"]["chunks"][0]["tokens"] = []


def _of_input(name: str, value: object) -> Callable[[Body], None]:
    return lambda body: _input(body).__setitem__(name, value)


def _of_body(name: str, value: object) -> Callable[[Body], None]:
    return lambda body: body.__setitem__(name, value)


def _no_input(body: Body) -> None:
    body.pop("forward_backward_input", None)
    body.pop("forward_input", None)


PLANTED: Mapping[str, Callable[[Body], object]] = {
    "none": lambda body: None,
    "an unknown loss": _of_input("loss_fn", "rc_no_such_loss"),
    "no target tokens": lambda body: _tensors(body).pop("target_tokens"),
    "one weight too few": _shorter("weights"),
    "one target token too many": _longer,
    "a token beyond the vocabulary": _token(BEYOND),
    "a token beyond the vocabulary in the last datum": _last_token,
    "a negative token": _token(-1),
    "a target token beyond the vocabulary": _set("target_tokens", BEYOND),
    "a weight of NaN": _set("weights", float("nan")),
    "an infinite weight": _set("weights", float("inf")),
    "an advantage of NaN": _set("advantages", float("nan")),
    "an infinite old logprob": _set("logprobs", float("-inf")),
    "an old logprob of -100000": _set("logprobs", -100_000.0),
    "no advantages": lambda body: _tensors(body).pop("advantages"),
    "no old logprobs": lambda body: _tensors(body).pop("logprobs"),
    "one advantage too few": _shorter("advantages"),
    "no tokens": _no_tokens,
    "a text for a tensor": lambda body: _tensors(body).__setitem__("target_tokens", "1 2 3"),
    "an unknown dtype": lambda body: _tensors(body)["target_tokens"].__setitem__("dtype", "rc_float"),
    "a text for the data": _of_input("data", "rc"),
    "an unknown member of loss_fn_config": _of_input("loss_fn_config", {"rc_no_such_member": 0.5}),
    "a tensor in loss_fn_config": _of_input("loss_fn_config", {"advantages": {"data": [1.0], "dtype": "float32"}}),
    "an unknown tensor": lambda body: _tensors(body).__setitem__("rc_unknown", _tensors(body)["target_tokens"]),
    "no model_id": lambda body: body.pop("model_id"),
    "a seq_id of text": _of_body("seq_id", "one"),
    "a seq_id of -1": _of_body("seq_id", -1),
    "no input": _no_input,
}


def plant(name: str, body: Body) -> None:
    """Change a body so that it has this defect."""
    PLANTED[name](body)
