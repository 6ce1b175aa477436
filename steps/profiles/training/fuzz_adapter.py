"""How a generated request is adapted: it is about a session, a model, a future or a checkpoint that exists, and what no schema can say is
made right.

What is wrong with a request stays wrong: only members that the contract allows are replaced.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.session import WaitTimeout
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Request, Response
from rollout_conformance.steps.http.responses import Responses, body_of
from rollout_conformance.steps.profiles.parts import FuzzAdapter
from rollout_conformance.steps.profiles.training import batches
from rollout_conformance.steps.profiles.training.calls import HANDED
from rollout_conformance.steps.profiles.training.checkpoints import Save, path_of
from rollout_conformance.steps.profiles.training.context import (
    RIGHT,
    TrainingContext,
    TrainingSession,
    TrainingState,
    book_of,
)
from rollout_conformance.steps.profiles.training.contract_values import Schema, allows, body_schema, member, own
from rollout_conformance.steps.profiles.training.models import CreateModel
from rollout_conformance.steps.profiles.training.responses import SIGNAL, TrainingResponse
from rollout_conformance.steps.profiles.training.training_steps import ForwardBackward, OptimStep
from rollout_conformance.steps.profiles.training.wire import chunks, datum

API = "/api/v1"
MOST_TOKENS = 4
GENERATED = "generated"
NEEDED: Mapping[str, str] = {
    "/runs/{run_id}/status": "status",
    "/runs/{run_id}/metrics": "metrics",
    "/runs/{run_id}/artifacts": "artifacts",
    "/runs/{run_id}/save_state": "checkpoints",
    "/runs/{run_id}/sample": "sampling",
    "/runs/{run_id}/complete": "complete",
    "/runs/{run_id}/forward_backward_async": "async_calls",
    "/runs/{run_id}/optim_step_async": "async_calls",
    "/futures/{future_id}": "async_calls",
    f"{API}/save_weights": "checkpoints",
    f"{API}/load_weights": "loading",
    f"{API}/weights_info": "loading",
    f"{API}/save_weights_for_sampler": "sampling",
    f"{API}/create_sampling_session": "sampling",
    f"{API}/asample": "sampling",
}
"""The capability that a path needs."""


def left_out(card: Card) -> frozenset[str]:
    """The paths that a target with this card does not have."""
    return frozenset(path for path, need in NEEDED.items() if not card.declares(need))


class Adapter(FuzzAdapter[TrainingState, TrainingContext]):
    """How the generated requests of this profile are adapted."""

    async def adapt_request(self, session: TrainingSession, generated: Any) -> str | None:
        """Change what is valid in a case of schemathesis, so that it is about something that exists."""
        dialect = session.context.dialect
        try:
            await _about_what_exists(session, generated)
        except WaitTimeout as stopped:
            raise SuiteError(f"no request can be generated: {stopped}") from stopped
        schema = body_schema(dialect, generated.path)
        if schema is not None and isinstance(generated.body, dict):
            generated.body = _adapted(session, schema, generated.body)
        key = session.context.key(RIGHT)
        if dialect != SIGNAL and key and generated.headers is not None:
            generated.headers.setdefault("X-API-Key", key)
        return None

    def began(self, session: TrainingSession, request: Request, start: bool) -> int:
        return session.trace.open(request, to_target=True, rollout=HANDED)

    async def ended(self, session: TrainingSession, n: int, request: Request, response: Response, start: bool) -> None:
        """Note the response, which the invariants judge like any other."""
        await super().ended(session, n, request, response, start)
        exchange = session.trace.exchanges[n]
        found = TrainingResponse(
            GENERATED, n, {}, response.status, body_of(exchange), raw=response.body, headers=response.headers
        )
        session.state["responses"] = Responses.of([replace(found, dialect=session.context.dialect)])


async def _about_what_exists(session: TrainingSession, generated: Any) -> None:
    """Create what the path of the request needs. A generated path is about it where the contract allows that path."""
    path = generated.path
    if path.startswith(("/runs/", "/futures/")) or path in MODELS:
        await CreateModel().perform(session)
    if path in ("/runs/{run_id}/optim_step", "/runs/{run_id}/optim_step_async", f"{API}/optim_step"):
        await ForwardBackward(("A",)).perform(session)
    if path in (f"{API}/load_weights", f"{API}/weights_info"):
        await Save().perform(session)
    if path == f"{API}/retrieve_future":
        await OptimStep(name="step").perform(session)
    if path == "/futures/{future_id}":
        await ForwardBackward(("A",), asynchronous=True, name="step").perform(session)
    names = generated.path_parameters or {}
    if "run_id" in names and _is_name(names["run_id"]):
        generated.path_parameters = {**names, "run_id": _model(session)}
    if "future_id" in names and _is_name(names["future_id"]):
        generated.path_parameters = {**names, "future_id": _future(session)}


MODELS = frozenset(
    f"{API}/{name}"
    for name in (
        "session_heartbeat",
        "create_model",
        "create_sampling_session",
        "get_info",
        "forward",
        "forward_backward",
        "optim_step",
        "save_weights",
        "save_weights_for_sampler",
        "load_weights",
        "weights_info",
        "retrieve_future",
    )
)
"""The paths of `tinker-json` that are about a session or a model."""


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.replace("-", "").replace("_", "").isalnum() and value.isascii()


def _model(session: TrainingSession) -> str:
    found = book_of(session).models.get("a")
    return found.id if found else ""


def _future(session: TrainingSession) -> str:
    found: list[TrainingResponse] = session.state["responses"].named("step")
    return found[-1].request_id if found else ""


def _adapted(session: TrainingSession, schema: Schema, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with values that exist in place of those that the contract allows; without members that it does not name."""
    dialect = session.context.dialect
    known = {name for name in body if name in schema["properties"]}
    right = {name for name in known if allows(dialect, member(dialect, schema, name), body[name])}
    mine: dict[str, Any] = {
        name: own(dialect, schema["properties"][name], body[name]) if name in right else body[name] for name in known
    }
    for name in right:
        mine[name] = _existing(session, name, mine[name])
    return mine


