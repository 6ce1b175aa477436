"""Where a stop text ends a job, which is found first, whether it is part of the output, and what the ids hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.json_diff import ABSENT, show
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.worker.events import LENGTH, STOP
from rollout_conformance.steps.profiles.worker.expectations.base import JobExpectation, JobsTogether, complete
from rollout_conformance.steps.profiles.worker.expectations.endings import counted, ended
from rollout_conformance.steps.profiles.worker.stop_choice import stop_position
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

UNIFORM, COUNTED, NAMED = "WORKER-016", "WORKER-009", "WORKER-013"
BROKEN = "�"
LOOKAHEAD = 1  # tokens that a worker may have generated before it looked at the one that completes a stop text
UNDECIDED = 4  # the same, where a longer stop text may begin before it
LESS, NONE, PART, ALL, MORE = (
    "less than what is before it",
    "nothing of it",
    "a part of it",
    "all of it",
    "more than it",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stop text stands in an output: from `start` to `end` in the text, complete with token number `tokens` (from 1), whose text ends at
    `token_end`."""

    stop: str
    start: int
    end: int
    tokens: int
    token_end: int


def places(stops: Sequence[str], control: JobResponse) -> list[Place]:
    """The stop texts that the output of a job without them contains."""
    texts = control.transcript.token_texts
    found = []
    for stop in stops:
        position = stop_position(texts, stop)
        if position is not None:
            at, count = position
            found.append(Place(stop, at, at + len(stop), count, len("".join(texts[:count]))))
    return found


def first_of(found: Sequence[Place]) -> list[Place]:
    """Those that begin first or are complete first: either rule is right."""
    start, end = min(one.start for one in found), min(one.end for one in found)
    return [one for one in found if one.start == start or one.end == end]


@verb("stopped", example="{of: it, control: whole}")
@phrase("{of:response} ends at its stop text in the output of {control:word}")
@dataclass(frozen=True, slots=True)
class Stopped(JobExpectation):
    """The job ends at the first of its stop texts, which stands in the output of the same job without them."""

    control: ResponseName
    "The job without stop texts."

    def check(self, response: JobResponse, view: WorkerView) -> Sequence[Check] | Check | None:
        job, control = response, next(iter(view.jobs_named(self.control)), None)
        if control is None or not control.ran_out or job.reason is None:
            return None
        found = places(job.spec.stop, control)
        if not found:
            return None
        first, whole = first_of(found), control.transcript.text
        expected = f"an end at the stop text {show(first[0].stop)}, after {show(whole[: first[0].start])}"
        reasons = {STOP} | ({LENGTH} if any(one.tokens == job.spec.max_tokens for one in first) else set())
        if job.reason not in reasons:
            return Check(False, expected, ended(job))
        text = job.transcript.text
        if whole.startswith(text) and any(_shown(text, one) == PART for one in first):
            return Check(
                False, "the whole stop text is part of the output, or none of it", ended(job), requirement=UNIFORM
            )
        ok = whole.startswith(text) and any(_shown(text, one) in (NONE, ALL) for one in first)
        return [Check(ok, expected, ended(job)), *_named(job, first), *_counted(job, control, first)]


def _counted(job: JobResponse, control: JobResponse, first: Sequence[Place]) -> list[Check]:
    """The counter has no tokens behind the one that completes the stop text, where each event of the control is one token."""
    found = counted(job)
    if found is None or counted(control) != len(control.transcript.token_texts):
        return []
    most = max(one.tokens for one in first) + (LOOKAHEAD if len(job.spec.stop) == 1 else UNDECIDED)
    expected = f"a counter of at most {most}: the stop text is complete with token {first[0].tokens}"
    return [Check(found <= most, expected, f"a final counter of {found}", requirement=COUNTED)]


