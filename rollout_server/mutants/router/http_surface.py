"""Defects of responses and validation that only generated requests find."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import FUZZING, Mutant, around, put
from rollout_conformance.rollout_server.router import admin, endpoints, errors, request_validation


async def _ok(self: Any, request: Request) -> Response:
    return json_response({"status": "ok", "timestamp": endpoints.now()})


def _one_text(original: Any, prompt: Any) -> None:
    original(prompt)
    if isinstance(prompt, list):
        raise errors.invalid("prompt", "prompt must be a text")


def _one_text_or_500(original: Any, prompt: Any) -> None:
    original(prompt)
    if isinstance(prompt, list):
        raise errors.internal()


MUTANTS = (
    Mutant(
        "health_word",
        breaks="300",
        what="the status of health is ok",
        patch=put(endpoints.Health, "get", _ok),
        by=FUZZING,
    ),
    Mutant(
        "prompt_one_text",
        breaks="301",
        what="a list of prompts is rejected",
        patch=around(request_validation, "check_prompt", _one_text),
        by=FUZZING,
    ),
    Mutant(
        "limit_unread",
        breaks="302",
        what="an invalid limit is accepted",
        patch=put(admin, "limit", lambda _: 50),
        by=FUZZING,
    ),
    Mutant(
        "prompt_list_500",
        breaks="303",
        what="a list of prompts is a server error",
        patch=around(request_validation, "check_prompt", _one_text_or_500),
        by=FUZZING,
    ),
)
