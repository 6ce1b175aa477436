"""What may be demanded of how a call ends: that it is carried out, rejected as a mistake of the user, or has no effect of its own."""

from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ComparedResponses, JudgesRejections, ResponseExpectation
from rollout_conformance.steps.http.expectations import StatusOrClass, allowed_statuses
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.training.responses import MEMBERS, TrainingResponse
from rollout_conformance.steps.profiles.training.view import TrainingView

CARRIED_OUT = "the call is carried out: a 2xx status and a result without an error"
USER_ERROR = "a mistake of the user: status 4xx, or a failed future of the category `user`"


LOOP, RESULT_MEMBERS = "TRAINING-200", "TRAINING-201"
EVALUATIONS = ("forward", "measure")


def is_first_evaluation(view: TrainingView, response: TrainingResponse) -> bool:
    """Whether no plain forward was carried out before this one, which may then fail because the target has none."""
    plain = response.verb in EVALUATIONS and response.loss == "cross_entropy"
    before = [one for one in view.judged if one.verb in EVALUATIONS and one.n < response.n]
    return plain and not any(one.outcome == "done" for one in before)


@dataclass(frozen=True, slots=True)
class Ending(JudgesRejections, ResponseExpectation[TrainingResponse, TrainingView]):
    """A demand on how a call ends; a rejection of it is judged here."""


@verb("carried_out", short="of", example=("it", "[first, second]"))
@phrase("{of:responses} is carried out")
@phrase("{of:several_responses} are carried out")
@dataclass(frozen=True, slots=True)
class CarriedOut(Ending):
    """The call is carried out."""

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        done, pending = response.outcome == "done", response.outcome == "pending"
        broken = LOOP if not done and is_first_evaluation(view, response) else ""
        return Check(done, CARRIED_OUT, response.came_to(), timing=pending, requirement=broken)


@verb("rejected", short="of", example=("it", "{of: it, statuses: [401, 403]}", "{of: it, statuses: 409}"))
@phrase("{of:responses} is rejected as a mistake of the user")
@phrase("{of:several_responses} are rejected as a mistake of the user")
@phrase("{of:responses} is rejected with {statuses:statuses}")
@dataclass(frozen=True, slots=True)
class Rejected(Ending):
    """The call is rejected as a mistake of the user: at once, or by its future."""

    statuses: tuple[StatusOrClass, ...] = ()
    "The statuses with which it has to be rejected at once; default: any way to reject."
    or_future: bool = False
    "Whether a failed future of the category `user` is right beside these statuses."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        if not self.statuses:
            return Check(response.outcome == "rejected", USER_ERROR, response.came_to())
        statuses = allowed_statuses(self.statuses)
        ok = response.outcome == "rejected" and (
            response.rejected_at_submit in statuses
            or response.status in statuses
            or (self.or_future and response.rejected_at_submit is None)
        )
        expected = " or ".join(map(str, self.statuses))
        more = ", or a failed future of the category `user`" if self.or_future else ""
        return Check(ok, f"the call is rejected with {expected}{more}", response.came_to())


@verb("carried_out_or_rejected", short="of", example="it")
@phrase("{of:responses} is carried out or rejected as a mistake of the user")
@dataclass(frozen=True, slots=True)
class CarriedOutOrRejected(Ending):
    """Either is right; an error of the server and a call without an end are wrong."""

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        ok = response.outcome in ("done", "rejected")
        return Check(ok, f"{CARRIED_OUT}; or {USER_ERROR}", response.came_to(), timing=response.outcome == "pending")


@verb("pending_or_result", short="of", example="it")
@dataclass(frozen=True, slots=True)
class PendingOrResult(Ending):
    """What a poll returns: that there is no result yet (408, or `try_again`), or the result with its members, or the failure of the call."""

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        pending = response.status == 408 or response.fields.get("type") == "try_again"
        found = bool(response.outputs) or response.fields.get("error") is not None
        return Check(pending or found, "408 or try_again, or the result of the call", response.shown())


