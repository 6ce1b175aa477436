"""The plainest chat: a greeting and its response. What it shows of a server before anything is judged."""

from collections.abc import Mapping
from typing import Any

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.probe_result import PlainRequest, ProbeResult, excerpt, key_source, result_of
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
    answered, response = result_of(plain, exchange), exchange.response
    if not answered.obstacle or response is None:
        return answered
    about_model = response.status in (400, 404, 422)
    if about_model and context.model and context.model.encode() in response.body:
        if context.model in context.listed:
            return ProbeResult(
                remark=f"it lists the model {context.model}, and returns {response.status} to a request for it"
            )
        listed = f"it lists {', '.join(sorted(context.listed)[:5])}" if context.listed else "give another --model"
        return ProbeResult(
            f"it does not serve the model {context.model} ({response.status} {excerpt(response.body)}); {listed}"
        )
    none_listed = f"there is no list of models at GET {context.card.path(MODELS)}"
    if about_model and not context.model and (response.status != 404 or b"model" in response.body):
        told = f"every greeting is rejected with {response.status} {excerpt(response.body)}"
        return ProbeResult(f"{told}, and {none_listed}: give --model NAME, or `model:` on the card")
    if response.status >= 500 and not context.model:
        return ProbeResult(f"{answered.obstacle}. It names no model, as {none_listed}: --model NAME gives one")
    return answered
