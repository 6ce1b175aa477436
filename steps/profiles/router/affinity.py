"""Conversations with and without a common prefix, and requests until a backend has received one. These steps drive; none of them judges."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.lenient_json import JsonObject
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.requests import NamedRequest
from rollout_conformance.steps.http.responses import COPY, responses_of
from rollout_conformance.steps.http.waiting import repeat_until
from rollout_conformance.steps.profiles.chat.requests import ChatRequest
from rollout_conformance.steps.profiles.router.backends import BackendName, script_of
from rollout_conformance.steps.profiles.router.context import RouterSession

LONG = "All that is written here is of one kind, and the same for everybody who reads it. "  # 82 characters
PATIENCE = 2  # times that of the case: a backend that failed may not be used for a while
PAUSE_S = 0.1  # between two requests that wait for a backend


@verb("conversations", short="times", example=("40", "{turns: 12}", "{times: 12, common_prefix: 16000}"))
@phrase("the client has {times:int} conversation(s) of {turns:int} turn(s)")
@phrase("the client has {times:int} conversation(s)", turns=1)
@dataclass(frozen=True, slots=True)
class Conversations(NamedRequest):
    """Have several conversations, one after the other. Each turn sends the history of its conversation with another question."""

    times: int = 1
    "How many conversations."
    turns: int = 1
    "How many requests each of them has."
    common_prefix: int = 0
    "How many characters at their beginning are the same in all of them. With 0 they have no common prefix."

    async def perform(self, session: RouterSession) -> None:
        name = responses_of(session).reserve(self.name)
        for n in range(self.times):
            await self._one(session, name, n)

    async def _one(self, session: RouterSession, name: str, n: int) -> None:
        messages: list[JsonObject] = [{"role": "system", "content": self._beginning(session, name, n)}]
        for turn in range(self.turns):
            question = f"{name} {n}, question {turn}, of {session.state['session_name']}"
            messages = [*messages, {"role": "user", "content": question}]
            response = f"{name}{COPY}{n * self.turns + turn + 1}"
            await ChatRequest(name=response, body={"messages": messages}).perform(session)
            messages = [*messages, {"role": "assistant", "content": f"Answer {turn}."}]

    def _beginning(self, session: RouterSession, name: str, n: int) -> str:
        """A prefix is common to the conversations of a case only: the router may remember those of other cases."""
        case = session.state["session_name"]
        if not self.common_prefix:
            return f"{name} {n} of {case}. {LONG}"
        return (f"{case}. " + LONG * (self.common_prefix // len(LONG) + 1))[: self.common_prefix]


@verb("request_until_backend", short="backend", example=("a", "{backend: c, name: again}"))
@phrase("requests are sent until backend {backend} receives one")
@dataclass(frozen=True, slots=True)
class RequestUntilBackend(NamedRequest):
    """Send requests one after the other until this backend has received one of them, or twice the patience of the case is over."""

    backend: BackendName
    "The backend that has to receive a request."

    async def perform(self, session: RouterSession) -> None:
        name, sent, script = responses_of(session).reserve(self.name), 0, script_of(session)
        before = len(script.received)  # a request of an earlier step does not show that the backend is used now

        async def attempt() -> bool:
            nonlocal sent
            sent += 1
            await ChatRequest(name=f"{name}{COPY}{sent}", user="Hello!").perform(session)
            return self.backend in {backend for backend, _ in script.received[before:]}

        await repeat_until(session, attempt, for_s=PATIENCE * session.patience_s, every_s=PAUSE_S)
