"""Which dialects a target shows: empty requests tell its paths apart, and start nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from rollout_conformance.steps.engine.http_client import client, transport_fault
from rollout_conformance.steps.engine.probe_result import excerpt
from rollout_conformance.steps.engine.starting import NotUsable
from rollout_conformance.steps.profiles.rollout.start_request import START_PATH

PROBES_S = 10.0  # empty requests are rejected immediately
RESULT, STATUS = "/rollout/rc-unknown/result", "/rollout/rc-unknown/status"
CANCEL, TOOLS = "/rollout/cancel", "/tools"


async def detected(
    base_url: str, dialects: tuple[str, ...], authorization: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[str, ...]:
    """Those of the dialects that the target shows. Raises `NotUsable` when it shows none, or does not respond."""
    try:
        async with client(headers=headers) as http, asyncio.timeout(PROBES_S):
            probe = DialectProbe(http, base_url, authorization, is_named=len(dialects) == 1)
            shown = [dialect for dialect in dialects if await probe.shows(dialect)]
    except (TimeoutError, httpx.HTTPError) as error:
        silent = "it is silent, or its answer has no end"
        seen = transport_fault(error) if isinstance(error, httpx.HTTPError) else silent
        raise NotUsable(f"{base_url} answers /health but not an empty start request: {seen}", broken=True) from error
    if shown:
        return tuple(shown)
    paths = "; ".join(f"POST {START_PATH[dialect]} is answered {probe.answers[dialect]}" for dialect in dialects)
    raise NotUsable(
        f"{base_url} has none of the endpoints to judge: {paths}. Is this a rollout server? {_other(dialects)}",
        starting=all(answer.startswith("404") for answer in probe.answers.values()),
    )


def _other(asked: tuple[str, ...]) -> str:
    """What to do where the target has a dialect that was not asked for, or that it does not show."""
    others = [one for one in START_PATH if one not in asked]
    if not others:
        return "Name its dialect with --dialect if it has one that this does not show."
    listed, only = ", ".join(others), ", ".join(asked)
    return (
        f"Only {only} was looked for, because --dialect or `dialects` on the card says so: remove that, or write there what the target has "
        f"({listed})."
    )


@dataclass(slots=True)
class DialectProbe:
    """`sync`, `routed` and `leased` share a path: the first has /tools beside it, the others /rollout/cancel, the last a path for results.
    None has to have these, so that the path is enough where the user has named the dialect (`is_named`). `answers` notes for each
    dialect what was answered instead."""

    http: httpx.AsyncClient
    base_url: str
    authorization: Mapping[str, str]
    is_named: bool
    answers: dict[str, str] = field(default_factory=dict)

    async def shows(self, dialect: str) -> bool:
        """Whether the target has the paths of a dialect."""
        response = await self._request("POST", START_PATH[dialect])
        self.answers[dialect] = f"{response.status_code} {excerpt(response.content)}".strip()
        if not _is_path(response):
            return False
        if dialect == "callback" or self.is_named:
            return True
        if dialect == "leased":
            self.answers[dialect] = "as in another dialect (there is no GET /rollout/{rollout_id}/result)"
            return await self._has(RESULT)
        if dialect == "routed":
            self.answers[dialect] = "as in the dialect sync (there is no POST /rollout/cancel)"
            return await self._is_routed()
        self.answers[dialect] = "as in the dialect routed (there is no GET /tools)"
        return not await self._cancels() or await self._lists_tools()

    async def _is_routed(self) -> bool:
        """Both `routed` and `leased` cancel; only the one with callbacks has a path for the status."""
        return await self._cancels() and (not await self._has(RESULT) or await self._has(STATUS))

    async def _cancels(self) -> bool:
        return _is_path(await self._request("POST", CANCEL))

    async def _lists_tools(self) -> bool:
        return _is_path(await self._request("GET", TOOLS))

    async def _has(self, path: str) -> bool:
        """Whether a path that needs GET is there: an unknown id may be answered 404 like an unknown path, but then POST is 405."""
        if _is_path(await self._request("GET", path)):
            return True
        return (await self._request("POST", path)).status_code == 405

    async def _request(self, method: str, path: str) -> httpx.Response:
        """An empty request, with the key: where every path requires one, an absent path looks like a present one."""
        headers = {"content-type": "application/json", **self.authorization}
        body = b"{}" if method == "POST" else b""
        return await self.http.request(method, self.base_url + path, content=body, headers=headers)


def _is_path(response: httpx.Response) -> bool:
    return response.status_code not in (404, 405, 501)