@verb("one_request_id", short="of", example="[first, second]")
@phrase("{of:several_responses} have one request id")
@dataclass(frozen=True, slots=True)
class OneRequestId(ComparedResponses[TrainingResponse, TrainingView]):
    """The calls were given the same request id: they are one."""

    def compare(self, responses: list[TrainingResponse], view: TrainingView) -> Check | None:
        ids = [one.request_id for one in responses]
        if not all(ids):
            return None
        return Check(len(set(ids)) == 1, f"one request_id, {show(ids[0])}", ", ".join(map(show, ids)))


@verb("same_results", short="of", example="[first, second]")
@phrase("{of:several_responses} have the same result")
@dataclass(frozen=True, slots=True)
class SameResults(ComparedResponses[TrainingResponse, TrainingView]):
    """These responses have the same status and the same result. Members that no result of the contract has, such as a time, may differ."""

    def compare(self, responses: list[TrainingResponse], view: TrainingView) -> Check:
        first = responses[0]
        odd = next((one for one in responses if _read(one) != _read(first)), None)
        return Check(odd is None, first.shown(), odd.shown() if odd else "")


def _read(response: TrainingResponse) -> tuple[int | None, object]:
    """The status, and what a client reads of the body."""
    body = response.body
    if not isinstance(body, dict):
        return response.status, response.raw
    return response.status, {name: value for name, value in body.items() if name in MEMBERS and value is not None}


@verb("hides", example=("{of: it, owner: [created]}", "{of: all}"))
@dataclass(frozen=True, slots=True)
class Hides(JudgesRejections, ResponseExpectation[TrainingResponse, TrainingView]):
    """The body has nothing of another tenant: none of the values that responses to that tenant had and this request did not have."""

    owner: tuple[str, ...] = field(default=("created",))
    "The responses that belong to the other tenant."
    members: tuple[str, ...] = field(default=("path", "run_id", "model_id", "loss_fn_outputs", "checkpoint_path"))
    "The members of their results that no one else may see."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        secrets = [value for one in view.named(*self.owner) for value in self._of(one)]
        asked = view.trace.exchanges[(response.submit or response).n].request
        known = asked.path + asked.body.decode("utf-8", "replace")
        leaked = next((one for one in secrets if one in response.text and one not in known), None)
        return Check(leaked is None, "nothing of the other tenant", f"{show(leaked)} in {response.shown()}")

    def _of(self, response: TrainingResponse) -> list[str]:
        return [value for name in self.members if isinstance(value := response.result.get(name), str) and value]


@verb("contains", example="{of: first, result_of: created, member: run_id}")
@dataclass(frozen=True, slots=True)
class Contains(ResponseExpectation[TrainingResponse, TrainingView]):
    """The body has the value of a member of another response, or does not have it."""

    result_of: ResponseName
    "The response that the value is of."
    member: str
    "The member."
    present: bool = True
    "Whether the value has to be there."
    control: ResponseName = ""
    "A response that has to have the value, else nothing is decided: what is absent from one page of a list may be on another."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        value = next((one.result.get(self.member) for one in view.named(self.result_of)), None)
        if not isinstance(value, str) or not value:
            return None
        if self.control and not any(value in one.text for one in view.named(self.control)):
            return None
        found = value in response.text
        word = "with" if self.present else "without"
        return Check(found is self.present, f"a body {word} {show(value)}", response.shown())


@verb("lacks", example="{of: runs, text: rc-none}")
@dataclass(frozen=True, slots=True)
class Lacks(ResponseExpectation[TrainingResponse, TrainingView]):
    """The body does not have a text."""

    text: str
    "The text."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        return Check(self.text not in response.text, f"a body without {show(self.text)}", response.shown())


@verb("different_results", example="{of: [first, second], members: [model_id, run_id]}")
@dataclass(frozen=True, slots=True)
class DifferentResults(ComparedResponses[TrainingResponse, TrainingView]):
    """These members of the results differ, where they are there."""

    members: tuple[str, ...]
    "The members; those that no result has are left out."

    def compare(self, responses: list[TrainingResponse], view: TrainingView) -> Check | None:
        found = [[one.result.get(name) for name in self.members if name in one.result] for one in responses]
        if not all(found):
            return None
        equal = any(one == found[0] for one in found[1:])
        return Check(not equal, f"different {' or '.join(self.members)}", f"{', '.join(map(show, found))}")


