"""A generated request to a trainer: it belongs to a rollout that really runs, where nothing about that is what is wrong with it.

Without this, nearly all generated calls would end at the first door: no such rollout, no such key, another conversation.
"""

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rollout_conformance.contracts.rollout import wire
from rollout_conformance.steps.engine.session import WaitTimeout
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Request, Response
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout
from rollout_conformance.steps.profiles.parts import FuzzAdapter
from rollout_conformance.steps.profiles.trainer.actions import ReportEnd, StartRollout
from rollout_conformance.steps.profiles.trainer.card import BODY, trainer_card
from rollout_conformance.steps.profiles.trainer.generation import Generate
from rollout_conformance.steps.profiles.trainer.rollout_source import source_of
from rollout_conformance.steps.profiles.trainer.state import (
    CaseContext,
    JsonObject,
    TrainerSession,
    TrainerState,
    rollout_state,
)

START, CHAT, COMPLETED = "/rollouts", "/v1/chat/completions", "/v1/rollout/completed"
RECORD = "/rollouts/{rollout_id}"
ROLLOUT_ID: TypeAdapter[Any] = TypeAdapter(wire.RolloutId)
MESSAGES: TypeAdapter[Any] = TypeAdapter(wire.Messages)
URL: TypeAdapter[Any] = TypeAdapter(wire.ServerUrl)


def left_out(card: Card) -> frozenset[str]:
    """The paths that a trainer does not have, where rollouts begin without a control request or the body does not name them: the requests
    that are generated have the members of the contract."""
    named = trainer_card(card).rollout_id_in == BODY
    elsewhere = frozenset[str]() if named else frozenset({CHAT, COMPLETED})
    if source_of(card) == "control":
        return elsewhere
    return elsewhere | frozenset({START} if "record" in card.capabilities else {START, RECORD})


class Adapter(FuzzAdapter[TrainerState, CaseContext]):
    """How the generated requests of this profile are adapted."""

    async def adapt_request(self, session: TrainerSession, generated: Any) -> str | None:
        """Change a schemathesis case, whatever is right in it, so that it meets a rollout of ours."""
        body = generated.body
        if not isinstance(body, dict):
            return None
        if generated.path == START:
            generated.body = _at_home(session, body)
        elif generated.path in (CHAT, COMPLETED) and _is(ROLLOUT_ID, body.get("rollout_id")):
            return await _of_a_rollout(session, generated, body)
        return None

    async def ended(self, session: TrainerSession, n: int, request: Request, response: Response, start: bool) -> None:
        """Note the answer, and end the rollout that was started for it."""
        await super().ended(session, n, request, response, start)
        part = rollout_state(session.state, "")
        if part.began:
            try:
                await ReportEnd(status="ERROR").perform(session)
            except WaitTimeout:
                return  # the contract is judged here, not what becomes of this rollout


def _at_home(session: TrainerSession, body: JsonObject) -> dict[str, object]:
    """A control request that names our server: nothing is sent to an invented address. What was wrong with it stays wrong."""
    context: CaseContext = session.context
    nonce, mine = context.nonce(), dict(body)
    if _is(ROLLOUT_ID, body.get("rollout_id")):
        mine["rollout_id"] = nonce
    url = body.get("server_url")
    if isinstance(url, str) and url.strip().lower().startswith("http"):
        mine["server_url"] = f"{context.host_url}/of/{nonce}" + ("" if _is(URL, url) else " x")
        dialect = body.get("dialect")
        context.host.host(_brief(session, nonce, dialect if dialect in ("sync", "callback") else context.dialect))
    return mine


def _brief(session: TrainerSession, nonce: str, dialect: str) -> HostedRollout:
    """A server that ends the rollout as soon as it is started."""
    hosted = HostedRollout("-", nonce, dialect, session.trace, calculator.tools())
    hosted.result = json.dumps({"rollout_id": nonce, "status": "ERROR", "error_message": "Not run."}).encode()
    hosted.ended.set()
    return hosted


async def _of_a_rollout(session: TrainerSession, generated: Any, body: JsonObject) -> str | None:
    part = rollout_state(session.state, "")
    try:
        await StartRollout().perform(session)
    except WaitTimeout:
        return None
    if not part.began:
        return None
    if part.open and generated.path == COMPLETED:
        await Generate().perform(session)  # it is known from then on
    mine = {**body, "rollout_id": part.rollout_id}
    if generated.path == CHAT and _is(MESSAGES, body.get("messages")):
        mine["messages"] = part.history
    mask = body.get("response_mask")
    if session.context.dialect != "sync":
        mine.pop("response_mask", None)  # it means nothing here
    elif isinstance(mask, list) and mask and all(type(entry) is int and entry in (0, 1) for entry in mask):
        mine["response_mask"] = None  # nothing was inserted before the first call
    generated.body = mine
    return part.hosted.key if part.hosted and _is_positive(generated, "header") else None


def _is(kind: TypeAdapter[Any], value: object) -> bool:
    try:
        kind.validate_python(value)
    except ValidationError:
        return False
    return True


def _is_positive(generated: Any, location: str) -> bool:
    components = generated.meta.components if generated.meta else {}
    return all(part.mode.is_positive for where, part in components.items() if where.name.lower() == location)
