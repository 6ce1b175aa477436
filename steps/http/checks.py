"""What one check of a response showed, and the base of all expectations on responses: which responses are meant, and the evidence they give."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.responses import KeptResponse


@dataclass(frozen=True, slots=True)
class Check:
    """`ignored`: what was asked for was accepted without any effect. It counts only where every request was accepted. `cap` is the
    strongest level of a finding, `strict_only` a breach that only the strict reading of null counts, `requirement` the one that is
    broken, where it is another than that of the case, `timing` whether a loaded machine may be the cause: then the case is repeated alone."""

    ok: bool
    expected: str
    observed: str
    ignored: bool = False
    cap: str | None = None
    strict_only: bool = False
    requirement: str = ""
    timing: bool = False

    def evidence(self, requirement: str, *responses: KeptResponse) -> Evidence:
        return evidence(
            self.requirement or requirement,
            self.ok,
            self.expected,
            self.observed,
            *(one.n for one in responses),
            ignored=self.ignored and all(one.is_success for one in responses),
            cap=self.cap,
            strict_only=self.strict_only,
            timing=self.timing,
        )


R = TypeVar("R", bound=KeptResponse, default=Any)  # the kind of response that a subclass takes


class ViewOfResponses(Protocol):
    """What expectations on responses need of a view: the responses that some words mean."""

    def named(self, *words: str) -> list[Any]: ...


V = TypeVar("V", bound=ViewOfResponses, default=Any)  # the view of its profile


class JudgesRejections:
    """What an expectation is that judges a rejection of its request as well."""

    __slots__ = ()

    @property
    def may_be_rejected(self) -> bool:
        return True


class JudgesErrors(JudgesRejections):
    """What an expectation is that judges an error of the server as well."""

    __slots__ = ()

    @property
    def must_be_rejected(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class ResponseExpectation(Generic[R, V]):
    """A demand on each of some responses. A subclass says what is compared; a check of None decides nothing."""

    of: tuple[ResponseName, ...] = field(default=("it",), kw_only=True)
    "The responses that are meant: names, or `it` (the last one), `first`, `second`, ..., `both`, `all`."

    @property
    def may_be_rejected(self) -> bool:
        """Whether the request may be answered otherwise than with a success; then a rejection is judged here."""
        return False

    @property
    def must_be_rejected(self) -> bool:
        """Whether no success would be right; then an error of the server is judged here as well."""
        return False

    def judge(self, view: V, requirement: str) -> Iterator[Evidence]:
        for response in view.named(*self.of):
            found = self.check(response, view)
            for one in [found] if isinstance(found, Check) else found or ():
                yield one.evidence(requirement, response)

    def check(self, response: R, view: V) -> "Check | Sequence[Check] | None":
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class OptionallyRejectable(ResponseExpectation[R, V]):
    """A demand for which the case says whether a rejection is right too."""

    or_rejected: bool = field(default=False, kw_only=True)
    "Whether the request may be rejected with a 4xx status instead."

    @property
    def may_be_rejected(self) -> bool:
        return self.or_rejected


@dataclass(frozen=True, slots=True)
class ComparedResponses(Generic[R, V]):
    """A demand on some responses together. A subclass says what is compared; a check of None decides nothing."""

    of: tuple[ResponseName, ...] = field(default=("all",), kw_only=True)
    "The responses that are compared: names, or `first`, `second`, ..., `both`, `all`."

    def judge(self, view: V, requirement: str) -> Iterator[Evidence]:
        responses = view.named(*self.of)
        found = self.compare(responses, view) if responses else None
        if found is not None:
            yield found.evidence(requirement, *responses)

    def compare(self, responses: list[R], view: V) -> Check | None:
        raise NotImplementedError
