"""How a request is rejected: before the stream, with each violation, and without what the client sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import listed, mappings
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesErrors, JudgesRejections, ResponseExpectation
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.worker.events import EOS
from rollout_conformance.steps.profiles.worker.expectations.base import JobsTogether, JudgesEnds
from rollout_conformance.steps.profiles.worker.expectations.endings import ended
from rollout_conformance.steps.profiles.worker.expectations.outputs import difference
from rollout_conformance.steps.profiles.worker.view import BEFORE, JobResponse, WorkerView

EACH, MEMBERS, ENVELOPE, FAILED = "WORKER-031", "WORKER-032", "WORKER-033", "WORKER-303"
STATUSES = (400, 413, 415)
LONG = 8  # characters of a text that cannot stand in a message by chance


@verb("rejected", short="of", example=("it", "{field: max_tokens}", "{violations: 3}", "{json: true}"))
@phrase("{of:responses} is rejected")
@phrase("{of:several_responses} are rejected")
@phrase("{of:responses} is rejected for its member {field:word}")
@phrase("{of:responses} is rejected with {violations:int} violations")
@dataclass(frozen=True, slots=True)
class Rejected(JudgesErrors, JudgesEnds, ResponseExpectation):
    """The request is rejected with a 4xx status, before any stream begins."""

    field: str = ""
    "The member that `errors` has to name, in the dialect `orcd`, where the response has `errors`."
    violations: int = 0
    "How many entries `errors` has to have; 0: it may be absent."
    json: bool = False
    "Whether the body has to be JSON, with the status 400, 413 or 415."

    def check(self, response: KeptResponse, view: WorkerView) -> Sequence[Check]:
        what = ended(response) if isinstance(response, JobResponse) and response.is_success else response.shown()
        if response.is_success and isinstance(response, JobResponse) and response.transcript.failure is not None:
            return [Check(False, "4xx before the stream begins", what, requirement=BEFORE)]
        if not response.is_client_error:
            is_error = response.status is not None and response.status >= 500 and not self.json
            broken = FAILED if is_error and view.worker.dialect.name == "orcd" else ""
            return [Check(False, "the request is rejected with 4xx", what, requirement=broken)]
        found = [Check(True, "", ""), Check(True, "", "", requirement=BEFORE)]
        if self.json:
            ok = response.status in STATUSES and isinstance(response.body, Mapping)
            found.append(
                Check(
                    ok, "JSON, with 400, 413 or 415", f"{response.header('content-type')}, {what}", requirement=ENVELOPE
                )
            )
        return [*found, *self._entries(response)]

    def _entries(self, response: KeptResponse) -> Sequence[Check]:
        if not isinstance(response.fields.get("errors"), list):
            missing = Check(False, f"`errors` with {self.violations} entries", response.shown(), requirement=EACH)
            return [missing] if self.violations else []
        entries = mappings(response.fields.get("errors"))
        found = [_described(listed(response.fields.get("errors")), response)]
        if self.field:
            names = [one.get("field") for one in entries]
            ok = any(isinstance(one, str) and one.split("[")[0].split(".")[0] == self.field for one in names)
            found.append(Check(ok, f"an entry of the field {self.field}", show(names), requirement=MEMBERS))
        if self.violations:
            ok = len(entries) == self.violations
            found.append(Check(ok, f"{self.violations} entries", response.shown(), requirement=EACH))
        return found


def _described(entries: Sequence[object], response: KeptResponse) -> Check:
    ok = bool(entries) and all(
        isinstance(one, Mapping)
        and all(isinstance(one.get(name), str) and one.get(name) for name in ("field", "constraint", "message"))
        for one in entries
    )
    return Check(ok, "entries with field, constraint and message", response.shown(), requirement=MEMBERS)


@verb("hides_texts", short="of", example="it")
@phrase("{of:response} repeats neither the prompt nor a stop text")
@dataclass(frozen=True, slots=True)
class HidesTexts(JudgesRejections, ResponseExpectation):
    """The body has neither the prompt nor a stop text of the request."""

    def check(self, response: KeptResponse, view: WorkerView) -> Check | None:
        if not isinstance(response, JobResponse):
            return None
        texts = [text for text in (response.spec.prompt, *response.spec.stop) if len(text) >= LONG]
        shown = next((text for text in texts if text in response.text or text[:100] in response.text), None)
        return Check(shown is None, "a rejection without the texts of the request", f"{response.status}: {show(shown)}")


@verb("treated_equally", short="of", example="[a, b]")
@phrase("{of:several_responses} are treated equally")
@phrase("{of:names} are treated equally")
@dataclass(frozen=True, slots=True)
class TreatedEqually(JudgesRejections, JobsTogether):
    """The jobs are all rejected with 4xx, or all carried out with equal output."""

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        if any(job.is_busy for job in responses):
            return None
        accepted = [job for job in responses if job.is_success]
        expected = "all are rejected with 4xx, or all are carried out with equal output"
        if any(not job.is_success and not job.is_client_error for job in responses) or 0 < len(accepted) < len(
            responses
        ):
            return Check(False, expected, ", ".join(str(job.status) for job in responses))
        if accepted and all(job.ran_out and job.reason != EOS for job in accepted):
            for job in accepted[1:]:
                if found := difference(accepted[0], job, view.worker.tolerance, ("text", "ids")):
                    return Check(False, found[0], found[1])
        return Check(True, "", "")


@verb("accepted_or_no_room", short="of", example="it")
@phrase("{of:response} is accepted, or the context has no room for it")
@dataclass(frozen=True, slots=True)
class AcceptedOrNoRoom(JudgesRejections, ResponseExpectation):
    """The job is not rejected for the length of its prompt in characters. Any other rejection decides nothing, as that of a prompt with more
    tokens than the context."""

    def check(self, response: KeptResponse, view: WorkerView) -> Check | None:
        if response.is_success:
            return Check(True, "", "")
        entries = mappings(response.fields.get("errors"))
        if not any(one.get("field") == "prompt" and not _names_context(one) for one in entries):
            return None
        return Check(False, "a prompt of this length is accepted", response.shown())


def _names_context(entry: Mapping[str, object]) -> bool:
    said = f"{entry.get('constraint')} {entry.get('message')}".lower()
    return any(word in said for word in ("context", "token"))


@verb("refused", short="of", example="late")
@phrase("{of:responses} is refused")
@dataclass(frozen=True, slots=True)
class Refused(JudgesErrors, ResponseExpectation):
    """The job is rejected with 503, or the connection is refused."""

    @property
    def may_be_refused(self) -> bool:
        """Whether a connection that is refused is right."""
        return True

    def check(self, response: KeptResponse, view: WorkerView) -> Check:
        return Check(response.status in (None, 503), "503, or a connection that is refused", response.shown())
