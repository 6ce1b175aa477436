"""Defects of the members of a result."""

import json
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, SYNC
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.mutants.rollout.patches import change_metrics, change_result
from rollout_conformance.rollout_server.rollout import (
    endpoints,
    request_reader,
    results,
    start_request,
)
from rollout_conformance.rollout_server.rollout.service import Service


def _not_finite(original: Any, value: Any) -> bytes:
    if isinstance(value, dict) and "metrics" in value and "status" in value:
        return json.dumps({**value, "extra_fields": {**value["extra_fields"], "score": float("nan")}}).encode()
    return bytes(original(value))


def if_error(**members: Any) -> Any:
    return change_result(lambda b: {**b, **members} if b["status"] == "ERROR" else b)


def _if_completed(**members: Any) -> Any:
    return change_result(lambda b: {**b, **members} if b["status"] == "COMPLETED" else b)


async def _http_500(self: Any, request: Any) -> Any:
    own = endpoints.service_of(request)
    asked = await request_reader.read_start(request, own.app_state.settings, start_request.from_sync)
    result = await endpoints.or_rejection(lambda: own.run_sync(asked))
    return json_response(results.body(result), 500 if result.error else 200)


async def _waits_for_ever(self: Any, state: Any) -> str:
    return str(await self.agent.run(state, self.app_state))


MUTANTS = (
    Mutant("no_reason", breaks="119", what="an error without a message", patch=if_error(error_message="")),
    Mutant(
        "chatty",
        breaks="120",
        what="an error message although nothing failed",
        patch=_if_completed(error_message="none"),
    ),
    Mutant("reasonless", breaks="121", what="an error has no finish_reason", patch=if_error(finish_reason=None)),
    Mutant("no_transcript", breaks="122", what="an error has no final_messages", patch=if_error(final_messages=None)),
    Mutant(
        "leaky",
        breaks="123",
        what="an error contains a stack trace",
        patch=if_error(error_message='Traceback (most recent call last): File "/srv/agent.py", line 7'),
    ),
    Mutant(
        "uncategorised", breaks="124", also=("089",), what="an error has no category", patch=if_error(extra_fields={})
    ),
    Mutant(
        "http_500",
        breaks="125",
        also=(
            "062",
            "074",
            "075",
            "076",
            "077",
            "067",
            "066",
            "082",
            "083",
            "088",
            "089",
            "090",
            "091",
            "111",
            "119",
            "121",
            "122",
            "123",
            "124",
            "127",
            "129",
            "175",
            "130",
            "059",
            "106",
            "042",
            "287",
        ),
        what="a failed rollout is answered with 500",
        patch=put(endpoints.Rollout, "post", _http_500),
        dialects=SYNC,
    ),
    Mutant(
        "nameless",
        breaks="126",
        what="the result has no rollout_id",
        patch=change_result(lambda b: {k: v for k, v in b.items() if k != "rollout_id"}),
    ),
    Mutant(
        "no_deadline_sync",
        breaks="127",
        also=("129", "163"),
        what="a rollout has no deadline",
        patch=put(Service, "within_deadline", _waits_for_ever),
        dialects=SYNC,
    ),
    Mutant(
        "no_deadline_callback",
        breaks="128",
        also=("129", "136", "163"),
        what="a rollout has no deadline",
        patch=put(Service, "within_deadline", _waits_for_ever),
        dialects=CALLBACK,
    ),
    Mutant(
        "timeout_unmeasured",
        breaks="129",
        what="a timeout has no metrics",
        patch=change_result(
            lambda b: {**b, "metrics": None} if b["extra_fields"].get("error_category") == "timeout" else b
        ),
    ),
    Mutant(
        "miscounts",
        breaks="130",
        what="num_llm_calls is one too high",
        patch=change_metrics(lambda m: {**m, "num_llm_calls": m["num_llm_calls"] + 1}),
    ),
    Mutant(
        "inserted_tokens_counted",
        breaks="130",
        what="response_tokens counts tokens between the turns",
        patch=change_metrics(
            lambda m: {**m, "response_tokens": m["response_tokens"] + 9 * max(0, m["num_llm_calls"] - 1)}
        ),
    ),
    Mutant(
        "no_context",
        breaks="131",
        what="max_context_tokens is 0",
        patch=change_metrics(lambda m: {**m, "max_context_tokens": 0}),
    ),
    Mutant("unmeasured", breaks="132", what="a result has no metrics", patch=_if_completed(metrics=None)),
    Mutant("not_finite", breaks="133", what="a result has a NaN", patch=around(json_text, "dumps", _not_finite)),
    Mutant(
        "reward_text", breaks="134", what="a reward is a string", patch=_if_completed(reward="1.0"), dialects=CALLBACK
    ),
)
