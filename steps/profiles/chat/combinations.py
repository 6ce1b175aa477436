"""Requests with several parameters at once: first all of them together, and where that is rejected each alone."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.verbs import verb
from rollout_conformance.steps.http.checks import Check, JudgesRejections, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.requests import RequestAction
from rollout_conformance.steps.http.responses import COPY, responses_of
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.profiles.chat.expectations.sampling import SameCompletion, SameLogprobs
from rollout_conformance.steps.profiles.chat.expectations.text import JsonObject
from rollout_conformance.steps.profiles.chat.requests import ChatRequest
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseContext, CaseView

Members = Mapping[str, object]

TOGETHER, ALONE, WHOLE = "together", "alone", "whole"
TOOLS = [calculator.tool(name) for name in ("add", "subtract")]
NAMED = {"type": "function", "function": {"name": "add"}}
STREAMED = {"stream": True}
PARAMETERS: Mapping[str, Members] = {
    "tools": {"tools": TOOLS},
    "tools_required": {"tools": TOOLS, "tool_choice": "required"},
    "tools_named": {"tools": TOOLS, "tool_choice": NAMED},
    "tools_none": {"tools": TOOLS, "tool_choice": "none"},
    "stream": STREAMED,
    "stream_usage": {**STREAMED, "stream_options": {"include_usage": True}},
    "logprobs": {"logprobs": True},
    "top_logprobs_0": {"logprobs": True, "top_logprobs": 0},
    "top_logprobs_2": {"logprobs": True, "top_logprobs": 2},
    "n": {"n": 2, "temperature": 1},
    "seed": {"seed": 5},
    "stop": {"stop": ["\n\n9 9", "rc-never"]},
    "json": {"response_format": {"type": "json_object"}},
}
NEEDS = {"tools": "tools", "stream": "streaming", "logprobs": "logprobs", "top": "logprobs", "json": "json"}
FORCED = ("required", NAMED)


@verb("combine", example="{user: Please calculate 5 plus 3., parameters: 'tools, stream, logprobs'}")
@dataclass(frozen=True, slots=True)
class CombinedRequest(RequestAction):
    """Send one request with several parameters; where it is rejected, one with each of them alone, and one with all that were then accepted.
    What the server lacks is left out. The responses are called `together` and `alone`; that to the same request without a stream is `whole`."""

    user: str
    "The content of the user message."
    parameters: str
    "Names of parameters, with commas between them: tools, tools_required, tools_named, tools_none, stream, stream_usage, logprobs, \
top_logprobs_0, top_logprobs_2, n, seed, stop, json."

    def __post_init__(self) -> None:
        """Raises `ValueError` for a name that is none."""
        if unknown := [name for name in self.parameters.split(", ") if name not in PARAMETERS]:
            raise ValueError(f"parameters: {unknown[0]!r} is none of {', '.join(PARAMETERS)}")

    @property
    def keeps(self) -> tuple[str, ...]:
        return (TOGETHER, ALONE, WHOLE)

    async def perform(self, session: Session) -> None:
        context: CaseContext = session.context
        names = [name for name in self.parameters.split(", ") if _is_there(name, context)]
        together = await self._sent(session, TOGETHER, names)
        if together.is_client_error:
            alone = [await self._sent(session, f"{ALONE}{COPY}{n + 1}", [name]) for n, name in enumerate(names)]
            granted = [name for name, one in zip(names, alone, strict=True) if one.is_success]
            if 1 < len(granted) < len(names):
                names, together = granted, await self._sent(session, TOGETHER, granted)
        if together.is_completion and together.streamed and "n" not in names:
            await self._sent(session, WHOLE, [name for name in names if name not in ("stream", "stream_usage")])

    async def _sent(self, session: Session, name: str, names: Iterable[str]) -> ChatResponse:
        body = {member: value for one in names for member, value in PARAMETERS[one].items()}
        without = () if "logprobs" in body else ("logprobs",)
        await ChatRequest(name=name, user=self.user, body=body, without=without).perform(session)
        found: ChatResponse = responses_of(session).named(name)[0]
        return found


def _is_there(name: str, context: CaseContext) -> bool:
    """Whether the server has shown what this parameter needs."""
    need = NEEDS.get(name.partition("_")[0])
    return need is None or need in context.capabilities


@verb("granted_together", example="{}")
@dataclass(frozen=True, slots=True)
class GrantedTogether(JudgesRejections, ResponseExpectation):
    """What is accepted alone is accepted together, and has its effect; a stream of it is what the response without a stream is."""

    of: tuple[ResponseName, ...] = (TOGETHER, WHOLE, ALONE)

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for together in view.named(TOGETHER):
            if together.is_client_error:
                yield from _rejected(view, requirement, together)
            elif together.is_completion:
                yield Satisfied(requirement)
                for check in _effects(together, view):
                    yield check.evidence(requirement, together)
        if not view.context.deterministic:
            return
        yield from SameCompletion(of=(WHOLE, TOGETHER), by="text").judge(view, "CHAT-050")
        yield from SameLogprobs(of=(WHOLE, TOGETHER)).judge(view, "CHAT-055")


def _rejected(view: CaseView, requirement: str, together: ChatResponse) -> Iterator[Evidence]:
    """A finding where at least two of the parameters are accepted alone."""
    granted = [one for one in view.named(ALONE) if one.is_success]
    if len(granted) > 1:
        expected = f'"{_names(together)}" accepted together, as each of them is alone'
        observed = f"rejected with {together.shown()}"
        yield Finding(requirement, expected, observed, (together.n, *(one.n for one in granted)))


def _names(response: ChatResponse) -> str:
    known = {member for members in PARAMETERS.values() for member in members} - {"temperature"}
    return ", ".join(name for name in response.request if name in known)


def _effects(response: ChatResponse, view: CaseView) -> Iterator[Check]:
    """What each parameter leads to, beside the others as without them."""
    request, choices = response.request, response.choices
    count = request.get("n", 1)
    if "n" not in view.context.imposed:
        yield Check(len(choices) == count, f"{count} choice(s)", f"{len(choices)} choice(s)", requirement="CHAT-036")
    for choice in choices:
        called = f"{len(choice.calls)} call(s)"
        if request.get("tool_choice") in FORCED and choice.finish != "length":
            yield Check(bool(choice.calls), "a tool call", called, ignored=True, requirement="CHAT-042")
        if request.get("tool_choice") == "none":
            yield Check(not choice.calls, "no tool call", called, ignored=True, requirement="CHAT-041")
    if "response_format" in request and request.get("tools") is None:
        found = JsonObject().check(response, view)
        yield Check(found.ok, found.expected, found.observed, requirement="CHAT-044")
