"""The router as one of several processes. Requests that may be repetitions of one another go to one process, which has the response;
what operators list is asked of all."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.common.settings import SettingsError
from rollout_conformance.rollout_server.common.workers import summed_metrics
from rollout_conformance.rollout_server.common.workers.group import Group
from rollout_conformance.rollout_server.common.workers.hand_over import Answer
from rollout_conformance.rollout_server.common.workers.in_group import InGroup, Merge
from rollout_conformance.rollout_server.router import admin, errors, request_validation
from rollout_conformance.rollout_server.router.responses import error_response
from rollout_conformance.rollout_server.router.settings import Settings
from rollout_conformance.rollout_server.router.state_store import file_of, is_sqlite, parse_url

REPEATABLE = (request_validation.CHAT, request_validation.COMPLETIONS)
NAMES = ("idempotency-key", "x-request-id")  # the first that a request has names its response (see `idempotency_cache`)
DECISIONS = "/v1/admin/routing/decisions"
AUDIT = "/v1/audit/requests/"
EQUAL = ("router_backends_usable",)


class Process(InGroup):
    async def route(self, scope: Scope, receive: Receive, send: Send) -> None:
        merge = self.merge_of(scope)
        if merge is not None:
            await self.gather(merge, scope, b"", receive, send)
            return
        name = repeated_by(Headers(scope=scope)) if scope["path"] in REPEATABLE else None
        await self.hand_over(self.group.owner(name) if name else self.group.index, scope, receive, send)

    def merge_of(self, scope: Scope) -> Merge | None:
        if scope["method"] != "GET":
            return None
        if scope["path"].startswith(AUDIT):
            return latest_record
        if scope["path"] == DECISIONS:
            return decisions(scope["query_string"].decode("latin-1"))
        return metrics if scope["path"] == "/metrics" else None

    def unavailable(self) -> Response:
        return error_response(errors.restarting())


def repeated_by(headers: Headers) -> str | None:
    return next((value for name in NAMES if (value := headers.get(name))), None)


def metrics(answers: Sequence[Answer]) -> bytes:
    return summed_metrics.summed([answer.body for answer in answers], EQUAL)


def latest_record(answers: Sequence[Answer]) -> bytes:
    """Each process has stored its own records before it responded: the latest version is among the responses."""
    return max((answer.body for answer in answers), key=version)


def version(body: bytes) -> tuple[float, bool]:
    record = json_text.loads(body)
    return record["created_at"], record["status"] is not None


def decisions(query: str) -> Merge:
    def merge(answers: Sequence[Answer]) -> bytes:
        listed: list[dict[str, Any]] = [one for answer in answers for one in json_text.loads(answer.body)["data"]]
        latest = sorted(listed, key=lambda one: one["at"], reverse=True)[: admin.limit(count(query))]
        return json_text.dumps({"object": "list", "data": latest, "count": len(latest)})

    return merge


def count(query: str) -> str | None:
    return QueryParams(query).get("limit")


def create(create_app: Callable[..., Starlette], settings: Settings, group: Group) -> ASGIApp:
    return Process(create_app(settings=with_state(settings, group), group=group), group)


def with_state(settings: Settings, group: Group) -> Settings:
    """One state store for all processes, which ends with them unless another one is configured."""
    if settings.state is not None:
        return settings
    return settings.model_copy(update={"state": SecretStr(f"sqlite+aiosqlite:///{group.folder}/state.db")})


def check(settings: Settings) -> None:
    """Raises `SettingsError` for a state store that several processes cannot share."""
    url = parse_url(settings.state.get_secret_value()) if settings.state is not None else None
    if url is not None and is_sqlite(url) and file_of(url) is None:
        raise SettingsError(
            "ROUTER_STATE: a database in memory cannot be shared by several workers; name a file, or use one worker"
        )
