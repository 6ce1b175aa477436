"""What the backends do in a case: their script, responses that are held, and backends that go down. These steps drive; none of them judges."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from rollout_conformance.steps.engine.verb_parsing import Written, made, members
from rollout_conformance.steps.engine.verbs import object_schema, phrase, verb
from rollout_conformance.steps.http.requests import in_flight
from rollout_conformance.steps.http.waiting import wait_until
from rollout_conformance.steps.peers.scripted_backends import BackendResponse, BackendScript, Fault
from rollout_conformance.steps.profiles.router.context import RouterContext, RouterSession

BackendName = Literal["a", "b", "c", "d"]
PLAIN: Mapping[str, object] = {"text": "Done."}


def script_of(session: RouterSession) -> BackendScript:
    """The script that the backends play now."""
    found: BackendScript = session.state["script"]
    return found


def _response(written: object) -> BackendResponse:
    """How a backend responds: a status, a fault, a text, or members. Raises `ValueError` for anything else."""
    if isinstance(written, BackendResponse):
        return written
    if isinstance(written, int):
        return made(BackendResponse, {"status": written})
    given = {"fault": written} if written in get_args(Fault) else members(written, "text")
    response = made(BackendResponse, given)
    try:
        json.dumps(dict(response.members), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"members: {dict(response.members)} cannot be sent as JSON: {error}") from None
    return response


SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"enum": list(get_args(Fault))},
        {"type": "string"},
        object_schema(BackendResponse),
    ]
}


@verb(
    "backends",
    short="responses",
    example=("Done.", "[503, Done.]", "[reset, {text: One two three., delay_s: 0.3}]", "{reset_after: 4}"),
    before=lambda given: given if not given or set(given) == {"responses"} else {"responses": given},
)
@phrase(
    "each backend response has these members:",
    block="members",
    keyword="given",
    example={"members": "created: 1795260814\nusage: {prompt_tokens: 7, completion_tokens: 1}"},
)
@dataclass(frozen=True, slots=True)
class ScriptBackends:
    """Set how the backends respond. The first request plays the first response, whichever backend receives it; the last response is
    repeated."""

    responses: tuple[Annotated[BackendResponse, Written(_response, SCHEMA)], ...] = (BackendResponse(),)
    "In order. Without any, each response is a completion of ten words."

    @property
    def waits_s(self) -> float:
        """How long a backend delays a response at most."""
        return max(response.delay_s for response in self.responses)

    async def perform(self, session: RouterSession) -> None:
        context: RouterContext = session.context
        script = BackendScript(context.nonce(), session.trace, self.responses)
        context.backends.add(script)
        session.state["script"], session.state["unmatched_before"] = script, len(context.backends.unmatched_requests)
        session.state.setdefault("scripts", []).append(script)
        session.state["session_name"] = script.nonce


@verb("wait_for_backends")
@phrase("each request has reached a backend or has a response")
@dataclass(frozen=True, slots=True)
class WaitForBackends:
    """Wait until each request in flight has reached a backend or has a response. What a router does at its limit is seen while the backends
    still hold what it admitted, so nothing depends on how fast anything is."""

    async def perform(self, session: RouterSession) -> None:
        script, tasks = script_of(session), in_flight(session)
        await wait_until(
            session,
            lambda: len(script.received) - len(script.finished) + sum(one.done() for one in tasks) >= len(tasks),
        )


@verb("release_backends")
@phrase("the backends send the responses that they hold")
@dataclass(frozen=True, slots=True)
class ReleaseBackends:
    """Let the backends send the responses that they hold, and wait until each request in flight has its response."""

    async def perform(self, session: RouterSession) -> None:
        script_of(session).release()
        await all_responses(session)


async def all_responses(session: RouterSession) -> None:
    """Wait until no request of the case is in flight."""
    tasks = in_flight(session)
    await asyncio.gather(*tasks)
    tasks.clear()


@verb("clients_disconnect")
@phrase("the clients disconnect")
@dataclass(frozen=True, slots=True)
class ClientsDisconnect:
    """Each client with a request in flight disconnects, whatever part of its response has arrived."""

    async def perform(self, session: RouterSession) -> None:
        tasks = in_flight(session)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        tasks.clear()


@verb("wait_for_disconnect", short="within_s", example="2")
@phrase("the router disconnects from the backends")
@dataclass(frozen=True, slots=True)
class WaitForDisconnect:
    """Wait until each request to a backend has ended: the router has disconnected, or the response is complete."""

    within_s: float = 0.0
    "The longest time to wait; 0 is the patience of the case, which is right for endless streams."

    async def perform(self, session: RouterSession) -> None:
        script = script_of(session)
        await wait_until(
            session,
            lambda: len(script.disconnected) + len(script.finished) >= len(script.received),
            self.within_s or None,
        )


@verb("stop_last_backend")
@phrase("the backend that received the last request goes down")
@dataclass(frozen=True, slots=True)
class StopLastBackend:
    """The backend that received the last request resets each connection from now on, for this case."""

    async def perform(self, session: RouterSession) -> None:
        script = script_of(session)
        if script.received:
            script.stopped.add(script.received[-1][0])


@verb("backends_down", short="names", example=("[c]", "[c, d]", "[]"))
@phrase("backend(s) {names} is down")
@phrase("backend(s) {names} are down", example={"names": "c and d"})
@phrase("all backends are up", names=())
@dataclass(frozen=True, slots=True)
class BackendsDown:
    """These backends reset each connection from now on, to their health endpoints as well; every other backend is up."""

    names: tuple[BackendName, ...] = ()
    "The backends `c` and `d` are those of the variant `mortal`."

    async def perform(self, session: RouterSession) -> None:
        down: set[str] = session.context.backends.down
        down.clear()
        down.update(self.names)


@verb("stop_router")
@phrase("the router is stopped")
@dataclass(frozen=True, slots=True)
class StopRouter:
    """Send the router the signal to stop, and wait until it has stopped and each request in flight has ended."""

    async def perform(self, session: RouterSession) -> None:
        await asyncio.gather(session.state["target"].stop(), all_responses(session))
