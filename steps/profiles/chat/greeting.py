"""The plainest chat: a greeting and its response. What it shows of a server before anything is judged."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.probe_result import PlainRequest, ProbeResult, excerpt, key_source, result_of
from rollout_conformance.steps.engine.starting import NO_MODEL_YET
from rollout_conformance.steps.http.expectations import Status
from rollout_conformance.steps.profiles.chat.requests import CHAT, ChatRequest
from rollout_conformance.steps.profiles.chat.view import ChatSession

HERE = Location("greeting", 1)
MODELS = "/v1/models"
GREETING: Mapping[str, Any] = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 16}
REQUESTED = ("temperature", "logprobs", "return_token_ids")  # what every other request has


def greeting(dialect: str) -> Case:
    request = ChatRequest(
        messages=tuple(GREETING["messages"]), body={"max_tokens": GREETING["max_tokens"]}, without=REQUESTED
    )
    steps = tuple(Step(what, HERE) for what in (request, Status()))
    return Case("a plain greeting", "chat", dialect, ("CHAT-001",), steps, HERE)


def read_probe(session: ChatSession, case: Case) -> ProbeResult:
    """Whether a server can be judged: it answers a greeting, or rejects the model that it lists itself."""
    context, exchange = session.context, session.trace.exchanges[-1]
    plain = PlainRequest("greeting", f"POST {CHAT}", key_source(context.key, context.card.key))
    listed = context.listed
    answered = result_of(plain, exchange, None if listed is None else len(listed))
    response = exchange.response
    if not answered.obstacle or response is None:
        return answered
    about_model = response.status in NO_MODEL_YET
    if about_model and context.model and context.model.encode() in response.body:
        if context.model in (listed or ()):
            return ProbeResult(
                remark=f"it lists the model {context.model}, and returns {response.status} to a request for it"
            )
        others = f"it lists {', '.join(sorted(listed)[:5])}" if listed else "give another --model"
        told = f"it does not serve the model {context.model} ({response.status} {excerpt(response.body)}); {others}"
        return replace(answered, obstacle=told)
    path = context.card.path(MODELS)
    none_listed = f"there is no list of models at GET {path}" if listed is None else f"GET {path} lists no model"
    if (
        about_model
        and not context.model
        and (listed is not None or response.status != 404 or b"model" in response.body)
    ):
        told = f"every greeting is rejected with {response.status} {excerpt(response.body)}"
        return replace(answered, obstacle=f"{told}, and {none_listed}: give --model NAME, or `model:` on the card")
    if response.status >= 500 and not context.model:
        told = f"{answered.obstacle}. It names no model, as {none_listed}: --model NAME gives one"
        return replace(answered, obstacle=told)
    return answered