@verb("same_member", example="{of: [first, second], member: model_id}")
@dataclass(frozen=True, slots=True)
class SameMember(ComparedResponses[TrainingResponse, TrainingView]):
    """This member of the results is equal, where all have it."""

    member: str
    "The member."

    def compare(self, responses: list[TrainingResponse], view: TrainingView) -> Check | None:
        found = [one.result.get(self.member) for one in responses]
        if None in found:
            return None
        return Check(all(one == found[0] for one in found), f"one {self.member}, {show(found[0])}", f"{show(found[1])}")


@verb("same_rank", example="{of: info, created: first}")
@dataclass(frozen=True, slots=True)
class SameRank(ResponseExpectation[TrainingResponse, TrainingView]):
    """The result has the rank that the model was created with, and the id of that model, where it has them."""

    created: ResponseName
    "The response to the creation."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        created = next(iter(view.named(self.created)), None)
        if created is None:
            return None
        id, found_id = created.result.get("model_id"), response.result.get("model_id")
        if id is not None and found_id not in (None, id):
            return Check(False, f"model_id {show(id)}", f"model_id {show(found_id)}")
        sent, found = mapping(created.request.get("lora_config")).get("rank"), response.result.get("lora_rank")
        if sent is None or found is None:
            return None
        return Check(found == sent, f"lora_rank {sent}", f"lora_rank {found}")


@verb("outputs_of", example="{of: third, singles: [first, second]}")
@dataclass(frozen=True, slots=True)
class OutputsOf(ResponseExpectation[TrainingResponse, TrainingView]):
    """The sampled tokens of a call with several prompts are those of calls with one prompt each, in this order."""

    singles: tuple[ResponseName, ...]
    "The calls with one prompt."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        alone = [one.sequences[0].get("tokens") for one in view.named(*self.singles) if one.sequences]
        if len(alone) != len(self.singles) or all(one == alone[0] for one in alone):
            return None  # prompts with equal continuations do not show their order
        found = [one.get("tokens") for one in response.sequences]
        swapped = sorted(map(str, found)) == sorted(map(str, alone)) and found != alone
        return Check(not swapped and len(found) == len(alone), f"{alone}", f"{found}")


@verb("members", short="names", example=("[run_id, status]", "{of: first, names: [loss, step]}"))
@phrase("the result of {of:response} has the member(s) {names:names}")
@dataclass(frozen=True, slots=True)
class HasMembers(ResponseExpectation[TrainingResponse, TrainingView]):
    """The result has these members, and none of them is null."""

    names: tuple[str, ...]
    "The members."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        missing = [name for name in self.names if response.result.get(name) is None]
        return Check(
            not missing, f"the members {', '.join(self.names)}", f"no {', '.join(missing)} in {response.shown()}"
        )


@verb("result", example=("{of: first, member: step, one_of: [1]}", "{member: learning_rate, one_of: [0.01]}"))
@phrase("the member {member:word} of the result of {of:response} is {one_of:json}")
@dataclass(frozen=True, slots=True)
class Result(ResponseExpectation[TrainingResponse, TrainingView]):
    """A member of the result has one of these values."""

    member: str
    "The member."
    one_of: tuple[Any, ...]
    "The values that are right; numbers are compared with the tolerance `exact`."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        value = response.result.get(self.member)
        ok = any(_equal(value, one) for one in self.one_of)
        return Check(ok, f"{self.member}: {' or '.join(map(show, self.one_of))}", f"{self.member}: {show(value)}")


def _equal(value: object, other: object) -> bool:
    numbers = [one for one in (value, other) if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) == 2:
        return abs(numbers[0] - numbers[1]) <= 1e-5 * max(1.0, abs(numbers[1]))
    return value == other
