"""What may be demanded of any HTTP response."""

from dataclasses import dataclass
from typing import Annotated

from rollout_conformance.steps.engine.json_diff import ABSENT, show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.verb_parsing import Written
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ComparedResponses, JudgesRejections, ResponseExpectation
from rollout_conformance.steps.http.json_path import checked_path, found_at
from rollout_conformance.steps.http.responses import KeptResponse

CLASSES = {f"{n}xx": frozenset(range(100 * n, 100 * n + 100)) for n in range(1, 6)}


def _status(written: object) -> int | str:
    if isinstance(written, str) and written in CLASSES:
        return written
    if type(written) is int and 100 <= written <= 599:
        return written
    raise ValueError(f"{written!r} is no status: write a number from 100 to 599, or all of a kind as 4xx")


StatusOrClass = Annotated[
    int | str,
    Written(_status, {"anyOf": [{"type": "integer", "minimum": 100, "maximum": 599}, {"enum": sorted(CLASSES)}]}),
]


def allowed_statuses(written: tuple[int | str, ...]) -> frozenset[int]:
    """The numbers that statuses and classes of statuses mean."""
    return frozenset(
        number for one in written for number in (CLASSES[one] if isinstance(one, str) else frozenset({one}))
    )


@verb("status", short="statuses", example=("200", "4xx", "{of: first, statuses: [401, 403]}"))
@phrase("{of:responses} has status {statuses:statuses}")
@phrase("{of:several_responses} have status {statuses:statuses}")
@dataclass(frozen=True, slots=True)
class Status(ResponseExpectation):
    """The response has one of these statuses. A success to a request for JSON has to be JSON."""

    statuses: tuple[StatusOrClass, ...] = (200,)
    "Numbers, or all statuses of a class: 2xx, 4xx."

    @property
    def numbers(self) -> frozenset[int]:
        return allowed_statuses(self.statuses)

    @property
    def may_be_rejected(self) -> bool:
        return any(status >= 300 for status in self.numbers)

    @property
    def must_be_rejected(self) -> bool:
        return all(status >= 400 for status in self.numbers)

    def check(self, response: KeptResponse, view: object) -> Check:
        expected = " or ".join(map(str, self.statuses))
        if not response.is_readable:
            return Check(False, f"{expected}, with JSON", f"{response.status}: {show(response.body)}")
        return Check(response.status in self.numbers, expected, response.shown())


@verb("header", short="name", example=("X-Request-Id", "{name: Content-Type, one_of: [application/json]}"))
@phrase("{of:responses} has the header {name:word}")
@phrase("{of:several_responses} have the header {name:word}")
@phrase("{of:responses} has the header {name:word} with the value {one_of:text}")
@dataclass(frozen=True, slots=True)
class Header(ResponseExpectation):
    """The response has this header, with one of these values where some are given."""

    name: str
    "Upper and lower case mean the same."
    one_of: tuple[str, ...] = ()
    "The values that are right; without any, all but an empty one are."

    def check(self, response: KeptResponse, view: object) -> Check:
        value = response.header(self.name)
        ok = value in self.one_of if self.one_of else bool(value)
        return Check(ok, f"{self.name}: {' or '.join(self.one_of) or 'any value'}", show(value))


@verb("no_header", short="name", example=("Set-Cookie", "{of: first, name: Server}"))
@phrase("{of:responses} does not have the header {name:word}")
@phrase("{of:several_responses} do not have the header {name:word}")
@dataclass(frozen=True, slots=True)
class NoHeader(ResponseExpectation):
    """The response does not have this header, not even an empty one."""

    name: str
    "Upper and lower case mean the same."

    def check(self, response: KeptResponse, view: object) -> Check | None:
        if response.status is None:
            return None  # without a response there are no headers to judge
        value = response.header(self.name)
        return Check(value is None, f"no header {self.name}", f"{self.name}: {show(value)}")


