"""Requests to a rollout server that start no rollout: any request, a status, a cancellation; and the signal to stop."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rollout_conformance.steps.engine.http_client import path_segment
from rollout_conformance.steps.engine.trace import Headers, Request, parse
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.keys import key_header
from rollout_conformance.steps.http.requests import RequestAction
from rollout_conformance.steps.http.responses import kept
from rollout_conformance.steps.profiles.rollout.context import RolloutSession, rollout_state, rollout_states
from rollout_conformance.steps.profiles.rollout.start_client import authorization
from rollout_conformance.steps.profiles.rollout.start_request import StartRequest

NO_ROLLOUT = "-"  # the label of exchanges that belong to no rollout
JSON_HEADERS: Headers = (("content-type", "application/json"),)


@verb(
    "send", short="path", example=("/health", "{method: POST, path: /rollout, raw: '['}", "{path: /health, key: none}")
)
@phrase("a client sends {method:word} {path:path}")
@phrase("a client sends {method:word} {path:path} without a key", key="none")
@dataclass(frozen=True, slots=True)
class Send(RequestAction):
    """Send any HTTP request."""

    path: str
    "Path and query, beginning with `/`."
    method: str = "GET"
    raw: str = ""
    "The body as text, sent byte for byte."
    json: object = None
    "The body as JSON."
    key: Literal["right", "none", "wrong"] = "right"
    "The API key of the target, none, or another one."
    headers: Mapping[str, str] = field(default_factory=dict)
    "Headers beside Authorization and Content-Type."

    async def send_one(self, session: RolloutSession, name: str, nth: int) -> None:
        body = self.raw if self.json is None else json.dumps(self.json)
        given = {**self.headers, **key_header(session.context, self.key)}
        headers = (
            *(JSON_HEADERS if self.json is not None else ()),
            *((name.lower(), value) for name, value in given.items()),
        )
        within_s = session.patience_s if self.method == "GET" else None  # no rollout is waited for
        request = Request(self.method, self.path, headers, body.encode())
        kept(session, name, await session.send(request, rollout=NO_ROLLOUT, deadline_s=within_s))


@verb("get_status", short="rollout", example=("left", "{rollout_id: unknown-id}"))
@phrase("the trainer requests the status of the rollout")
@phrase("the trainer requests the status of the rollout with id {rollout_id}")
@dataclass(frozen=True, slots=True)
class GetStatus(RequestAction):
    """Request the status of a rollout (routed dialect)."""

    rollout: str = ""
    "The label of the rollout. One that was started without an id is found by the id in the response to its start request."
    rollout_id: str = ""
    "An id in place of that of the rollout."

    async def send_one(self, session: RolloutSession, name: str, nth: int) -> None:
        given = rollout_state(session.state, self.rollout).given
        rollout_id = self.rollout_id or _returned_id(session, self.rollout) or (given.rollout_id if given else "")
        path = f"/rollout/{path_segment(rollout_id)}/status"
        request = Request("GET", path, authorization(session.context))
        kept(session, name, await session.send(request, rollout=NO_ROLLOUT))


def _returned_id(session: RolloutSession, label: str) -> str:
    """The id in the response to the last start request."""
    starts = [e for e in session.trace.exchanges if e.to_target and e.rollout == label and e.response is not None]
    body = parse(starts[-1].response.body) if starts and starts[-1].response else None
    found = body.get("rollout_id") if isinstance(body, dict) else None
    return found if isinstance(found, str) else ""


@verb("cancel", short="rollouts", example=("left", "{rollouts: [a, b], prefix: run-}", "{all: true}", "{body: {}}"))
@phrase("the trainer cancels the rollout")
@phrase("the trainer cancels all rollouts", all=True)
@phrase("the trainer sends a cancel request with the body {body:json}")
@dataclass(frozen=True, slots=True)
class Cancel(RequestAction):
    """Cancel rollouts (dialects routed and leased): by their ids, by a prefix of their ids, or all that the server has."""

    rollouts: tuple[str, ...] = ()
    "The labels of the rollouts; without any, every rollout of the case."
    prefix: str = ""
    "Cancel by what their ids begin with: this text, or `common` for what the ids of these rollouts have in common."
    all: bool = False
    "Cancel all rollouts of the server, also those of other cases."
    body: object = None
    "A JSON body in place of the ordinary one."
    raw: str | None = None
    "A text that is sent as the body."

    async def send_one(self, session: RolloutSession, name: str, nth: int) -> None:
        labels = self.rollouts or tuple(rollout_states(session.state))
        states = [rollout_state(session.state, label) for label in labels]
        given = [state.given for state in states if state.given is not None]
        for one in given:
            session.trace.event(one.label, "trainer", "CancelSent", len(session.trace.exchanges))
        body = self.raw if self.raw is not None else json.dumps(self._body(given))
        headers = (*JSON_HEADERS, *authorization(session.context))
        request = Request("POST", "/rollout/cancel", headers, body.encode())
        kept(session, name, await session.send(request, rollout=NO_ROLLOUT))

    def _body(self, given: Sequence[StartRequest]) -> object:
        if self.body is not None:
            return self.body
        ids = [one.rollout_id for one in given]
        if self.all:
            return {"all": True}
        if self.prefix:
            return {"prefix": _common_prefix(ids) if self.prefix == "common" else self.prefix}
        return {"ids": ids}


def _common_prefix(ids: list[str]) -> str:
    columns = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*ids, strict=False))
    return "".join(column[0] for column in columns)


@verb("stop_server")
@phrase("the server is stopped")
@dataclass(frozen=True, slots=True)
class StopServer:
    """Send SIGTERM to the server and wait until it has exited. Only for a case with an instance of its own (`alone`)."""

    async def perform(self, session: RolloutSession) -> None:
        await session.state["target"].stop()
