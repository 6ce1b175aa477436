"""The rollout server as one of several processes: whatever names a rollout is handled by the process that runs it."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rollout_conformance.rollout_server.common import auth, json_text, request_parsing
from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.common.workers import summed_metrics
from rollout_conformance.rollout_server.common.workers.group import Group
from rollout_conformance.rollout_server.common.workers.hand_over import Answer, replay
from rollout_conformance.rollout_server.common.workers.in_group import InGroup, Merge
from rollout_conformance.rollout_server.rollout import concurrency, leased_dialect, routed_dialect
from rollout_conformance.rollout_server.rollout.settings import Settings

OF_A_ROLLOUT = re.compile(r"/rollout/([^/]+)/(?:status|result)")
CANCEL = "/rollout/cancel"
STARTS = ("/rollout", "/v1/rollout/init")


class Process(InGroup):
    def __init__(self, app: ASGIApp, group: Group, settings: Settings) -> None:
        super().__init__(app, group)
        self._key = settings.server_key.get_secret_value() if settings.server_key else None
        self._limit = settings.max_body_bytes

    async def route(self, scope: Scope, receive: Receive, send: Send) -> None:
        merge = self.merge_of(scope)
        if named := OF_A_ROLLOUT.fullmatch(scope["path"]):
            await self.hand_over(self.group.owner(named[1]), scope, receive, send)
        elif scope["method"] == "POST" and scope["path"] in (*STARTS, CANCEL):
            await self.route_body(scope, receive, send)
        elif merge is not None:
            await self.gather(merge, scope, b"", receive, send)
        else:
            await self.app(scope, receive, send)

    def merge_of(self, scope: Scope) -> Merge | None:
        return MERGED.get((scope["method"], scope["path"]))

    async def route_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What may not be read, or not to its end, is rejected by the application as ever."""
        if not auth.is_allowed(Request(scope), self._key):
            await self.app(scope, receive, send)
            return
        try:
            body = await request_parsing.read_body(Request(scope, receive), self._limit)
        except RequestError as error:
            await json_response({"detail": error.detail}, error.status, error.headers)(scope, receive, send)
            return
        if scope["path"] == CANCEL:
            await self.gather(dispositions, scope, body, receive, send)
        else:
            await self.hand_over(self.owner(scope["path"], body), scope, replay(body, receive), send)

    def owner(self, path: str, body: bytes) -> int:
        """This process where no id says otherwise. A sync rollout is no more than its request, and runs where that arrived."""
        try:
            value = json_text.loads(body)
        except json_text.NotJsonError:
            return self.group.index
        name = value.get("rollout_id") if isinstance(value, dict) and has_record(path, value) else None
        return self.group.owner(name) if isinstance(name, str) else self.group.index

    def unavailable(self) -> Response:
        detail = "The worker process of this rollout has ended, and is being started again"
        return json_response({"detail": detail}, 503, {"Retry-After": str(concurrency.RETRY_AFTER_S)})


def has_record(path: str, body: dict[str, Any]) -> bool:
    """Whether the rollout is known by its id after its start."""
    return path == "/v1/rollout/init" or routed_dialect.is_routed(body) or leased_dialect.is_leased(body)


def dispositions(answers: Sequence[Answer]) -> bytes:
    """Each process knows its own rollouts, and reports all others as not found."""
    merged: dict[str, str] = {}
    for answer in answers:
        for name, disposition in json_text.loads(answer.body)["dispositions"].items():
            if merged.get(name, "not_found") == "not_found":
                merged[name] = disposition
    return json_text.dumps({"dispositions": merged})


def health(answers: Sequence[Answer]) -> bytes:
    bodies = [json_text.loads(answer.body) for answer in answers]
    return json_text.dumps(
        {**bodies[0], **{n: sum(b[n] for b in bodies) for n in ("active_rollouts", "completed_rollouts")}}
    )


def metrics(answers: Sequence[Answer]) -> bytes:
    return summed_metrics.summed([answer.body for answer in answers])


MERGED: dict[tuple[str, str], Merge] = {
    ("GET", "/health"): health,
    ("GET", "/platform/health"): health,
    ("GET", "/metrics"): metrics,
    ("POST", CANCEL): dispositions,
}


def create(create_app: Callable[..., Starlette], settings: Settings, group: Group) -> ASGIApp:
    return Process(create_app(settings=settings, group=group), group, settings)
