"""Defects that were reported of public servers of this API, in the dialect `tinker-json`; contracts/training/reports.yaml names the reports."""

from dataclasses import replace
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, put
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import adam, adapter, app, batch, losses, passes, sampling
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.losses import CLIP, LOSSES

TEMPERATURE = 0.7


def _truncated(original: Any, loss: Any, lp: Any, given: Any, config: Any) -> Any:
    if "weights" in given:
        given = {**given, "weights": np.trunc(given["weights"])}
    return original(loss, lp, given, config)


def _tempered(original: Any, logits: Any, hidden: Any, targets: Any) -> Any:
    return original(logits / TEMPERATURE, hidden, targets)


def _at_one(original: Any, gradient: Any, limit: float) -> Any:
    return original(gradient, 1.0)


def _no_default_bounds() -> None:
    LOSSES["ppo"] = replace(LOSSES["ppo"], config={CLIP[0]: 0.0, CLIP[1]: 1e9})  # type: ignore[index]


def _odd_config_500(original: Any, request: Request, error: UserError) -> Response:
    if "loss_fn_config" in error.message:
        raise TypeError("float() argument must be a string or a real number, not 'dict'")
    response: Response = original(request, error)
    return response


def _whole_bounds_crash(original: Any, loss: Any, given: Any) -> Any:
    if any(float(value).is_integer() for value in given.values()):
        raise TypeError("loss_fn_config must be floats")
    return original(loss, given)


def _certain(one: sampling.Sampled) -> sampling.Sampled:
    """The more likely half of the tokens is reported as certain."""
    middle = sorted(one.logprobs)[len(one.logprobs) // 2]
    one.logprobs = [0.0 if value >= middle else value for value in one.logprobs]
    return one


MUTANTS = (
    Mutant(
        "weights_truncated", breaks="009", also=("*",), what="weights are read as whole numbers",
        patch=around(losses, "evaluate", _truncated), dialects=TINKER,
    ),
    Mutant(
        "training_is_tempered", breaks="022", also=("021", "023", "026", "039"), what="the logits of training are divided by 0.7",
        patch=around(passes, "from_logits", _tempered), dialects=TINKER,
    ),
    Mutant(
        "clip_norm_is_fixed", breaks="039", also=("033",), what="the norm of the gradient is clipped at 1, whatever is sent",
        patch=around(adam, "clipped", _at_one), dialects=TINKER,
    ),
    Mutant(
        "ppo_without_default_bounds", breaks="204", what="ppo clips nothing by default", patch=_no_default_bounds, dialects=TINKER,
    ),
    Mutant(
        "odd_config_500", breaks="032", also=("033",), what="a loss_fn_config that is not of numbers is a server error",
        patch=around(app, "on_user_error", _odd_config_500), dialects=TINKER,
    ),
    Mutant(
        "whole_bounds_crash", breaks="035", also=("011", "033"), what="a whole number in loss_fn_config is a server error",
        patch=around(batch, "parse_config", _whole_bounds_crash), dialects=TINKER,
    ),
    Mutant(
        "likely_tokens_are_certain", breaks="022", also=("021", "023"), what="a likely token that was sampled has the logprob 0",
        patch=after(sampling, "sample", _certain), dialects=TINKER,
    ),
    Mutant(
        "adapter_of_scale_0", breaks="200", also=("*",), what="the adapter has the scale 0, and no step changes anything",
        patch=put(adapter.Shape, "scale", 0.0), dialects=TINKER,
    ),
)  # fmt: skip
