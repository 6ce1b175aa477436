"""Expectations about requests and responses on their way through the router: every member arrives, with its value unchanged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import Difference, show
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.backend_requests import script
from rollout_conformance.steps.profiles.router.json_changes import changes, harmless


@verb("request_forwarded", short="of", example="first")
@phrase("the backend receives every member of the request")
@phrase("the backend receives every member of the {of:word} request")
@dataclass(frozen=True, slots=True)
class RequestForwarded:
    """The request reaches a backend. That each member arrives with its value unchanged is judged in every case."""

    of: tuple[ResponseName, ...] = ("it",)
    "The response to the request."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        response, received = view.named(*self.of)[0], script(view).received
        if received:
            yield Satisfied(requirement)  # each member is compared in every case (request_fidelity.py)
        else:
            yield Finding(requirement, "a request at a backend", "none", (response.n,))


@verb("response_members", example="{members: {model: rc-model}}")
@phrase("{of:response} has these members:", block="members")
@phrase("{of:several_responses} have these members:", block="members")
@dataclass(frozen=True, slots=True)
class ResponseMembers(ResponseExpectation):
    """The response (the first chunk of a stream) has these members, with the values that the backend returned."""

    members: Mapping[str, object]
    "The members; those of an object are compared one by one, and others may be there."

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        whole = next(iter(mappings(response.data)), {}) if response.streamed else response.fields
        return gravest_change(list(changes(dict(self.members), whole)))


def gravest_change(lost: list[Difference]) -> Check:
    """The first change, the gravest one first: one that harms no training is a SHOULD at most, and null for absent counts in the strict
    reading only."""
    worst = min(lost, key=lambda one: (one.only_null, harmless(one)), default=None)
    if worst is None:
        return Check(True, "", "")
    more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
    expected, observed = worst.shown
    return Check(
        False,
        f"{worst.path}: {expected}",
        f"{worst.path}: {observed}{more}",
        cap="should" if harmless(worst) else None,
        strict_only=worst.only_null,
    )


@verb("chunk_members_forwarded", short="of", example="it")
@phrase("each chunk of {of:responses} has the member that the backend gave it")
@dataclass(frozen=True, slots=True)
class ChunkMembersForwarded(ResponseExpectation):
    """Each chunk of the stream still has the unknown member `rc_word` that the backend gave it (`extra_member`)."""

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        deltas = [mapping(part.get("delta")) for part in response.deltas]
        lost = [delta for delta in deltas if delta.get("content") and "rc_word" not in delta]
        return Check(not lost, "rc_word in every chunk, as at the backend", show(lost[:2]))
