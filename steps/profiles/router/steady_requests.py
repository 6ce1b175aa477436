"""A client above its rate limit that retries often: it has to be admitted at the rate of the limit.

Both decide by the pauses that really were between the requests: on a busy machine a pause may be so long that any limit admits one again.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.session import MOST_PATIENCE
from rollout_conformance.steps.engine.trace import Exchange
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.requests import NamedRequest
from rollout_conformance.steps.http.responses import COPY, KeptResponse, responses_of
from rollout_conformance.steps.profiles.chat.requests import ChatRequest
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.context import RouterSession

PAUSE_S = 0.2
REFILL_S = 0.9  # a pause of the client that is shorter lets no limit of one request per second admit one
PATIENT_S = 3.2  # longer than the window of a limit that counts three requests in three seconds

Sent = tuple[float, float, bool]  # when a request was sent, when it had its response, and whether that was a success


@verb("steady_requests", short="name", example="{name: steady, key: limited}")
@phrase("the client sends requests repeatedly until one is admitted again", key="limited")
@dataclass(frozen=True, slots=True)
class SteadyRequests(NamedRequest):
    """Send one request after the other, with short pauses, until one succeeds after another one was rejected, or none has for three
    seconds."""

    name: str = field(default="steady", kw_only=True)
    "The name of the responses."
    key: str = "right"
    "The API key, as in `send`."

    async def perform(self, session: RouterSession) -> None:
        name = responses_of(session).reserve(self.name)
        loop, sent = asyncio.get_running_loop(), list[Sent]()
        end = loop.time() + session.patience_s * MOST_PATIENCE
        while admitted(sent) is None and loop.time() < end:
            copy = f"{name}{COPY}{len(sent) + 1}"
            await ChatRequest(user="Hello!", key=self.key).send_one(session, copy, len(sent))
            sent.append(_sent(session.trace.exchanges, responses_of(session).by_name[copy]))
            await asyncio.sleep(PAUSE_S)


def _sent(exchanges: Sequence[Exchange], response: KeptResponse) -> Sent:
    exchange = exchanges[response.n]
    return exchange.began, exchange.ended or exchange.began, response.is_success


def admitted(sent: Sequence[Sent]) -> bool | None:
    """Whether a request succeeded after one that was rejected, with short pauses only; None while nothing is decided."""
    rejected_at: float | None = None
    before: float | None = None
    for began, ended, succeeded in sent:
        if before is not None and ended - before > REFILL_S:
            rejected_at = None
        before = began
        if succeeded and rejected_at is not None:
            return True
        if not succeeded and rejected_at is None:
            rejected_at = began
        if rejected_at is not None and ended - rejected_at >= PATIENT_S:
            return False
    return None


@verb("admitted_again", short="of", example="steady")
@phrase("one of {of:response} is admitted again")
@dataclass(frozen=True, slots=True)
class AdmittedAgain:
    """A request of `steady_requests` succeeds after one that was rejected, although the client does not pause."""

    of: ResponseName = "steady"
    "The name of the responses."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        responses = view.named(self.of)
        found = admitted([_sent(view.trace.exchanges, one) for one in responses])
        if found is not None:
            expected = f"a success within {PATIENT_S:g} s, at one request per second"
            observed = f"{len(responses)} requests, of which none succeeded after the first rejection"
            yield Check(found, expected, observed).evidence(requirement, *responses[-1:])
