"""Generations and records of a trainer."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout
from rollout_conformance.steps.profiles.trainer import state as trainer
from rollout_conformance.steps.tests import growth
from rollout_conformance.steps.tests.heavy.values import QUESTION, SIGNS, TOKENS, View, calls, choice, completion


def trained(answers: list[tuple[int, Any]], record: Any = None) -> trainer.CaseView:
    trace = Trace()
    rollout = trainer.RolloutState(
        "", "r1", HostedRollout("", "r1", "sync", trace, calculator.tools()), QUESTION, QUESTION
    )
    for status, body in answers:
        n = trace.open(Request("POST", "/v1/chat/completions"), to_target=True)
        trace.close(n, Response(status, (), json.dumps(body).encode()))
        rollout.calls.append(trainer.Call(n, {"messages": QUESTION}, True))
    if record is not None:
        at = trace.open(Request("GET", "/rollouts/r1"), to_target=True)
        trace.close(at, Response(200, (), json.dumps(record).encode()))
        rollout.records.append(at)
    return trainer.CaseView(trace, "sync", {"": rollout}, TOKENS, None)


def generation(message: dict[str, Any], count: int = 3) -> dict[str, Any]:
    lists = {"token_ids": [5] * count, "logprobs": [-1.0] * count, "prompt_token_ids": [5] * count}
    return {**completion([choice(message)]), **lists}


def untrained(sign: str, size: int) -> trainer.CaseView:
    return trained([(500, {"error": growth.run(sign, size)})])


def said(sign: str, size: int) -> trainer.CaseView:
    return trained([(200, generation({"content": growth.run(sign, size)}))])


def trainer_views() -> Iterator[tuple[str, View]]:
    for sign in SIGNS:
        yield f"an error of {sign}", partial(untrained, sign)
        yield f"a message of {sign}", partial(said, sign)
    yield "many tokens", lambda size: trained([(200, generation({"content": "a"}, size // 10))])
    yield "many calls", lambda size: trained([(200, generation({"content": None, "tool_calls": calls(size // 1000)}))])
    yield "many replies", lambda size: trained([(200, generation({"content": "a"}))] * (size // 1000))
    turn = {"prompt_token_ids": [5] * 10, "token_ids": [5] * 10}
    yield (
        "a long record",
        lambda size: trained(
            [],
            {
                "turns": [turn] * (size // 100),
                "token_ids": [5] * size,
                "response_mask": [0] * size,
                "logprobs": [0.0] * size,
            },
        ),
    )