@verb("elapsed", example=("{at_most: 2}", "{of: second, at_least: 0.5, at_most: 3}"))
@phrase("{of:responses} takes at most {at_most:number} s")
@phrase("{of:responses} takes at least {at_least:number} s")
@phrase("{of:responses} takes {at_least:number} to {at_most:number} s")
@dataclass(frozen=True, slots=True)
class Elapsed(ResponseExpectation):
    """The time from the request to the end of the response, in seconds. Time by which the suite itself was late accuses nobody."""

    at_least: float | None = None
    "The shortest time that is right."
    at_most: float | None = None
    "The longest time that is right."

    def __post_init__(self) -> None:
        """Raises `ValueError` for a demand that every response fulfils."""
        if self.at_least is None and self.at_most is None:
            raise ValueError("at_least and at_most: write at least one of them, in seconds")

    def check(self, response: KeptResponse, view: object) -> Check | None:
        taken = response.elapsed_s
        if response.status is None or taken is None:
            return None
        late = self.at_most is not None and taken > self.at_most
        if late and self.at_most is not None and taken - response.late_s <= self.at_most:
            return None  # the suite may have caused it
        early = self.at_least is not None and taken < self.at_least
        return Check(not (late or early), self._expected, f"{taken:.3f} s", timing=late)

    @property
    def _expected(self) -> str:
        bounds = {"at least": self.at_least, "at most": self.at_most}
        return " and ".join(f"{word} {bound:g} s" for word, bound in bounds.items() if bound is not None)


@verb(
    "json",
    example=(
        "{path: error.message}",
        "{path: usage.prompt_tokens, one_of: [7]}",
        "{path: 'data[0].id', none_of: ['']}",
    ),
)
@phrase("the JSON member {path} of {of:responses} is {one_of:json}")
@dataclass(frozen=True, slots=True)
class JsonMember(ResponseExpectation):
    """A member of the JSON body has a value, or is absent."""

    path: Annotated[str, Written(checked_path, {"type": "string"})]
    "As `usage.prompt_tokens` or `data[0].id`; `..name` is the outermost member of that name, wherever it stands."
    one_of: tuple[object, ...] = ()
    "The values that are right."
    none_of: tuple[object, ...] = ()
    "Values that are wrong."
    present: bool = True
    "Whether the member has to be there."

    def check(self, response: KeptResponse, view: object) -> Check:
        value = found_at(response.body, self.path)
        if not self.present:
            return Check(value is ABSENT, f"no {self.path}", show(value))
        ok = value is not ABSENT and (not self.one_of or value in self.one_of) and value not in self.none_of
        wanted = show(list(self.one_of)) if len(self.one_of) > 1 else show(self.one_of[0]) if self.one_of else ""
        expected = wanted or (f"none of {show(list(self.none_of))}" if self.none_of else "present")
        return Check(ok, f"{self.path}: {expected}", show(value))


@verb("same_body", short="of", example="[first, second]")
@phrase("{of:several_responses} have the same body")
@dataclass(frozen=True, slots=True)
class SameBody(ComparedResponses):
    """The bodies of these responses are equal as JSON."""

    def compare(self, responses: list[KeptResponse], view: object) -> Check:
        odd = next((one for one in responses if one.body != responses[0].body), None)
        return Check(odd is None, show(responses[0].body), show(odd.body) if odd else "")


@verb("error_object", short="of", example="first")
@phrase("{of:responses} has an error object")
@phrase("{of:several_responses} have an error object")
@dataclass(frozen=True, slots=True)
class ErrorObject(JudgesRejections, ResponseExpectation):
    """The body explains the error as OpenAI does, in `error.message`. Another way to explain it in JSON breaks a SHOULD at most."""

    def check(self, response: KeptResponse, view: object) -> Check:
        message = mapping(response.fields.get("error")).get("message")
        cap = "should" if response.explains_error else None
        return Check(bool(message), "a body with error.message", response.shown(), cap=cap)
