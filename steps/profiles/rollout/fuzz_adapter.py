"""A start request that was generated and not written: it gets the trainer, and is judged like any other."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from rollout_conformance.steps.engine.session import WaitTimeout
from rollout_conformance.steps.engine.trace import Request, Response
from rollout_conformance.steps.peers.script import AnyCall, Fault, Reply, Script
from rollout_conformance.steps.peers.trainer import NONCE
from rollout_conformance.steps.profiles.parts import FuzzAdapter
from rollout_conformance.steps.profiles.rollout.actions.wait import WaitForEnd
from rollout_conformance.steps.profiles.rollout.context import CaseContext, CaseState, RolloutSession, rollout_state
from rollout_conformance.steps.profiles.rollout.start_client import record_start_response, register_as, send_start
from rollout_conformance.steps.profiles.rollout.start_request import (
    KEY_NAME,
    SAMPLING_NAME,
    START_PATH,
    STREAMED,
    StartOverrides,
    StartRequest,
)

NONCE_TEXT = re.compile(NONCE.pattern.decode())
LEAST_S = 30.0
LONGEST_ID = 200  # what is made unique has to stay within the 256 characters that an id may have
CALL, DONE = Reply(calls=(AnyCall(1),)), Reply(text="Done.")
SCRIPTS = (
    (CALL, DONE),
    (Reply(calls=(AnyCall(1), AnyCall(2)), reasoning="Both at once."), Reply(text="Fertig: 5 · 3 \U0001f680")),
    (replace(CALL, odd=True), replace(DONE, odd=True, message={"annotations": [{"note": None}]})),
    (DONE,),
    (CALL, CALL, CALL, DONE),
    (CALL, Fault(503), DONE),
)
"""What the trainer plays, in turn: a generated request does not determine it."""
ADDRESSES = {
    "sync": ("server_url",),
    "callback": ("server_url",),
    "routed": ("chat_completions_url", "completion_callback_url", "grader_callback_url"),
    "leased": ("chat_completions_url",),
}
ENDPOINTS = {
    "server_url": "",
    "chat_completions_url": "/v1",
    "completion_callback_url": "/v1/rollout/completed",
    "grader_callback_url": "/v1/rollout/graded",
}
"""Which members of a start request are the addresses of the trainer, the indispensable ones first; and their paths."""

KEYS = ("callback_api_key", "api_key", "llm_api_key", "controller_api_key")

ABOUT = {"sync": ("ROLLOUT-119",), "callback": ("ROLLOUT-136",), "routed": ("ROLLOUT-213",), "leased": ("ROLLOUT-279",)}
"""The requirement that a rollout which never ends breaks."""


def dialect_of(spec: Mapping[str, Any]) -> str | None:
    """The dialect of an OpenAPI document: its paths say so, or `x-dialect` does."""
    paths = spec.get("paths") or {}
    if "/rollout/{rollout_id}/result" in paths:
        return "leased"
    if "/rollout/cancel" in paths:
        return "routed"
    if isinstance(spec.get("x-dialect"), str):
        return str(spec["x-dialect"])
    return next((dialect for dialect, start in START_PATH.items() if start in paths), None)


class Adapter(FuzzAdapter[CaseState, CaseContext]):
    """How the generated requests of this profile are adapted."""

    def about(self, dialect: str, start: bool) -> tuple[str, ...]:
        return ABOUT[dialect] if start else ()

    def is_start(self, dialect: str, method: str, path: str) -> bool:
        return method.upper() == "POST" and path == START_PATH.get(dialect)

    async def adapt_request(self, session: RolloutSession, generated: Any) -> None:
        """Put the trainer into a start request of schemathesis."""
        if self.is_start(session.context.dialect, generated.method, generated.formatted_path):
            generated.body = adapted_body(session, generated.body)

    def began(self, session: RolloutSession, request: Request, start: bool) -> int:
        """Note that a request is on its way; gives the number of its exchange."""
        n = session.trace.open(request, to_target=True, rollout="" if start else "-")
        if start and rollout_state(session.state, "").given is not None:
            session.trace.event("", "trainer", "StartSent", n)
        return n

    async def ended(self, session: RolloutSession, n: int, request: Request, response: Response, start: bool) -> None:
        """Record the response, send the same request once more where the dialect must recognise it, and wait for the end of the rollout."""
        await super().ended(session, n, request, response, start)
        part = rollout_state(session.state, "")
        if not start or part.given is None:
            return
        record_start_response(session, "", n, response)
        if session.context.dialect != "sync" and response.status == 202:
            try:
                if session.context.dialect == "callback" and part.given.rollout_id:
                    await send_start(session, part, True)
                await WaitForEnd().perform(session)
            except WaitTimeout as silence:
                session.state["wait_timeouts"] = [("", str(silence))]


def adapted_body(session: RolloutSession, body: object) -> Any:
    """The start request that is sent in place of `body`: its trainer is ours, its id and its keys unique, its tokenizer known.

    What makes a request invalid is left unchanged; one that names no trainer at all is left unchanged, because no rollout can come of it.
    """
    context: CaseContext = session.context
    addresses = ADDRESSES[context.dialect]
    if not isinstance(body, Mapping) or not all(_is_address(body.get(name)) for name in addresses[:2]):
        return body
    nonce = context.nonce()
    base_url = context.trainer_url + (f"/of/{nonce}" if context.dialect in STREAMED else "")
    ours = {name: base_url + ENDPOINTS[name] for name in addresses if _is_address(body.get(name))}
    mine = {**_without_nonces(body), **ours}
    if isinstance(mine.get("rollout_id"), str) and 0 < len(mine["rollout_id"]) <= LONGEST_ID:
        mine["rollout_id"] = f"{mine['rollout_id']}-{nonce}"
    for name in KEYS:
        if isinstance(mine.get(name), str) and mine[name]:
            mine[name] = f"{mine[name]}-key-of-{nonce}"  # "00000000" stands in many a log without being a key
    seconds = mine.get("agent_timeout_sec")
    if isinstance(seconds, float) and 0 < seconds < LEAST_S:
        mine["agent_timeout_sec"] = LEAST_S  # less would be a race; no time at all is none
    tokenizer, name = context.tokens_for(rollout_state(session.state, "").overrides)
    if isinstance(body.get("tokenizer_name"), str) and body["tokenizer_name"]:
        mine["tokenizer_name"] = name
    part = rollout_state(session.state, "")
    number = int(nonce.rpartition("-")[2].rstrip("x"))
    script = Script(SCRIPTS[number % len(SCRIPTS)])
    script = context.resolved(script, number % 89) if context.usable_tools() else Script((DONE,))
    register_as(session, part, _given(context, mine, nonce, base_url), tokenizer, script)
    return mine


def _without_nonces(value: object) -> Any:
    """Generators feed on what they have seen: an id of an earlier rollout in a text would look as if it had strayed."""
    if isinstance(value, str):
        return NONCE_TEXT.sub("rc-again", value)
    if isinstance(value, Mapping):
        return {_without_nonces(key): _without_nonces(inner) for key, inner in value.items()}
    return [_without_nonces(inner) for inner in value] if isinstance(value, list) else value


def _is_address(value: object) -> bool:
    try:
        return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and bool(urlsplit(value).hostname)
    except ValueError:
        return False


def _given(context: CaseContext, body: Mapping[str, Any], nonce: str, base_url: str) -> StartRequest:
    rollout_id, key = body.get("rollout_id"), body.get(KEY_NAME[context.dialect])
    if context.dialect == "routed" and key is None:
        key = body.get("controller_api_key")
    sampling = body.get(SAMPLING_NAME[context.dialect])
    return StartRequest(
        label="",
        dialect=context.dialect,
        rollout_id=rollout_id if isinstance(rollout_id, str) else "",
        key=key if isinstance(key, str) else None,
        nonce=nonce,
        base_url=base_url,
        body=body,
        sampling=sampling if isinstance(sampling, dict) else {},
        overrides=StartOverrides(body),  # what was generated may be reason enough to reject it, or to fail
    )