def _named(job: JobResponse, first: Sequence[Place]) -> list[Check]:
    matched = job.transcript.end.matched if job.transcript.end else ABSENT
    if type(matched) is int and job.transcript.ids and not job.spec.stop_ids:
        expected = f"the stop text {show(first[0].stop)}, or the last token"
        return [Check(matched == job.transcript.ids[-1], expected, f"token {matched}", requirement=NAMED)]
    if (
        job.reason != STOP
        or not isinstance(matched, str)
        or not matched
        or job.dialect.name not in ("orcd", "llamacpp", "sglang")
    ):
        return []
    return [Check(matched in [one.stop for one in first], f"the stop text {show(first[0].stop)}", show(matched))]


def _shown(text: str, place: Place) -> str:
    """How much of its stop text an output has; it may end with the token that completes the stop text."""
    if len(text) <= place.start:
        return NONE if len(text) == place.start else LESS
    if len(text) < place.end:
        return PART
    return ALL if len(text) <= place.token_end else MORE


@verb("uniform_stop_text", example="{of: [a, b, c], control: whole}")
@phrase("the stop text is part of the output in all of {of:names} or in none, compared with {control:word}")
@dataclass(frozen=True, slots=True)
class UniformStopText(JobsTogether):
    """The stop text is part of the output in all of these jobs, or in none; in none where the dialect documents that."""

    control: ResponseName
    "The job without stop texts."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        control = next(iter(view.jobs_named(self.control)), None)
        stopped = [job for job in responses if job.reason == STOP]
        if control is None or not control.ran_out or len(stopped) < 2:
            return None
        shown = {
            job.name: _shown(job.transcript.text, one) for job in stopped for one in places(job.spec.stop, control)[:1]
        }
        observed = ", ".join(f"{name}: {how}" for name, how in shown.items())
        ok = len(set(shown.values())) <= 1 and PART not in shown.values()
        if control.dialect.trims_stop and ALL in shown.values():
            return Check(False, "the stop text is part of no output, as documented", observed)
        return Check(ok, "the stop text is part of every output, or of none", observed)


@verb("same_reason", short="of", example="[a, b]")
@phrase("{of:names} end for the same reason")
@dataclass(frozen=True, slots=True)
class SameReason(JobsTogether):
    """The jobs end for the same reason."""

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        if len(responses) < 2 or not complete(responses):
            return None
        reasons = [job.reason for job in responses]
        return Check(len(set(reasons)) == 1, "the same reason", ", ".join(map(str, reasons)))


@verb("keeps_text", example="{of: it, control: whole}")
@phrase("{of:response} has the text of {control:word} up to its limit")
@dataclass(frozen=True, slots=True)
class KeepsText(JobExpectation):
    """The text of a job that ends for its length is that of so many tokens of another job."""

    control: ResponseName
    "The job with a higher limit."

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        control = next(iter(view.jobs_named(self.control)), None)
        found = counted(response)
        if control is None or not control.ran_out or response.reason != LENGTH or found is None:
            return None
        texts = control.transcript.token_texts
        if counted(control) != len(texts) or found > len(texts):
            return None
        expected, text = "".join(texts[:found]), response.transcript.text
        return Check(text.rstrip(BROKEN) == expected.rstrip(BROKEN), f"the text {show(expected)}", show(text))


@verb("keeps_ids", example="{of: it, control: whole}")
@phrase("the ids of {of:response} hold all that was generated, compared with {control:word}")
@dataclass(frozen=True, slots=True)
class KeepsIds(JobExpectation):
    """The ids are those of the job without stop texts, up to the token that completes the stop text."""

    control: ResponseName
    "The job without stop texts."

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        control = next(iter(view.jobs_named(self.control)), None)
        ids = response.transcript.ids
        if control is None or control.transcript.ids is None or ids is None or response.reason != STOP:
            return None
        found = places(response.spec.stop, control)
        if not found or len(control.transcript.token_texts) != len(control.transcript.ids):
            return None
        allowed = [list(control.transcript.ids[: one.tokens]) for one in first_of(found)]
        return Check(list(ids) in allowed, f"ids {show(allowed[0])}", f"ids {show(list(ids))}")
