"""Defects of the surface: what is answered, taken or refused is not what the contract describes. Generated requests find them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.mutants.framework import around, put
from rollout_conformance.rollout_server.mutants.router.planting import mutant
from rollout_conformance.rollout_server.router import admin, endpoints, errors, request_validation
from rollout_conformance.rollout_server.router.responses import json_response


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
    mutant("health_word", "health has a word of its own", put(endpoints.Health, "get", _ok), "300", by="fuzzing"),
    mutant(
        "prompt_one_text",
        "several prompts are none",
        around(request_validation, "check_prompt", _one_text),
        "301",
        by="fuzzing",
    ),
    mutant("limit_unread", "any number of decisions is one", put(admin, "limit", lambda _: 50), "302", by="fuzzing"),
    mutant(
        "prompt_list_500",
        "several prompts are an error of the server",
        around(request_validation, "check_prompt", _one_text_or_500),
        "303",
        by="fuzzing",
    ),
)