def _existing(session: TrainingSession, name: str, value: Any) -> Any:
    book, context = book_of(session), session.context
    client = book.clients.get(RIGHT)
    values: dict[str, object] = {
        "base_model": context.model,
        "model_id": _model(session),
        "session_id": client.session_id if client else value,
        "model_seq_id": client.next_model if client else value,
        "sampling_session_seq_id": client.next_sampler if client else value,
        "seq_id": book.models["a"].next_seq if "a" in book.models else value,
        "request_id": _future(session) if "responses" in session.state else value,
        "tinker_path": path_of(session, "one") if "one" in book.paths else value,
        "prompt": chunks(batches.TOKENS["A"][0]),
    }
    if name == "path" and "one" in book.paths:
        return path_of(session, "one")
    if name in ("forward_input", "forward_backward_input"):
        return {**value, "data": _data(len(value["data"]))}
    if name == "sampling_params":
        return {**value, "max_tokens": MOST_TOKENS}
    if name == "batch_data":
        return [_readable(one) for one in value]
    return min(value, MOST_TOKENS) if name == "max_tokens" else values.get(name, value)


def _data(count: int) -> list[object]:
    """So many data that fit together, which no schema can demand."""
    tokens = batches.TOKENS["A"]
    rows = [tokens[n % len(tokens)] for n in range(count)]
    return [datum(row[:-1], batches.row_of(row), ()) for row in rows]


def _readable(example: dict[str, Any]) -> dict[str, Any]:
    """A text that has more than one token, so that there is a target."""
    return {**example, "text": f"words red {example['text'][:1000]}"} if "text" in example else example
