"""Results of training calls."""

import json
from collections.abc import Iterator
from typing import Any

from rollout_conformance.steps.engine.trace import Request, Response, Trace, parse
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.training import view as training
from rollout_conformance.steps.profiles.training.accounting import Row
from rollout_conformance.steps.profiles.training.card import TrainingCard
from rollout_conformance.steps.profiles.training.context import TrainingContext
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.tests import growth
from rollout_conformance.steps.tests.heavy.values import SIGNS, View, nested


def of_training(body: Any, status: int = 200, targets: int = 3) -> training.TrainingView:
    trace, raw = Trace(), json.dumps(body).encode()
    n = trace.open(Request("POST", "/api/v1/retrieve_future"), to_target=True)
    trace.close(n, Response(status, (), raw))
    response = TrainingResponse(
        "it", n, {}, status, parse(raw), raw=raw, dialect="tinker-json", rows=(Row((1,) * targets),)
    )
    context = TrainingContext(TrainingCard(keys={"other": "tml-of-another"}), "tml-the-key", "tinker-json", "m")
    return training.TrainingView(trace, Responses.of([response]), context)


def outputs(values: list[Any], data: int = 1, metrics: int = 1) -> dict[str, Any]:
    return {
        "loss_fn_outputs": [{"logprobs": {"data": values}}] * data,
        "metrics": {f"m{n}:sum": 1.0 for n in range(metrics)},
    }


def training_views() -> Iterator[tuple[str, View]]:
    for sign in SIGNS:
        yield f"an error of {sign}", lambda size, s=sign: of_training({"error": growth.run(s, size)}, 400)  # type: ignore[misc]
        yield f"a text for logprobs of {sign}", lambda size, s=sign: of_training(outputs([growth.run(s, size)]))  # type: ignore[misc]
    yield "many logprobs", lambda size: of_training(outputs([-1.0] * (size // 8)), targets=size // 8)
    yield "many data", lambda size: of_training(outputs([-1.0], data=size // 40))
    yield "many metrics", lambda size: of_training(outputs([-1.0] * 3, metrics=size // 20))
    yield "nested", lambda size: of_training(outputs([nested(150)] * (size // 10_000)))
